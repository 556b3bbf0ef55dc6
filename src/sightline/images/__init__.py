"""Pictures: decoding, fetching, geometry, drawing, encoding. Knows no models."""
