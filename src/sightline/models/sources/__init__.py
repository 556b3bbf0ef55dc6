"""Where weights come from. One file a scheme; `base.py` is the seam."""
