"""Two characters made by code, to try MeshKin with."""
