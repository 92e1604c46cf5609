"""Families: features of one kind of shapes that tell repeated parts apart, learnt from a handful of them."""
