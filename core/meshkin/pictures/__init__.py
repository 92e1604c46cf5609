"""Maps that networks read from one picture: its colors without light, depth, normals, roughness, metallic."""
