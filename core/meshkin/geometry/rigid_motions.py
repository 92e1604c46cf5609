"""Rotations, rigid motions and similarities that come nearest to what happened to points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from .arrays import Floats

SAME_PLACE = 1e-4
"""Distance up to which a point and its copy are at the same place, in diagonals of the bounding box. Chosen: what files
that round coordinates leave, a fifth of a millimeter on a person."""
FITTING_ROUNDS = 30
"""How many times :func:`common_similarity` is fitted. Chosen: copies with a tenth of their vertices moved or added need
about ten."""
SIMILARITY_ROUNDS = 10
"""Rounds in which a similarity is fitted, outliers counting less in each. Chosen: it stands still after five or so."""
OUTLIER = 1.5
"""Distance at which a point counts half in them, in medians. Chosen."""
LEAST_SQUARE = 1e-12
"""Least divisor, beside sizes of about 1. Chosen."""


def nearest_rotations(matrices: Floats) -> Floats:
    """The rotation nearest to each matrix, float64 (..., 3, 3)."""
    left, _, right = np.linalg.svd(matrices)
    sign = np.linalg.det(left) * np.linalg.det(right)
    left[..., :, 2] *= np.where(sign < 0, -1.0, 1.0)[..., None]
    rotations: Floats = left @ right
    return rotations


def kabsch(covariance: Floats) -> Rotation:
    """The rotation R that maximizes the sum of ``R x . y`` (Kabsch 1976).

    Args:
        covariance: (3, 3), the sum of ``x y^T`` over centered points x and their goals y.
    """
    left, _, right = np.linalg.svd(covariance.T)
    left[:, 2] *= np.sign(np.linalg.det(left @ right)) or 1.0
    return Rotation.from_matrix(left @ right)


def rigid_alignment(points: Floats, goals: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """The rotation (3, 3) and the shift (3,) that bring points (N, 3) nearest to goals (N, 3), weighted by (N,).

    ``points @ rotation.T - shift`` are the moved points; ``goals + shift`` are the goals beside the turned points.
    """
    share = weight / max(float(weight.sum()), 1e-30)
    center, middle = share @ points, share @ goals
    rotation = nearest_rotations(((goals - middle) * share[:, None]).T @ (points - center))
    return rotation, rotation @ center - middle


def similarity_alignment(points: Floats, goals: Floats) -> tuple[float, Rotation]:
    """The scale and the rotation that bring centered points (N, 3) nearest to centered goals (N, 3).

    The scale is the ratio of the root mean square distances from the mean, 1 where the points have no extent.
    """
    offsets, wanted = points - points.mean(axis=0), goals - goals.mean(axis=0)
    size = float(np.sqrt((offsets**2).sum()))
    scale = float(np.sqrt((wanted**2).sum())) / size if size > 0 else 1.0
    return scale or 1.0, kabsch(offsets.T @ wanted)


@dataclass(frozen=True)
class Similarity:
    """A similarity: points are turned, scaled and shifted.

    Attributes:
        scale: factor of all lengths.
        rotation: float64 (3, 3).
        shift: float64 (3,).
    """

    scale: float
    rotation: Floats
    shift: Floats

    @staticmethod
    def between(points: Floats, goals: Floats) -> Similarity:
        """Return the one that brings points (N, 3) nearest to goals (N, 3) (Umeyama 1991)."""
        scale, turn = similarity_alignment(points, goals)
        rotation = turn.as_matrix()
        return Similarity(scale, rotation, goals.mean(axis=0) - scale * rotation @ points.mean(axis=0))

    def apply(self, points: Floats) -> Floats:
        """Return where points (N, 3) go."""
        return np.asarray(self.scale * points @ self.rotation.T + self.shift)

    def inverse(self) -> Similarity:
        """Return the similarity that leads back."""
        rotation = self.rotation.T
        return Similarity(1 / self.scale, rotation, -rotation @ self.shift / self.scale)


def common_similarity(points: Floats, goals: Floats, tolerance: float, rounds: int = FITTING_ROUNDS) -> Similarity:
    """Return the similarity that brings most points (N, 3) onto their goals (N, 3), whatever happens to the others.

    It is fitted again and again to the half of the points that lie nearest to their goals, or to all within
    ``tolerance`` if these are more (least trimmed squares, Rousseeuw 1984).
    """
    motion = Similarity.between(points, goals)
    for _ in range(rounds):
        distances = np.linalg.norm(motion.apply(points) - goals, axis=1)
        kept = distances <= max(tolerance, float(np.median(distances)))
        if kept.all():
            break
        motion = Similarity.between(points[kept], goals[kept])
    return motion


def robust_similarity(points: Floats, goals: Floats, weight: Floats) -> tuple[Floats, float]:
    """Points (P, 3) moved onto goals (P, 3), weighted by (P,), by a similarity, in which outliers hardly count.

    Returns:
        the moved points (P, 3), and the median distance that is left.
    """
    moved, robust = points, weight
    for _ in range(SIMILARITY_ROUNDS):
        share = robust / robust.sum()
        offsets, wanted = points - share @ points, goals - share @ goals
        turn = kabsch((offsets * share[:, None]).T @ wanted).as_matrix()
        grown = np.sqrt((share @ wanted**2).sum() / max(float((share @ offsets**2).sum()), LEAST_SQUARE))
        moved = grown * offsets @ turn.T + share @ goals
        distance = np.linalg.norm(moved - goals, axis=1)
        robust = weight / (1 + (distance / max(OUTLIER * float(np.median(distance)), LEAST_SQUARE)) ** 2)
    return moved, float(np.median(distance))


def turned_least(start: Floats, end: Floats, vectors: Floats) -> Floats:
    """Vectors (B, 3) turned by the smallest rotations that bring unit vectors ``start`` to ``end``, (B, 3) each."""
    axis = np.cross(start, end)
    sine = np.linalg.norm(axis, axis=1)
    angle = np.arctan2(sine, np.einsum("bd,bd->b", start, end))
    axis = np.divide(axis, sine[:, None], out=np.zeros_like(axis), where=sine[:, None] > 1e-12)
    return np.asarray(Rotation.from_rotvec(axis * angle[:, None]).apply(vectors))
