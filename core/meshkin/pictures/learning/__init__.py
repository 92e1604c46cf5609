"""Maps learned from pairs of pictures that Blender renders: what a network or a LoRA is taught, and how it answers."""
