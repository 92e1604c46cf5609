"""Textures painted by a diffusion model, all views of a shape at once."""
