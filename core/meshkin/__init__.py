"""MeshKin: for every point of one shape, its kin on another; and what lives on the one, carried to the other."""

__version__ = "0.1.0"
