"""Features of two shapes in, a map between their surfaces out."""
