"""Affine cameras fitted to points of a surface and their places in a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry.arrays import Floats


@dataclass(frozen=True)
class CameraSettings:
    """How an affine camera is fitted to answers. All values are chosen.

    Attributes:
        trials: cameras that are tried (RANSAC).
        sample: answers that each of these is fitted to.
        reach: distance, in widths of the picture, at which a camera's agreement with an answer is 1/e.
        refinements: steps of reweighted least squares.
        fewest: answers that are needed.
        least_support: share of the answers' weight that must agree with a camera, else it does not count.
    """

    trials: int = 400
    sample: int = 5
    reach: float = 0.06
    refinements: int = 10
    fewest: int = 8
    least_support: float = 0.25


def fit_camera(
    points: Floats,
    normals: Floats,
    positions: Floats,
    weights: Floats,
    settings: CameraSettings = CameraSettings(),
) -> Floats | None:
    """Return the affine camera (4, 2) that shows most points at their positions, facing it; None if few agree.

    RANSAC (Fischler and Bolles 1981), then reweighted least squares.

    Args:
        points: (Q, 4), homogeneous.
        normals: (Q, 3), the surface's normals there.
        positions: (Q, 2), x and y in the picture, in widths of the frame, y pointing down.
        weights: (Q,), how much each point counts.
        settings: number of trials and what counts as agreement.
    """
    if len(points) < settings.fewest:
        return None
    random = np.random.default_rng(0)
    samples = random.choice(len(points), (settings.trials, settings.sample), p=weights / weights.sum())
    center, size = points[:, :3].mean(axis=0), max(float(np.ptp(points[:, :3], axis=0).max()), 1e-12)
    unit = np.column_stack(((points[:, :3] - center) / size, np.ones(len(points))))

    def agreement(camera: Floats) -> Floats:
        distance = np.linalg.norm(unit @ camera - positions, axis=1)
        is_facing = normals @ np.cross(camera[:3, 0], camera[:3, 1]) < 0  # the way in which it looks
        return weights * np.exp(-((distance / settings.reach) ** 2)) * is_facing

    cameras = [np.linalg.pinv(unit[rows]) @ positions[rows] for rows in samples]
    best = max(cameras, key=lambda camera: agreement(camera).sum())
    for _ in range(settings.refinements):
        root = np.sqrt(agreement(best))[:, None]
        best = np.linalg.lstsq(unit * root, positions * root, rcond=None)[0]
    if agreement(best).sum() < settings.least_support * weights.sum():
        return None
    return np.vstack((best[:3] / size, best[3] - center @ best[:3] / size))
