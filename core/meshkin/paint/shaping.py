"""A shape from its views: moved so that its normals follow those that a network reads from painted views.

Each vertex is turned as its surroundings have turned, and as far as the views want it, from the normal that they would
show of the shape as it is to the normal that they show; the positions follow as rigidly as possible. What the normals
do not tell (how large it is, how far away) stays. Sources: Sorkine and Alexa, "As-Rigid-As-Possible Surface Modeling"
(SGP 2007), with the normals in its local step as in Liu and Jacobson, "Normal-Driven Spherical Shape Analogies"
(SGP 2021).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..base.progress import ProgressCallback, silent
from ..data.snapshot import Snapshot
from ..data.views import Passes, Views
from ..features.ray_casting import cast_passes
from ..geometry.arap import RigidSprings, laplacian_springs
from ..geometry.arrays import Flags, Floats, Singles, unit_rows
from ..geometry.laplacian import laplacian
from ..geometry.mesh import face_areas
from ..geometry.welding import place_numbers
from .layout import face_normals

MOST_AWAY = 40.0
"""Degrees that the normals that are read from a view may lie from the shape's on average for the view to count. Chosen:
normals that have nothing to do with it are 60 degrees away, those of details 10 to 20."""
FOLLOWING_ROUNDS = 30
"""Of turning and moving. Chosen."""
NORMALS_COUNT = 4.0
"""How much a normal that is seen counts beside the springs around its vertex. Measured: on a ball with bumps 1 is no
better, and 16 folds it."""
HOLD = 1e-3
"""How strongly each vertex is held where it was, in springs. Measured likewise: with 1e-2 more of the
bumps is left, with 1e-4 it drifts."""


@dataclass(frozen=True)
class Shaped:
    """What became of a shape.

    Attributes:
        offsets: float64 (V, 3), how far each vertex moves.
        accepted: how many of the views fitted the shape.
        turned: share of the area of its faces that came to face the other way: 0 where nothing is folded.
    """

    offsets: Floats
    accepted: int
    turned: float


def accepted(normals: Singles, passes: Passes) -> Flags:
    """Which views fit the shape, bool (N,): normals read from them (N, H, W, 3) beside those of the shape."""
    cosine = np.einsum("nhwk,nhwk->nhw", normals.astype(np.float64), passes.normal.astype(np.float64))
    angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    return np.array(
        [
            bool(inside.any()) and float(away[inside].mean()) <= MOST_AWAY
            for away, inside in zip(angle, np.isfinite(passes.depth), strict=True)
        ]
    )


def follow_normals(shape: Snapshot, views: Views, normals: Singles, report: ProgressCallback = silent) -> Shaped:
    """Move a shape so that its normals follow those of its views.

    Args:
        shape: what was painted.
        views: the N cameras.
        normals: float32 (N, H, W, 3), unit vectors in the cameras' frames, as a network reads them from the views.
        report: told the progress; may raise Cancelled.
    """
    place = place_numbers(shape.vertices)
    _, first = np.unique(place, return_index=True)
    joined = replace(
        shape, vertices=shape.vertices[first], faces=place[shape.faces].astype(shape.faces.dtype), uvs=None
    )
    views = replace(views, resolution=normals.shape[1])
    passes = cast_passes(joined, views, report)
    fits = accepted(normals, passes)
    assert passes.face is not None
    if not fits.any():
        return Shaped(np.zeros(shape.vertices.shape), 0, 0.0)
    chosen = np.flatnonzero(fits)
    rest = joined.vertices.astype(np.float64)
    stiffness, _ = laplacian(rest, joined.faces)
    springs = RigidSprings(rest, *laplacian_springs(stiffness))
    strength = np.maximum(stiffness.diagonal(), 1e-12)
    solve = springs.position_solver(HOLD * strength)
    points = rest
    wanted = _wanted(joined, views.take(chosen.tolist()), passes.face[chosen], normals[chosen])
    pull = NORMALS_COUNT * (strength * _square_around(rest, joined.faces))[:, None, None] * wanted
    for number in range(FOLLOWING_ROUNDS):  # the views are not looked at again, once it has moved: that does not settle
        report("Following the normals", number / FOLLOWING_ROUNDS)
        points = solve(springs.rotations(points, pull), HOLD * strength[:, None] * rest)
    before, after = (face_normals(replace(joined, vertices=each.astype(np.float32))) for each in (rest, points))
    area = face_areas(rest, joined.faces)
    turned = float(area[np.einsum("fk,fk->f", before, after) < 0].sum() / area.sum())
    return Shaped((points - rest)[place], len(chosen), turned)


def _wanted(shape: Snapshot, views: Views, faces: NDArray[np.int32], normals: Singles) -> Floats:
    """For each vertex ``t n^T`` (V, 3, 3), of its normal as it was and the one that the views show there; 0 where they
    do not show it, less where they show it at an angle."""
    count = len(shape.vertices)
    own, toward = np.zeros((count, 3)), np.zeros((count, 3))
    flat, shading = face_normals(shape), shape.normals.astype(np.float64)
    corners = shape.vertices[shape.faces].astype(np.float64)
    for view, face in enumerate(faces):
        shown = face[face >= 0]
        weights = np.asarray(views.barycentric(view, corners, face), np.float64)
        rest = unit_rows(np.einsum("pk,pkd->pd", weights, shading[shown]))
        read = normals[view][face >= 0].astype(np.float64) @ views.rotation[view]
        points = np.einsum("pk,pkd->pd", weights, corners[shown])
        toward_camera = unit_rows(views.center + views.radius * views.distance * views.rotation[view, 2] - points)
        read *= np.where(np.einsum("pd,pd->p", rest, toward_camera) < 0, -1.0, 1.0)[:, None]  # seen from behind
        weights *= np.abs(np.einsum("pd,pd->p", flat[shown], toward_camera))[:, None]
        for corner in range(3):
            vertex, share = shape.faces[shown, corner], weights[:, corner, None]
            for total, values in ((own, rest), (toward, read)):
                np.add.at(total, vertex, share * values)
    lengths = [np.linalg.norm(each, axis=1) for each in (own, toward)]
    seen = (lengths[0] > 1e-9) & (lengths[1] > 1e-9)
    for each, length in zip((own, toward), lengths, strict=True):
        each /= np.maximum(length, 1e-30)[:, None]
    return np.asarray(seen[:, None, None] * toward[:, :, None] * own[:, None, :])


def _square_around(points: Floats, faces: NDArray[np.integer]) -> Floats:
    """The mean square of the lengths of the edges around each vertex (V,)."""
    ends = np.concatenate([faces[:, [i, (i + 1) % 3]] for i in range(3)])
    square = ((points[ends[:, 0]] - points[ends[:, 1]]) ** 2).sum(axis=1)
    shape = (len(points), len(points))
    total = sparse.csr_array((square, (ends[:, 0], ends[:, 1])), shape=shape).sum(axis=1)
    number = sparse.csr_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=shape).sum(axis=1)
    return np.asarray(total / np.maximum(number, 1))
