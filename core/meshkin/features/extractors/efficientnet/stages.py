"""The stages of an EfficientNet-Lite: known without loading it."""

from __future__ import annotations

from collections.abc import Sequence

from ....base.errors import InputError

STRIDES = (2, 4, 8, 16, 16, 32, 32)
"""Pixels along a cell of each stage's map (Tan and Le 2019, https://arxiv.org/abs/1905.11946, table 1)."""


def check_stages(stages: Sequence[int]) -> None:
    """Raise InputError ``features-option`` unless ``stages`` are ascending numbers from 0 to 6."""
    if not stages or list(stages) != sorted(set(stages)) or not 0 <= stages[0] <= stages[-1] < len(STRIDES):
        raise InputError(
            "features-option",
            f"EfficientNet-Lite has no stages {', '.join(map(str, stages)) or '(none given)'}.",
            f"Give ascending numbers from 0 to {len(STRIDES) - 1}.",
        )
