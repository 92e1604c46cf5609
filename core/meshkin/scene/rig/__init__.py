"""Armatures, vertex groups and motion of the open file."""
