"""The scale and shift that turn a network's depth, known up to both, into depth in the scene's units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..data.photo_map import PhotoMap
from ..geometry.arrays import AnyFloats, Floats

_TRIALS = 500
"""Pairs of points that are tried. Chosen: with half of the points wrong, all would miss once in 1e62."""
_MOST_POINTS = 20_000
"""Points that are looked at. Chosen: more do not change a line."""
_ROUNDS = 20
"""Rounds of reweighted least squares. Chosen: it has settled long before."""
_TUKEY = 4.685
"""Standard deviations beyond which a point does not count (Tukey's biweight, for 95 % efficiency)."""
_MAD_TO_DEVIATION = 1.4826
"""From the median of absolute deviations to the standard deviation of a normal distribution."""
FEWEST_POINTS = 16
"""Points without which nothing is fitted. Chosen."""


@dataclass(frozen=True)
class DepthFit:
    """``scale * predicted + shift`` is the depth.

    Attributes:
        scale, shift: in the units of the true depth.
        error: median of the absolute deviations.
        inliers: share of the points that count.
    """

    scale: float
    shift: float
    error: float
    inliers: float


def fit_to_match(depth: AnyFloats, photo_map: PhotoMap, vertices: AnyFloats) -> DepthFit | None:
    """The scale and shift that turn a photograph's depth into distance along the camera's direction, in units of the
    vertices, counted from the nearest point that is matched; None where no depth fits.

    Args:
        depth: (H, W), as a network has read it.
        photo_map: the photograph's match.
        vertices: (V, 3), of the surface.
    """
    direction = photo_map.view_direction
    if not photo_map.mask.any():
        return None
    away = photo_map.pull(vertices) @ (direction / np.linalg.norm(direction))
    weights = photo_map.confidence[photo_map.mask].astype(np.float64)
    return fit_depth(np.asarray(depth[photo_map.mask], np.float64), away - away.min(), weights)


def fit_depth(predicted: Floats, true: Floats, weights: Floats) -> DepthFit | None:
    """The scale and shift that fit most points; None where no positive scale does.

    The pair of points whose line has the least median deviation (Rousseeuw 1984), then least squares reweighted by
    Tukey's biweight: up to half of the points may be matched to a wrong place.

    Args:
        predicted: (P,), growing away from the camera.
        true: (P,), distance along the camera's direction.
        weights: (P,), how much each point counts, 0 or more.
    """
    use = np.isfinite(predicted) & np.isfinite(true) & (weights > 0)
    if use.sum() < FEWEST_POINTS:
        return None
    rows = np.flatnonzero(use)
    rows = rows[:: max(1, len(rows) // _MOST_POINTS)]
    x, y, weight = (np.asarray(values[rows], np.float64) for values in (predicted, true, weights))
    random = np.random.default_rng(0)
    first, second = random.choice(len(x), (2, _TRIALS), p=weight / weight.sum())
    apart = x[second] - x[first]
    usable = np.abs(apart) > 1e-9
    slopes = (y[second] - y[first])[usable] / apart[usable]
    lines = [
        (slope, y[start] - slope * x[start]) for slope, start in zip(slopes, first[usable], strict=True) if slope > 0
    ]
    if not lines:
        return None
    scale, shift = min(lines, key=lambda line: float(np.median(np.abs(line[0] * x + line[1] - y))))
    counted = weight
    for _ in range(_ROUNDS):
        away = np.abs(scale * x + shift - y)
        reach = max(_TUKEY * _MAD_TO_DEVIATION * float(np.median(away)), 1e-12)
        counted = weight * np.clip(1 - (away / reach) ** 2, 0, None) ** 2
        root = np.sqrt(counted)
        scale, shift = np.linalg.lstsq(np.column_stack((x, np.ones(len(x)))) * root[:, None], y * root, rcond=None)[0]
    if not scale > 0:
        return None
    error = float(np.median(np.abs(scale * x + shift - y)))
    return DepthFit(float(scale), float(shift), error, float((counted > 0).mean()))
