"""Engines load one weights file and turn arrays into arrays. They know no pictures."""
