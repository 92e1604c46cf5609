"""Attributes, UV maps, shape keys and hair carried through a map."""
