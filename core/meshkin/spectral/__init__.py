"""Eigenfunctions of the Laplacian, functional maps between them, descriptors made of them."""
