"""Cards, the store that finds weights, and the sources that weights come from."""
