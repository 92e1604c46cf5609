"""What is wrong with a fitted skeleton: bones that cannot be where they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...data.snapshot import Snapshot
from ...data.surface_map import SurfaceMap
from ...geometry.arrays import Floats, unit_rows
from ...geometry.closest_points import closest_points
from ...geometry.mesh import bounding_diagonal
from ...geometry.rigid_motions import turned_least
from .interior import winding_numbers
from .joints import FittedSkeleton
from .rest_skeleton import RestSkeleton

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class JointProblemSettings:
    """When a bone is astray.

    Measured on pairs of characters whose true joints are known: of those fitted to 3 % of the height and better
    (people, adventurers) no bone is astray by these values, of those with limbs that run to other limbs (dog to fox,
    horse to panda, wolf to horse) 11 to 32 % are.

    Attributes:
        longest, shortest: a bone is as long as no bone of its kind is if its length, in those that it had at the
            target's size, is above or below these; ``shortest`` beside its parent and child, which may be short, too.
        shrunken: but not if the median bone is shorter than this: a skeleton shrinks where the map is wrong everywhere.
        turned: least cosine between a bone's direction and the one that it had.
        following: but a bone is not astray that, turned as its parent, comes to this cosine: a tail may curl up.
        away: a bone may be this much farther from what it moves than on the source, in the target's diagonals.
        crossed: a bone crosses to the other side if it lies by this beyond the middle, in the target's diagonals.
        outside: a joint is outside if it lies by this beyond the surface, in the target's diagonals.
        fewest_vertices: bones whose weights sum to less are not judged.
    """

    longest: float = 2.0
    shortest: float = 0.35
    shrunken: float = 0.6
    turned: float = -0.25
    following: float = 0.5
    away: float = 0.1
    crossed: float = 0.01
    outside: float = 0.02
    fewest_vertices: float = 1.0


@dataclass(frozen=True)
class JointProblems:
    """Which bones have which problem, bool (B,) each.

    Attributes:
        judged: bones that move enough of the source to be judged.
        length: as long as no bone of its kind.
        turned: they point where they cannot.
        away: far from what they move.
        crossed: on the other side of the bone that they mirror.
        outside: with an end outside of the body that was inside on the source; also of bones that are not judged.
    """

    judged: Mask
    length: Mask
    turned: Mask
    away: Mask
    crossed: Mask
    outside: Mask

    @property
    def astray(self) -> Mask:
        """The judged bones that cannot be where they are, bool (B,)."""
        return self.judged & (self.length | self.turned | self.away | self.crossed)

    @property
    def share(self) -> float:
        """The share of the judged bones that are astray."""
        return float(self.astray.sum() / max(self.judged.sum(), 1))


def find_joint_problems(
    skeleton: RestSkeleton,
    fitted: FittedSkeleton,
    weights: NDArray[np.floating],
    shapes: tuple[Snapshot, Snapshot],
    to_source: SurfaceMap,
    turn: Floats,
    settings: JointProblemSettings = JointProblemSettings(),
) -> JointProblems:
    """Compare a fitted skeleton with the one that it comes from.

    Args:
        skeleton: in the source.
        fitted: in the target.
        weights: (U, C), the source's skinning weights.
        shapes: source and target.
        to_source: every target vertex's point on the source.
        turn: (3, 3), how the target stands turned to the source.
        settings: from which values on.
    """
    source, target = shapes
    diagonal = bounding_diagonal(target.vertices)
    before, after = (skeleton.spans(bones.heads, bones.tails) for bones in (skeleton, fitted))
    growth = np.linalg.norm(after, axis=1) / np.maximum(fitted.scale * np.linalg.norm(before, axis=1), 1e-30)
    rows = to_source.pull(weights, source.faces)
    moved_before, judged = _centers(skeleton.column, weights, source.vertices, settings.fewest_vertices)
    moved_after, is_moved = _centers(skeleton.column, rows, target.vertices, settings.fewest_vertices)
    cosines = _cosines(skeleton.parents, before @ turn.T, after)
    usual_growth = np.ones(len(growth))
    if judged.any() and np.median(growth[judged]) > settings.shrunken:
        usual_growth = np.minimum(np.append(growth, 1.0)[_relatives(skeleton.parents)].max(axis=1), 1)
    distance = _distances(moved_after, fitted.heads, after)
    usual = fitted.scale * _distances(moved_before, skeleton.heads, before)
    return JointProblems(
        judged,
        (growth > settings.longest) | (growth < settings.shortest * usual_growth),
        (cosines[0] < settings.turned) & (cosines[1] < settings.following),
        is_moved & (distance - usual > settings.away * diagonal),
        _crossed(skeleton.mirror, (skeleton.heads + before / 2, fitted.heads + after / 2), settings.crossed * diagonal),
        _outside(skeleton, fitted, shapes, settings.outside * diagonal),
    )


def _relatives(parents: NDArray[np.integer]) -> NDArray[np.integer]:
    """Each bone's parent and the first of its children, (B, 2); B, the bone after the last, for none."""
    count = len(parents)
    child = np.full(count, count)
    for bone in range(count - 1, -1, -1):
        if parents[bone] >= 0:
            child[parents[bone]] = bone
    return np.stack((np.where(parents >= 0, parents, count), child), axis=1)


