"""Typed questions and typed answers. A task is made of one or more models and knows no web."""
