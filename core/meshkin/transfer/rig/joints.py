"""The joints of a skeleton, moved from the volume of one body into that of another."""

from __future__ import annotations

from dataclasses import dataclass

import igl
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ...base.progress import ProgressCallback, silent
from ...data.snapshot import Snapshot
from ...data.surface_map import SurfaceMap
from ...geometry.arrays import unit_rows
from ...geometry.coarsening import coarsen
from ...geometry.mean_value import carry_points
from ...geometry.mesh import face_vectors
from ...geometry.rigid_motions import kabsch, similarity_alignment
from ...geometry.welding import weld

Floats = NDArray[np.float64]

SURFACE = 8_000
"""Vertices of the source's surface that joints are expressed by, at most about."""
STEPS = 48
"""Places tried on the way back into the body."""
SHORTEST = 0.25
"""A bone keeps at least this share of its length, the change of scale taken off."""


@dataclass(frozen=True)
class Bones:
    """A skeleton, every parent before its children.

    Attributes:
        heads, tails: float64 (B, 3).
        axes: float64 (B, 3), each bone's Z axis.
        parents: int (B,), -1 for none.
        mirror: int (B,), the bone of the other side, -1 for none.
        column: int (B,), the bone's column of the skin weights, -1 for none.
    """

    heads: Floats
    tails: Floats
    axes: Floats
    parents: NDArray[np.integer]
    mirror: NDArray[np.integer]
    column: NDArray[np.integer]


@dataclass(frozen=True)
class Fitted:
    """A skeleton in the target.

    Attributes:
        heads, tails, axes: float64 (B, 3).
        moved: bool (B,), bones with an end that came to lie outside and was brought back into the body.
        scale: how many times larger the target is, over all.
    """

    heads: Floats
    tails: Floats
    axes: Floats
    moved: NDArray[np.bool_]
    scale: float


def fit_joints(
    bones: Bones,
    weights: NDArray[np.floating],
    source: Snapshot,
    target: Snapshot,
    to_target: SurfaceMap,
    report: ProgressCallback = silent,
) -> Fitted:
    """Move a skeleton with the surface around it.

    Each joint is expressed by the whole surface of the source, what is near and around it counting most (mean value
    coordinates: Ju, Schaefer and Warren, "Mean Value Coordinates for Closed Triangular Meshes", SIGGRAPH 2005), and
    the same mixture of the mapped surface is its new place. So ends that coincide still do, helpers and poles beside
    the body move along, and errors of the map average out. Then the two sides' bones are given equal lengths, what
    was inside and is no longer is brought back, and each bone is turned about itself as its skin is (Kabsch 1976).

    Args:
        bones: in the source's frame, in the pose that ``source`` shows.
        weights: (U, C), skin weights of the source's vertices.
        source, target: the two shapes.
        to_target: every source vertex's point on the target.
        report: told the share done; may raise Cancelled.

    Returns:
        the skeleton in the target's frame.
    """
    mapped = to_target.pull(target.vertices, target.faces)
    coarse = coarsen(source.vertices, source.faces, SURFACE)
    places = coarse.vertices
    moved_places = mapped[coarse.vertex]
    if len(places) < len(np.unique(source.faces)):
        # A proxy's vertices lie beside the originals that stand for them.
        offset = places - source.vertices[coarse.vertex]
        moved_places = moved_places + similarity_alignment(places, moved_places)[0] * offset
    ends, end = weld(np.concatenate((bones.heads, bones.tails)))
    both = np.concatenate((bones.heads, bones.tails))[ends]
    heads, tails = np.split(
        carry_points(both, places, coarse.faces, moved_places, lambda share: report("Placing joints", share))[end], 2
    )
    scale, _ = similarity_alignment(places, moved_places)
    turns = _turns(bones, weights, np.asarray(source.vertices, np.float64), mapped)
    heads, tails = _lengths(bones, heads, tails, scale)
    heads, tails, moved = _inside(bones, heads, tails, source, target, scale)
    along = unit_rows(tails - heads)
    axes = _turned(turns.apply(_unit(bones.tails - bones.heads)), along, turns.apply(bones.axes))
    axes = unit_rows(axes - np.einsum("bd,bd->b", axes, along)[:, None] * along)
    return Fitted(heads, tails, axes, moved, scale)


def _turns(bones: Bones, weights: NDArray[np.floating], vertices: Floats, mapped: Floats) -> Rotation:
    """How the skin of each bone is turned by the map; a bone with little skin turns as its parent, or as all."""
    _, whole = similarity_alignment(vertices, mapped)
    turns = np.empty((len(bones.heads), 4))
    for bone, (parent, column) in enumerate(zip(bones.parents, bones.column, strict=True)):
        turns[bone] = turns[parent] if parent >= 0 else whole.as_quat()
        if column < 0:
            continue
        here = np.flatnonzero(weights[:, column] > 0.05)
        if len(here) < 12:
            continue
        weight = weights[here, column].astype(np.float64)
        one = vertices[here] - weight @ vertices[here] / weight.sum()
        two = mapped[here] - weight @ mapped[here] / weight.sum()
        turns[bone] = kabsch((weight[:, None] * one).T @ two).as_quat()
    return Rotation.from_quat(turns)


