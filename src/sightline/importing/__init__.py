"""A user's own model, whatever made it, becomes a card and a file that the engines load.

Keras and PyTorch files need the extra `[import]`; ONNX and TFLite files do not. Nothing that serves imports this room.
"""

from .request import Imported, Parity, Request

__all__ = ["Imported", "Parity", "Request"]
