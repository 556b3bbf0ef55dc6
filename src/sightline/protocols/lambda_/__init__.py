"""AWS Lambda: `sightline.protocols.lambda_.handler`. Knows no web framework."""

from sightline.protocols.lambda_.function import Function, handler

__all__ = ["Function", "handler"]
