"""Heads over a network that is taken as it is: custom labels from a handful of pictures, with NumPy alone."""
