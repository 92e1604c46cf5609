"""Families: features of one kind of shapes that tell repeated parts apart, learned from a handful of them."""
