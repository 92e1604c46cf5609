"""Pictures and maps as the numbers that a network reads and finds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from .measures import Bytes

SHORTEST = 0.3
"""Length of a found normal under which nothing is there. Chosen: about the chance that something is."""


def tensor(pictures: Sequence[Bytes] | Bytes, device: str | torch.device) -> torch.Tensor:
    """Pictures (S, S, 3), uint8, as numbers in [-1, 1], float32 (B, 3, S, S)."""
    numbers = torch.from_numpy(np.stack(list(pictures)).astype(np.float32)).permute(0, 3, 1, 2)
    return (numbers / 127.5 - 1).to(device)


def pixels(numbers: torch.Tensor) -> Bytes:
    """The inverse of :func:`tensor`, (B, S, S, 3)."""
    shown = ((numbers.permute(0, 2, 3, 1) + 1) * 127.5).round().clamp(0, 255)
    return np.asarray(shown.to(torch.uint8).cpu().numpy())


def map_tensor(maps: Sequence[Bytes] | Bytes, target: str, device: str | torch.device) -> torch.Tensor:
    """Maps, likewise; but where nothing is, normals are zero.

    A network that is not sure whether something is there finds a mean of what may be. Mixed with black, which as a
    normal points away from the camera, that is another direction; mixed with zero, a shorter normal.
    """
    numbers = tensor(maps, device)
    if target == "normal":
        numbers = torch.where((numbers > -1).any(dim=1, keepdim=True), numbers, 0)
    return numbers


def map_pixels(numbers: torch.Tensor, target: str) -> Bytes:
    """The inverse of :func:`map_tensor`; normals have the length one."""
    if target == "normal":
        length = torch.linalg.vector_norm(numbers, dim=1, keepdim=True)
        numbers = torch.where(length > SHORTEST, numbers / length, -1)
    return pixels(numbers)