def _lengths(bones: Bones, heads: Floats, tails: Floats, scale: float) -> tuple[Floats, Floats]:
    """Give bones of both sides one length, and none hardly any; all that hangs on a bone moves with its tail."""
    old = np.linalg.norm(bones.tails - bones.heads, axis=1)
    new = np.linalg.norm(tails - heads, axis=1)
    paired = bones.mirror >= 0
    wanted = np.where(paired, (new + new[bones.mirror]) / 2, new)
    wanted = np.maximum(wanted, SHORTEST * scale * old)
    along = np.where(new[:, None] > 0, unit_rows(tails - heads), unit_rows(bones.tails - bones.heads))
    shift, moved_heads, moved_tails = np.zeros_like(heads), heads.copy(), tails.copy()
    for bone, parent in enumerate(bones.parents):
        if parent >= 0:
            # What sits at the parent's head stays there, what sits at its tail follows it.
            span = np.linalg.norm(bones.tails[parent] - bones.heads[parent])
            gone = np.linalg.norm(bones.heads[bone] - bones.heads[parent])
            share = min(gone / span, 1.0) if span > 0 else 1.0
            start = moved_heads[parent] - heads[parent]
            shift[bone] = start + share * (moved_tails[parent] - tails[parent] - start)
        moved_heads[bone] = heads[bone] + shift[bone]
        moved_tails[bone] = moved_heads[bone] + wanted[bone] * along[bone]
    return moved_heads, moved_tails


def _inside(
    bones: Bones, heads: Floats, tails: Floats, source: Snapshot, target: Snapshot, scale: float
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Bring back into the target what was inside the source; ends that coincide still do."""
    was = np.concatenate((bones.heads, bones.tails))
    now = np.concatenate((heads, tails))
    vertices, faces = np.asarray(target.vertices, np.float64), target.faces.astype(np.int64)
    surface, triangles = source.vertices.astype(np.float64), source.faces.astype(np.int64)
    kept = igl.fast_winding_number(surface, triangles, was) > 0.5
    out = np.flatnonzero(kept & (igl.fast_winding_number(vertices, faces, now) < 0.55))
    if len(out):
        depth = np.sqrt(np.maximum(igl.point_mesh_squared_distance(was[out], surface, triangles)[0], 0))
        now[out] = into(now[out], scale * depth, vertices, faces)
    moved = np.zeros(len(now), bool)
    moved[out] = True
    one, two = np.split(now, 2)
    return one, two, np.logical_or(*np.split(moved, 2))


def into(points: Floats, depth: Floats, vertices: Floats, faces: NDArray[np.integer]) -> Floats:
    """Points outside a surface, brought into the body behind the nearest place on it.

    From there straight inwards, by ``depth`` (N,) or half of the way that is inside, whichever is less; where none
    is, to the place itself.
    """
    _, face, at = igl.point_mesh_squared_distance(points, vertices, faces)
    inward = -unit_rows(face_vectors(vertices, faces[face]))
    reach = 0.25 * float(np.linalg.norm(np.ptp(vertices, axis=0)))
    # Finely near the surface: fingers are thin.
    steps = reach * (np.arange(1, STEPS + 1) / STEPS) ** 2
    tried = at[:, None] + steps[None, :, None] * inward[:, None]
    within = igl.fast_winding_number(vertices, faces, tried.reshape(-1, 3)).reshape(len(points), STEPS) > 0.55
    # The first stretch that is inside.
    started = np.cumsum(within, axis=1) > 0
    ended = np.cumsum(started & ~within, axis=1) > 0
    stretch = started & ~ended
    last = np.where(stretch, steps, 0).max(axis=1)
    first = np.where(stretch, steps, reach).min(axis=1)
    gone = np.where(stretch.any(axis=1), np.clip(depth, first, np.maximum((first + last) / 2, first)), 0)
    return np.asarray(at + gone[:, None] * inward)


def _turned(start: Floats, end: Floats, vectors: Floats) -> Floats:
    """Vectors turned by the least turns that bring unit vectors ``start`` to ``end``."""
    axis = np.cross(start, end)
    sine = np.linalg.norm(axis, axis=1)
    angle = np.arctan2(sine, np.einsum("bd,bd->b", start, end))
    axis = np.divide(axis, sine[:, None], out=np.zeros_like(axis), where=sine[:, None] > 1e-12)
    return np.asarray(Rotation.from_rotvec(axis * angle[:, None]).apply(vectors))


def _unit(vectors: Floats) -> Floats:
    return np.asarray(unit_rows(vectors))
