"""How noisy each step of diffusion is, and what one step of DDPM makes of a noisy value.

Source: Ho et al. 2020 (https://arxiv.org/abs/2006.11239), equations 4, 7 and 15, for steps of any width.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Schedule:
    """The steps of one run.

    Attributes:
        steps: numbers of the steps, noisiest first.
        signal: for each, and at last 1 for the clean end: the share of the variance that is signal (alpha bar).
    """

    steps: tuple[int, ...]
    signal: tuple[float, ...]

    @staticmethod
    def of(steps: Sequence[int], alphas: torch.Tensor) -> Schedule:
        """The schedule of these steps of a model with cumulated alphas (1000,)."""
        return Schedule(tuple(steps), (*(float(alphas[step]) for step in steps), 1.0))

    def noised(self, index: int, clean: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Clean values with the noise of a step."""
        signal = self.signal[index]
        return signal**0.5 * clean + (1 - signal) ** 0.5 * noise

    def clean(self, index: int, noisy: torch.Tensor, prediction: torch.Tensor) -> torch.Tensor:
        """The clean values that a prediction of the noise foresees at a step."""
        signal = self.signal[index]
        return (noisy - (1 - signal) ** 0.5 * prediction) / signal**0.5

    def cleaner(self, index: int, clean: torch.Tensor, noisy: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Values of the next step, out of the distribution that the foreseen and the present ones leave to them."""
        here, there = self.signal[index], self.signal[index + 1]
        step = here / there
        toward = there**0.5 * (1 - step) / (1 - here)
        stay = step**0.5 * (1 - there) / (1 - here)
        deviation = ((1 - there) / (1 - here) * (1 - step)) ** 0.5
        return toward * clean + stay * noisy + deviation * noise


def normal_numbers(seed: int, place: str, shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
    """Standard normal numbers, the same for a seed and a place on every device, whatever was drawn before."""
    digest = hashlib.blake2b(f"{seed} {place}".encode(), digest_size=7).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest, "little"))
    return torch.randn(shape, generator=generator).to(device)
