"""The Open Inference Protocol (KServe v2) at `/v2`: tasks and the models behind them as tensors."""
