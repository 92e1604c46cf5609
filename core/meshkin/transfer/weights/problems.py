"""What a transfer of skinning weights lost: bones that are missing, in several places, or on the wrong side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...data.snapshot import Snapshot
from ...geometry.adjacency import bridges, connected_components
from ...geometry.arrays import Floats, Integers
from ...geometry.mesh import clean_faces, edges
from ...geometry.welding import weld


@dataclass(frozen=True)
class ProblemSettings:
    """When a transfer is said to have lost something; all values are chosen.

    Attributes:
        fewest_vertices: bones that rule fewer vertices of the source are not looked at.
        missing: a bone that keeps less than this share of its part of the surface is missing.
        split: a second patch with this share of a bone's vertices means that the bone is in two places.
        fewest_to_split: bones that rule fewer vertices of the source are not checked for a second patch.
    """

    fewest_vertices: int = 5
    missing: float = 0.1
    split: float = 0.2
    fewest_to_split: int = 20


@dataclass(frozen=True)
class WeightProblems:
    """Columns of the weights that a transfer did not carry well, int64 (N,) each, and how much they matter.

    Attributes:
        missing: bones that rule a part of the source and (nearly) none of the target.
        split: bones in one piece on the source and in several on the target.
        crossed: bones that lie on the other side of the bone they mirror.
        missing_share: share of all of the source's weights that the missing bones have, in [0, 1].
    """

    missing: Integers
    split: Integers
    crossed: Integers
    missing_share: float


def find_problems(
    source: Snapshot,
    source_weights: NDArray[np.floating],
    target: Snapshot,
    target_weights: NDArray[np.floating],
    mirror: NDArray[np.integer],
    settings: ProblemSettings = ProblemSettings(),
) -> WeightProblems:
    """Compare which bone rules which part of the two surfaces.

    Args:
        source, target: the two shapes.
        source_weights, target_weights: (U, B) and (V, B).
        mirror: int (B,), the column of the bone on the other side, -1 for none.
        settings: what is tuned.
    """
    count = source_weights.shape[1]
    weights = [np.asarray(rows) for rows in (source_weights, target_weights)]
    shapes, ruling = (source, target), [rows.argmax(axis=1) for rows in weights]
    ruled = np.bincount(ruling[0][weights[0].any(axis=1)], minlength=count)
    source_share, target_share = (
        _ruled_shares(shape, rows, bone) for shape, rows, bone in zip(shapes, weights, ruling, strict=True)
    )
    missing = (ruled >= settings.fewest_vertices) & (target_share < settings.missing * source_share)
    source_second, target_second = (
        _second_patches(shape, bone, count) for shape, bone in zip(shapes, ruling, strict=True)
    )
    split = (source_second < settings.split) & (target_second >= settings.split)
    split &= ~missing & (ruled >= settings.fewest_to_split)
    source_centers, target_centers = (_centers(shape, bone, count) for shape, bone in zip(shapes, ruling, strict=True))
    crossed = _crossed(source_centers, target_centers, mirror, ruled)
    carried = weights[0].sum(axis=0)
    missing_share = float(carried[missing].sum() / max(carried.sum(), 1e-30))
    return WeightProblems(np.flatnonzero(missing), np.flatnonzero(split), np.flatnonzero(crossed), missing_share)


def _ruled_shares(shape: Snapshot, weights: NDArray[np.floating], ruling: Integers) -> Floats:
    """The share of the weighted triangle corners that each bone rules, (B,)."""
    corners = np.bincount(shape.faces.ravel(), minlength=len(ruling)) * weights.any(axis=1)
    return np.asarray(np.bincount(ruling, corners, weights.shape[1]) / max(corners.sum(), 1))


def _second_patches(shape: Snapshot, ruling: Integers, count: int) -> Floats:
    """The share of each bone's vertices in its second largest connected patch, (B,)."""
    first, place = weld(shape.vertices)
    faces = clean_faces(place[shape.faces])
    pairs = np.concatenate((edges(faces), bridges(shape.vertices[first], faces)))
    bone = ruling[first]
    patch = connected_components(pairs[bone[pairs[:, 0]] == bone[pairs[:, 1]]], len(first))
    size = np.bincount(patch)
    patch_bone = np.zeros(len(size), np.int64)
    patch_bone[patch] = bone
    order = np.lexsort((-size, patch_bone))
    ordered_bone = patch_bone[order]
    rank = np.arange(len(size)) - np.searchsorted(ordered_bone, ordered_bone)
    second = np.zeros(count)
    second[ordered_bone[rank == 1]] = size[order][rank == 1]
    return np.asarray(second / np.maximum(np.bincount(bone, minlength=count), 1))


def _centers(shape: Snapshot, ruling: Integers, count: int) -> Floats:
    """The mean place of the vertices that each bone rules, nan where there are none, (B, 3)."""
    ruled = np.bincount(ruling, minlength=count).astype(np.float64)
    ruled[ruled == 0] = np.nan
    return np.stack([np.bincount(ruling, shape.vertices[:, axis], count) / ruled for axis in range(3)], axis=1)


def _crossed(
    source_centers: Floats, target_centers: Floats, mirror: NDArray[np.integer], ruled: Integers
) -> NDArray[np.bool_]:
    """The bones that exchanged sides with the bones they mirror, (B,).

    From every bone to its mirror bone leads a vector; the sum of these vectors is the direction across the body.
    Which way a pair lies along that direction must be the same on both shapes.

    Args:
        source_centers, target_centers: (B, 3), nan for a bone that rules nothing.
        mirror: int (B,), the bone on the other side, -1 for none.
        ruled: int (B,), the number of source vertices that each bone rules.
    """
    count = len(mirror)
    crossed = np.zeros(count, bool)
    first = np.flatnonzero((mirror > np.arange(count)) & (ruled > 0) & (ruled[mirror] > 0))
    finite = np.asarray(np.isfinite(target_centers).all(axis=1))
    first = first[finite[first] & finite[mirror[first]]]
    if len(first) < 2:
        return crossed
    across = [centers[first] - centers[mirror[first]] for centers in (source_centers, target_centers)]
    source_side, target_side = (vectors @ vectors.sum(axis=0) for vectors in across)
    exchanged = first[(source_side > 0) & (target_side < 0)]
    crossed[exchanged] = crossed[mirror[exchanged]] = True
    return crossed
