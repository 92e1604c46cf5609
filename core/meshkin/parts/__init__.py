"""Parts of shapes: the same labels on the same parts of one shape or of many, from features and from creases."""
