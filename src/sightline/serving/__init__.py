"""Keeps tasks resident and warm, limits and times the work. `app.py` puts the protocols behind one port."""
