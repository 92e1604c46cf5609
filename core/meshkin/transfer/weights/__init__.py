"""Skinning weights carried through a map, and checked."""
