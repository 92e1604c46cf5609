"""Skeletons and poses carried through a map."""
