"""A known texture, and the exact prediction of the noise in its views."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from meshkin.paint.layout import TextureLayout
from meshkin.paint.schedule import Schedule
from meshkin.paint.synchronized import NoisePrediction, PaintPlan
from meshkin.paint.view_maps import ViewMaps

ALPHAS = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2, 0)
"""Of Stable Diffusion 1.5."""


def schedule(steps: int) -> Schedule:
    """A run of so many steps."""
    return Schedule.of([round(step) for step in np.linspace(999, 0, steps + 1)[:-1]], ALPHAS)


def known_texture(layout: TextureLayout, channels: int = 4) -> NDArray[np.float32]:
    """Smooth waves in space, within [0, 1], (K, channels)."""
    places = layout.positions / np.abs(layout.positions).max()
    waves = [
        0.5 + 0.25 * np.sin(4 * places[:, channel % 3] + channel) + 0.25 * np.cos(3 * places[:, (channel + 1) % 3])
        for channel in range(channels)
    ]
    return np.stack(waves, axis=1).astype(np.float32)


def exact(plan_schedule: Schedule, maps: ViewMaps, texture: torch.Tensor, behind: torch.Tensor) -> NoisePrediction:
    """The noise in views of which all is known."""
    clean = torch.where(maps.pixels.shown[:, None], maps.pixels.render(texture), behind)

    def predict(views: torch.Tensor, index: int) -> torch.Tensor:
        signal = plan_schedule.signal[index]
        return (views - signal**0.5 * clean) / (1 - signal) ** 0.5

    return predict


def plan(maps: ViewMaps, steps: int = 10, channels: int = 4, **more: object) -> PaintPlan:
    """A run before a gray background."""
    size = maps.pixels.shown.shape[-1]
    return PaintPlan(schedule(steps), maps, torch.full((1, channels, size, size), 0.5), **more)  # type: ignore[arg-type]


def psnr(one: NDArray[np.floating], two: NDArray[np.floating]) -> float:
    """Of values within [0, 1], in decibels."""
    return float(-10 * np.log10(max(np.mean((one.astype(np.float64) - two) ** 2), 1e-20)))