def _cosines(parents: NDArray[np.integer], before: Floats, after: Floats) -> tuple[Floats, Floats]:
    """How far each bone's direction changed, as cosines (B,): in itself, and beside the least turn that its parent's
    direction took.

    Args:
        parents: (B,), -1 for none.
        before, after: (B, 3), where the bones led and lead.
    """
    start, end = unit_rows(before), unit_rows(after)
    has_parent = parents >= 0
    turned = start.copy()
    turned[has_parent] = turned_least(start[parents[has_parent]], end[parents[has_parent]], start[has_parent])
    return np.einsum("bd,bd->b", start, end), np.einsum("bd,bd->b", turned, end)


def _centers(
    column: NDArray[np.integer], weights: NDArray[np.floating], vertices: NDArray[np.floating], least: float
) -> tuple[Floats, Mask]:
    """The weighted mean of the vertices that each bone moves (B, 3), and which bones have that much weight (B,)."""
    sums = np.asarray(weights, np.float64).sum(axis=0)
    means = (np.asarray(weights, np.float64).T @ vertices) / np.maximum(sums, 1e-30)[:, None]
    means, sums = np.vstack((means, np.zeros((1, 3)))), np.append(sums, 0.0)  # column -1: no weights
    return means[column], sums[column] > least


def _distances(points: Floats, heads: Floats, along: Floats) -> Floats:
    """The distance of each point (B, 3) from its bone, which leads from its head along a vector (B, 3): (B,)."""
    share = np.einsum("bd,bd->b", points - heads, along) / np.maximum(np.einsum("bd,bd->b", along, along), 1e-30)
    return np.asarray(np.linalg.norm(points - heads - np.clip(share, 0, 1)[:, None] * along, axis=1))


def _crossed(mirror: NDArray[np.integer], middles: tuple[Floats, Floats], least: float) -> Mask:
    """The bones that exchanged sides with the bones that they mirror, by more than a length, (B,).

    Args:
        mirror: (B,), the bone of the other side, -1 for none.
        middles: (B, 3), the bones' middles before and after.
        least: the length.
    """
    crossed = np.zeros(len(mirror), bool)
    first = np.flatnonzero(mirror > np.arange(len(mirror)))
    if not len(first):
        return crossed
    across = []
    for middle in middles:
        vectors = middle[first] - middle[mirror[first]]
        across.append(vectors @ unit_rows(vectors.sum(axis=0)))
    exchanged = first[(across[0] * across[1] < 0) & (np.abs(across[1]) > least)]
    crossed[exchanged] = crossed[mirror[exchanged]] = True
    return crossed


def _outside(skeleton: RestSkeleton, fitted: FittedSkeleton, shapes: tuple[Snapshot, Snapshot], least: float) -> Mask:
    """The bones with an end that was inside and is outside, farther from the surface than a length, (B,). Stubs end
    nowhere."""
    source, target = shapes
    before, after = (np.concatenate((bones.heads, bones.tails)) for bones in (skeleton, fitted))
    outside = winding_numbers(after, target.vertices, target.faces) < 0.5
    outside &= winding_numbers(before, source.vertices, source.faces) > 0.5
    outside &= np.append(np.ones(len(skeleton.heads), bool), ~skeleton.stubs())
    if outside.any():
        square = closest_points(after[outside], target.vertices, target.faces).square
        outside[outside] = square > least**2
    return np.logical_or(*np.split(outside, 2))
