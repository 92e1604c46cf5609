"""Shapes with features, for tests of matching."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from meshkin.data.snapshot import Snapshot
from meshkin.matching.surfaces import DescribedSurface


def described(shape: Snapshot, features: NDArray[Any], confidence: NDArray[Any] | None = None) -> DescribedSurface:
    """A shape with features, which are trusted everywhere unless a confidence is given."""
    return DescribedSurface(shape, features, np.ones(len(features)) if confidence is None else confidence)
