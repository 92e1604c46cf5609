"""Features of every vertex of a shape: the extractors, what they share, and how their features become one space."""
