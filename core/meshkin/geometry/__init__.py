"""Plain geometry of triangle meshes, used by everybody."""
