"""Diff3F: features of Stable Diffusion while it paints the object."""
