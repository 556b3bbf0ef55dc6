"""Known faces: collections of them, users, search by vector. `docs/collections.md` is the guide."""
