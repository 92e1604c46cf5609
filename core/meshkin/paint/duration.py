"""About how long painting, and learning a subject, take on this machine."""

from __future__ import annotations

import time

import torch

from .settings import ABOVE, PaintSettings
from .subject_learning import SAMPLING_STEPS, SubjectLesson

OPERATIONS = 2.6e12
"""Of one look of Stable Diffusion's UNet with two ControlNets at one latent of 96 x 96. Source: counted for the
networks' published sizes."""
OPERATIONS_SIZE = 768
"""Pixels of the view that :data:`OPERATIONS` is about."""
USED_SHARE = 0.5
"""Share of a processor's rate of large matrix products that the networks reach. Chosen."""
_REFINING_LOOKS = 2
"""Looks of a step that refines: conditioned and not."""
_SAMPLING_LOOKS = 2
"""Looks of a step that makes a picture: with and without the prompt."""
_LEARNING_LOOKS = 3
"""Looks that a step of learning costs for each picture: the way back takes twice as long as the one forth."""
_SIDE, _TIMES = 1024, 3
"""Width of the matrices, and how many products are timed. Chosen."""


def learning_looks(lesson: SubjectLesson) -> int:
    """At how many pictures the networks look while they learn a subject."""
    made = len(lesson.stages) * lesson.own * SAMPLING_STEPS * _SAMPLING_LOOKS
    return made + lesson.steps * (1 + bool(lesson.own)) * _LEARNING_LOOKS


def seconds(settings: PaintSettings, device: torch.device) -> float:
    """About how long a texture takes."""
    rows = (settings.views + ABOVE) * (2 if settings.guidance > 1 else 1)
    looks = settings.steps * rows + settings.refine * _REFINING_LOOKS
    return seconds_of_looks(looks, settings.resolution, device)


def seconds_of_looks(looks: int, resolution: int, device: torch.device) -> float:
    """About how long so many looks of the networks at one picture take, ``resolution`` pixels wide; from a few products
    of large matrices, which take a fraction of a second."""
    one = torch.rand((_SIDE, _SIDE), device=device)
    one @ one
    begin = time.monotonic()
    for _ in range(_TIMES):
        one = one @ one / _SIDE
    float(one.sum())
    rate = _TIMES * 2 * _SIDE**3 / max(time.monotonic() - begin, 1e-6) * USED_SHARE
    return looks * OPERATIONS * (resolution / OPERATIONS_SIZE) ** 2 / rate


def in_words(estimate: float) -> str:
    """About how long, as one would say it."""
    hours, minutes = estimate / 3600, estimate / 60
    return f"{hours:.0f} hours" if hours >= 1.5 else f"{max(1, round(minutes))} minutes"
