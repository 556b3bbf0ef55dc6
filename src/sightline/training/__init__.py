"""Training: recipes that turn a folder of pictures into a small ONNX file and its card.

This package needs the extra ``[train]`` (PyTorch); importing it does not, using it does.
"""

from .run import train

__all__ = ["train"]
