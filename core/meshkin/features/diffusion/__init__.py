"""Stable Diffusion 1.x, read by the extractors that look at pictures through it."""
