"""Figures: how right a task is on labelled data, and how fast it is on this machine."""
