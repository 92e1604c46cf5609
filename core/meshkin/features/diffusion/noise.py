"""The random numbers of diffusion: the same for a view on every device, whatever else is in the batch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray


@dataclass(frozen=True)
class Noise:
    """The random numbers of n views, float32, in the shape of a latent (4, h, w) each.

    Attributes:
        posterior: (n, 4, h, w), with which the encoder's distribution is sampled; None for its mean.
        start: (n, 4, h, w), added to the latents.
        steps: (n, S, 4, h, w), added again at each of S steps; None where the steps are deterministic.
    """

    posterior: torch.Tensor | None
    start: torch.Tensor
    steps: torch.Tensor | None

    @staticmethod
    def draw(seeds: Sequence[int], size: tuple[int, int], steps: int = 0, posterior: bool = False) -> Noise:
        """Noise for views with the given seeds.

        Args:
            seeds: one for each view.
            size: (h, w) of a latent.
            steps: how many steps need noise.
            posterior: whether the encoder's distribution is sampled.
        """
        count = 1 + steps + posterior
        drawn = torch.stack([_normal(seed, (count, 4, *size)) for seed in seeds])
        first = int(posterior)
        return Noise(drawn[:, 0] if posterior else None, drawn[:, first], drawn[:, first + 1 :] if steps else None)


def view_seed(seed: int, direction: NDArray[np.floating]) -> int:
    """The seed of the view from ``direction`` (3,): neither the order of the views nor the batch changes it."""
    place = np.round(np.asarray(direction, np.float64), 4) + 0.0
    return int.from_bytes(hashlib.blake2b(place.tobytes() + seed.to_bytes(8, "little"), digest_size=7).digest())


def _normal(seed: int, shape: tuple[int, ...]) -> torch.Tensor:
    """Standard normal numbers, drawn one latent after the other as a diffusion pipeline does on a CPU."""
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randn(shape[1:], generator=generator) for _ in range(shape[0])])
