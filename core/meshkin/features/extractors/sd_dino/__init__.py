"""SD+DINO: one look of Stable Diffusion and one of DINOv2."""
