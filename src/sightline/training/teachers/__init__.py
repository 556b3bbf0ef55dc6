"""Larger networks that small ones learn from, one kind of answer a file."""
