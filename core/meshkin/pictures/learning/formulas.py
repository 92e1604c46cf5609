"""A diffusion model that goes from a picture to its map, with the picture in the place of the noise.

Between a map y and its picture x lie the blends ``sqrt(a) y + sqrt(1 - a) x``, where a is the share of the signal that
the model's schedule has at a step. The network is taught their velocity ``sqrt(a) x - sqrt(1 - a) y``. To find a map,
five steps lead back from the picture. No noise is drawn: one picture always gives one map.

Source: Lee, Tsai and Yang, "Exploiting Diffusion Prior for Generalizable Dense Prediction" (CVPR 2024,
https://arxiv.org/abs/2311.18832) and its code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from diffusers import DDIMScheduler

MAP_STEPS = 5
"""From a picture to its map. Published: one step fails on arbitrary pictures, more than five gain little."""
SCHEDULE: Mapping[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
}
"""The schedule of Stable Diffusion 1.x."""
WITHOUT_REST: Mapping[str, Any] = {**SCHEDULE, "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
"""The same, but at the last step nothing of the map is left in the blend. In the published one a fifth of it is left
where the steps begin, though a picture alone has nothing of it: a model that has seen no other pictures learns to read
the map from that (tests/benchmarks/results/picture_learning.txt). Source: Lin et al., "Common
Diffusion Noise Schedules and Sample Steps are Flawed" (WACV 2024, https://arxiv.org/abs/2305.08891)."""

Velocity = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""A network: from blends (B, C, h, w) and their steps (B,) to velocities (B, C, h, w)."""


def scheduler(settings: Mapping[str, Any] = SCHEDULE) -> DDIMScheduler:
    """The schedule of a model, for velocities; the last step leads to the map itself."""
    fixed = {"prediction_type": "v_prediction", "clip_sample": False, "set_alpha_to_one": True}
    made: DDIMScheduler = DDIMScheduler.from_config({**settings, **fixed})
    return made


def blend(schedule: DDIMScheduler, maps: torch.Tensor, pictures: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """The blends of maps and pictures (B, C, h, w) at some steps of the schedule (B,)."""
    blended: torch.Tensor = schedule.add_noise(maps, pictures, steps)
    return blended


def velocity(schedule: DDIMScheduler, maps: torch.Tensor, pictures: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """The velocities of these blends: what the network is taught."""
    taught: torch.Tensor = schedule.get_velocity(maps, pictures, steps)
    return taught


def found(schedule: DDIMScheduler, blends: torch.Tensor, told: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """The maps (B, C, h, w) that blends and their velocities ``told`` stand for at some steps (B,)."""
    signal = schedule.alphas_cumprod.to(blends)[steps].view(-1, 1, 1, 1)
    return signal.sqrt() * blends - (1 - signal).sqrt() * told


def velocity_to(schedule: DDIMScheduler, maps: torch.Tensor, blends: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """The velocities with which blends stand for these maps: the inverse of :func:`found`."""
    signal = schedule.alphas_cumprod.to(blends)[steps].view(-1, 1, 1, 1)
    return (signal.sqrt() * blends - maps) / (1 - signal).sqrt()


def steps_of(schedule: DDIMScheduler, steps: int = MAP_STEPS) -> list[int]:
    """The steps of the schedule that lead from a picture to its map, in so many."""
    schedule.set_timesteps(steps)
    numbers: list[int] = schedule.timesteps.tolist()
    return numbers


@torch.no_grad()
def partway(
    network: Velocity, schedule: DDIMScheduler, start: torch.Tensor, done: int, steps: int = MAP_STEPS
) -> torch.Tensor:
    """What a network has made of pictures (B, C, h, w) after ``done`` of the steps, by the ordinary step (DDIM)."""
    current = start
    for step in steps_of(schedule, steps)[:done]:
        told = network(current, torch.full((len(start),), step, device=start.device))
        current = schedule.step(told, step, current).prev_sample
    return current


@torch.no_grad()
def translate(
    network: Velocity, schedule: DDIMScheduler, start: torch.Tensor, steps: int = MAP_STEPS, keep: bool = False
) -> torch.Tensor:
    """The maps that a network finds.

    Args:
        network: the network.
        schedule: of the model.
        start: (B, C, h, w), the pictures.
        steps: how many.
        keep: whether each step takes the picture itself, as published; else what the network makes of it, which is the
            ordinary step (DDIM) and what the published code does.

    Returns:
        (B, C, h, w).
    """
    if not keep:
        return partway(network, schedule, start, steps, steps)
    numbers = steps_of(schedule, steps)
    current, signal = start, schedule.alphas_cumprod.to(start)
    for step, following in zip(numbers, [*numbers[1:], None], strict=True):
        at = torch.full((len(start),), step, device=start.device)
        current = found(schedule, current, network(current, at), at)
        if following is not None:
            current = signal[following].sqrt() * current + (1 - signal[following]).sqrt() * start
    return current
