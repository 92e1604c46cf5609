"""Small random models of the real architectures, saved as real ones are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModel,
    DeiTConfig,
    DeiTModel,
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    DINOv3ViTConfig,
    DINOv3ViTModel,
    IJepaConfig,
    IJepaModel,
    PreTrainedConfig,
    PreTrainedModel,
    ViTConfig,
    ViTModel,
)

from meshkin.features.view_data import ViewImages
from meshkin.models.conversion import convert

torch.set_num_threads(1)  # threads cost such small networks more than they give

WIDTHS = (4, 8, 12, 16, 24, 32, 40)
DEPTHS = (1, 2, 2, 3, 3, 4, 1)
KERNELS = (3, 3, 5, 3, 5, 5, 3)


def dinov2(folder: Path, seed: int = 0, registers: bool = False) -> PreTrainedModel:
    """Save a DINOv2 of 3 blocks, 48 channels, 5 x 5 positions and 14 px patches; the network comes back."""
    return transformer(folder, "dinov2_with_registers" if registers else "dinov2", seed)


_SIZES = {"hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 3}
_PLAIN = {**_SIZES, "intermediate_size": 96}
TRANSFORMERS: dict[str, tuple[type[PreTrainedModel], PreTrainedConfig]] = {
    "dinov2": (Dinov2Model, Dinov2Config(**_SIZES, image_size=70, patch_size=14)),
    "dinov2_with_registers": (
        Dinov2WithRegistersModel,
        Dinov2WithRegistersConfig(**_SIZES, image_size=70, patch_size=14, num_register_tokens=2),
    ),
    "dinov3": (DINOv3ViTModel, DINOv3ViTConfig(**_PLAIN, image_size=80, patch_size=16, num_register_tokens=4)),
    "dino": (ViTModel, ViTConfig(**_PLAIN, image_size=56, patch_size=8)),
    "deit": (DeiTModel, DeiTConfig(**_PLAIN, image_size=64, patch_size=16)),
    "ijepa": (IJepaModel, IJepaConfig(**_PLAIN, image_size=64, patch_size=16)),
    "clip": (CLIPVisionModel, CLIPVisionConfig(**_PLAIN, image_size=64, patch_size=16)),
}
"""Vision transformers of 3 blocks and 48 channels, by the names that tests give them."""


def transformer(folder: Path, name: str, seed: int = 0) -> PreTrainedModel:
    """Save one of :data:`TRANSFORMERS` with random weights; the network comes back."""
    torch.manual_seed(seed)
    network, config = TRANSFORMERS[name]
    model = network(config)
    with torch.no_grad():
        for value in model.parameters():
            value.add_(0.2 * torch.randn_like(value))
    model.eval().save_pretrained(folder)
    return model


def lite_state(seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights of a narrow EfficientNet-Lite0 by the names and in the memory order of the published file."""
    random = torch.Generator().manual_seed(seed)
    state: dict[str, torch.Tensor] = {}

    def convolution(name: str, out: int, into: int, kernel: int) -> None:
        weight = torch.randn(out, into, kernel, kernel, generator=random) / (into * kernel * kernel) ** 0.5
        state[f"{name}.weight"] = weight.permute(2, 3, 1, 0).contiguous().permute(3, 2, 0, 1)

    def norm(name: str, width: int) -> None:
        state[f"{name}.weight"] = 1 + 0.2 * torch.randn(width, generator=random)
        state[f"{name}.bias"] = 0.5 + 0.2 * torch.randn(width, generator=random)
        state[f"{name}.running_mean"] = 0.1 * torch.randn(width, generator=random)
        state[f"{name}.running_var"] = 0.5 + torch.rand(width, generator=random)
        state[f"{name}.num_batches_tracked"] = torch.tensor(3)

    convolution("_conv_stem", 8, 3, 3)
    norm("_bn0", 8)
    width, block = 8, 0
    for stage, (out, depth, kernel) in enumerate(zip(WIDTHS, DEPTHS, KERNELS, strict=True)):
        for _ in range(depth):
            name, inner = f"_blocks.{block}.", width * (6 if stage else 1)
            if stage:
                convolution(name + "_expand_conv", inner, width, 1)
                norm(name + "_bn0", inner)
            convolution(name + "_depthwise_conv", inner, 1, kernel)
            norm(name + "_bn1", inner)
            convolution(name + "_project_conv", out, inner, 1)
            norm(name + "_bn2", out)
            width, block = out, block + 1
    convolution("_conv_head", 64, width, 1)
    norm("_bn1", 64)
    state["_fc.weight"], state["_fc.bias"] = torch.randn(10, 64, generator=random), torch.zeros(10)
    return state


def efficientnet(folder: Path, seed: int = 0) -> dict[str, torch.Tensor]:
    """Save a narrow EfficientNet-Lite0, converted as the published one is; its weights before that come back."""
    folder.mkdir(parents=True)
    state = lite_state(seed)
    torch.save(state, folder / "lite.pth")
    convert(folder / "lite.pth", folder)
    (folder / "lite.pth").unlink()
    return state


def views(count: int = 5, resolution: int = 70, seed: int = 0) -> ViewImages:
    """Passes of discs with random unit normals toward the camera."""
    random = np.random.default_rng(seed)
    normal = random.normal(size=(count, resolution, resolution, 3))
    normal[..., 2] = np.abs(normal[..., 2])
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    row, column = np.mgrid[:resolution, :resolution] - (resolution - 1) / 2
    outside = np.broadcast_to(row**2 + column**2 > (0.4 * resolution) ** 2, normal.shape[:3])
    depth = np.where(outside, np.inf, 3.0).astype(np.float32)
    normal[outside] = 0
    return ViewImages(normal.astype(np.float16), depth)
