"""Pictures made from the passes for networks that were trained on photographs."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from ..base.errors import InputError
from ..data.recipe import STYLES
from .extractor import PictureLook
from .view_data import ViewImages

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and standard deviation of ImageNet's RGB values in [0, 1]."""

_LIGHT = (0.0, 0.37, 0.93)
"""Unit vector toward the light in the camera frame. Chosen: above the camera, so that brows and chins stand out, and
left and right are alike."""
_AMBIENT_GRAY, _DIFFUSE_GRAY = 0.15, 0.7
"""Gray levels of light from everywhere, and of that from :data:`_LIGHT`. Chosen: their sum stays below 1, so that a
lit surface stands out from a white background."""
_SHADE = 0.3
"""Share of its brightness that a textured surface loses where it faces away from the light. Chosen: enough to show the
shape."""


def make(images: ViewImages, views: slice, look: PictureLook, device: torch.device | str = "cpu") -> torch.Tensor:
    """Pictures of some views, float32 (n, 3, resolution, resolution) RGB in [0, 1] on ``device``.

    Args:
        images: the passes; square pictures of any resolution.
        views: which of them.
        look: style, background and resolution; pictures are made smaller by area (antialiased), larger bilinearly.
        device: where they are made.

    Raises:
        InputError: ``features-option`` for an unknown style, or a textured one without colors.
    """
    normal = torch.from_numpy(np.array(images.normal[views])).to(device).float().permute(0, 3, 1, 2)
    seen = torch.from_numpy(np.isfinite(images.depth[views])).to(device)[:, None]
    if look.style == "normal":
        color = (normal + 1) / 2
    elif look.style == "shading":
        light = torch.tensor(_LIGHT, device=device).view(1, 3, 1, 1)
        facing = (normal * light).sum(dim=1, keepdim=True).clamp(0, 1)
        color = (_AMBIENT_GRAY + _DIFFUSE_GRAY * facing).expand_as(normal)
    elif look.style == "textured":
        if images.color is None:
            raise InputError("features-option", "There is no color pass for textured pictures.", "Render it too.")
        color = torch.from_numpy(np.array(images.color[views])).to(device).float().permute(0, 3, 1, 2) / 255
        light = torch.tensor(_LIGHT, device=device).view(1, 3, 1, 1)
        facing = (normal * light).sum(dim=1, keepdim=True).clamp(0, 1)
        rendered = (normal != 0).any(dim=1, keepdim=True)  # a photograph has no normals, but light of its own
        color = torch.where(rendered, color * (1 - _SHADE * (1 - facing)), color)
    else:
        message = f"There is no picture style “{look.style}”."
        raise InputError("features-option", message, f"Choose {' or '.join(STYLES)}.")
    picture = torch.where(seen, color, color.new_full((), look.background))
    return resize(picture, look.resolution)


def object_pixels(images: ViewImages, views: slice, resolution: int) -> torch.Tensor:
    """Where the pictures of some views show the object, if only in part, bool (n, resolution, resolution)."""
    seen = torch.from_numpy(np.isfinite(images.depth[views]))[:, None]
    return seen[:, 0] if seen.shape[-1] == resolution else resize(seen.float(), resolution)[:, 0] > 0


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
