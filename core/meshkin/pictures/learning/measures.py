"""How far maps that were found are from the true ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


def mean_map(maps: Bytes) -> Bytes:
    """The one color, uint8 (3,), that stands for all maps (N, S, S, 3) best where something is: their mean."""
    shown = maps[maps.any(axis=-1)]
    return shown.mean(axis=0).round().astype(np.uint8) if len(shown) else np.zeros(3, np.uint8)


def error(found: Bytes, truth: Bytes, target: str) -> float:
    """The mean error of maps (N, S, S, 3), over the pixels where something is.

    Of normals the angle between them, degrees; of others the difference of their colors, in [0, 1].
    """
    shown = truth.any(axis=-1)
    if not shown.any():
        return 0.0
    one, other = found[shown].astype(np.float64) / 255, truth[shown].astype(np.float64) / 255
    if target != "normal":
        return float(np.abs(one - other).mean())
    cosine = (_unit(one) * _unit(other)).sum(axis=1)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean())


def unit_of(target: str) -> str:
    """How an error is told."""
    return "°" if target == "normal" else ""


def _unit(colors: NDArray[np.float64]) -> NDArray[np.float64]:
    """The directions (P, 3) that colors stand for."""
    normals = 2 * colors - 1
    return np.asarray(normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9))
