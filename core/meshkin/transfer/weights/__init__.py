"""Skin weights carried through a map."""
