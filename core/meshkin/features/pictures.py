"""Pictures that a network trained on photographs can read, made from the passes."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from ..base.errors import InputError
from .extractor import ViewImages
from .parameters import STYLES

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and standard deviation of ImageNet's RGB values in [0, 1]."""

_LIGHT = (0.0, 0.37, 0.93)
"""Toward the light in the camera frame: over the camera, so that brows and chins stand out, left and right alike."""
_AMBIENT, _DIFFUSE = 0.15, 0.7
"""Their sum stays below 1, so that a lit surface stands out from a white background."""
_SHADE = 0.3
"""How much darker a textured surface is that faces away from the light: enough to show its shape."""


def make(
    images: ViewImages,
    views: slice,
    style: str,
    background: float,
    resolution: int,
    device: torch.device | str = "cpu",
) -> torch.Tensor:
    """Pictures of some views, float32 (n, 3, resolution, resolution) RGB in [0, 1] on ``device``.

    Args:
        images: the passes; square pictures of any resolution.
        views: which of them.
        style: one of :data:`STYLES`.
        background: gray level behind the object, in [0, 1].
        resolution: of the pictures; made smaller by area (antialiased), larger bilinearly.
        device: where they are made.

    Raises:
        InputError: ``features-option`` for an unknown style, or a textured one without colors.
    """
    normal = torch.from_numpy(np.array(images.normal[views])).to(device).float().permute(0, 3, 1, 2)
    seen = torch.from_numpy(np.isfinite(images.depth[views])).to(device)[:, None]
    if style == "normal":
        color = (normal + 1) / 2
    elif style == "shading":
        light = torch.tensor(_LIGHT, device=device).view(1, 3, 1, 1)
        facing = (normal * light).sum(dim=1, keepdim=True).clamp(0, 1)
        color = (_AMBIENT + _DIFFUSE * facing).expand_as(normal)
    elif style == "textured":
        if images.color is None:
            raise InputError("features-option", "There is no color pass for textured pictures.", "Render it too.")
        color = torch.from_numpy(np.array(images.color[views])).to(device).float().permute(0, 3, 1, 2) / 255
        light = torch.tensor(_LIGHT, device=device).view(1, 3, 1, 1)
        facing = (normal * light).sum(dim=1, keepdim=True).clamp(0, 1)
        rendered = (normal != 0).any(dim=1, keepdim=True)  # a photograph has no normals, but light of its own
        color = torch.where(rendered, color * (1 - _SHADE * (1 - facing)), color)
    else:
        raise InputError("features-option", f"There is no picture style “{style}”.", f"Choose {' or '.join(STYLES)}.")
    picture = torch.where(seen, color, color.new_full((), background))
    return resize(picture, resolution)


def resize(pictures: torch.Tensor, resolution: int) -> torch.Tensor:
    """Square pictures (n, C, r, r) at another resolution."""
    if pictures.shape[-1] == resolution:
        return pictures
    return functional.interpolate(pictures, (resolution, resolution), mode="bilinear", antialias=True)


def standardize(
    pictures: torch.Tensor, statistics: tuple[tuple[float, ...], tuple[float, ...]] = IMAGENET
) -> torch.Tensor:
    """Pictures (n, 3, r, r) in [0, 1] less a mean, over a standard deviation, each given per color."""
    mean, deviation = (pictures.new_tensor(values).view(1, 3, 1, 1) for values in statistics)
    return (pictures - mean) / deviation
