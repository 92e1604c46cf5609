"""Textures and whole materials baked through a map."""
