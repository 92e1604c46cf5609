"""Triangles that a carried displacement turns over and the source's does not, solved again as the source deforms."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from ...geometry.arrays import AnyIntegers, Flags, Floats, Integers
from ...geometry.gradients import barycentric_gradients
from ...geometry.laplacian import factorized
from ...geometry.mesh import face_vectors
from ...geometry.rigid_motions import nearest_rotations
from ...geometry.welding import weld
from .lookup import MappedMesh

HOLDS = (0.1, 0.01, 0.0, 0.0, 0.0, 0.0)
"""How strongly vertices of such triangles keep their displacements, against the source's gradients, in squared lengths
of edges; weaker from one solution to the next. Where it stays the same, the triangles around are solved for, too.
Chosen."""
SQUASHED = 0.03
"""A triangle of which no more than this share of its area is left, seen from where it faced, is solved for, too.
Chosen."""
SOUND_SHARE = 0.75
"""Triangles that are turned over where at least this share of the source's below them is not are solved for, too, if no
vertex moves far then. Chosen: one sliver inside of a mouth is no reason for a lip to turn over."""
FARTHEST_MOVE = 0.2
"""How far that is, in the largest displacement. Measured on ten expressions of seven heads: without a bound a vertex
inside of a mouth goes astray, with 0.1 more triangles stay turned over."""
TURNED_COUNT = 1e-3
"""How much a turned triangle of the source counts beside others in how the target's deforms. Chosen."""
MOST_TURNED = 4000
"""Where more triangles are turned over, they stay so: to solve would take long. Chosen."""
MOST_TURNED_SHARE = 0.05
"""Where a larger share of all triangles is turned over, they stay so, too, and are told: the match is poor. Chosen: at
lids and lips it is far less than 1 %."""
PLACES = np.array([[2, 2, 2], [4, 1, 1], [1, 4, 1], [1, 1, 4]], np.float32) / np.float32(6)
"""Where in a triangle the source is looked at. Chosen."""


@dataclass(frozen=True)
class _Round:
    """What is solved for again.

    Attributes:
        left: triangles of which no more than this share of their area is left, seen from where they faced,
        sound: while the source has more left at this share of :data:`PLACES`;
        farthest: and how far a vertex may move then, in the largest displacement.
    """

    left: float
    sound: float = 1.0
    farthest: float = np.inf


SOLVED_AGAIN = (_Round(0.0), _Round(0.0, SOUND_SHARE, FARTHEST_MOVE), _Round(SQUASHED))
"""What is solved for again, in turn."""


def without_inversions(
    mapped: MappedMesh, rotation: Floats, offsets: Floats, displacements: Floats, kept: Flags
) -> Floats:
    """Displacements (V, 3) that turn over no triangle that the source's offsets do not, where that can be.

    At lids and lips, a vertex that is mapped a little across the gap moves with the other side and turns triangles
    over. The vertices of such triangles are solved for again: their triangles are to deform as the source's do there
    (deformation transfer, Sumner and Popović 2004), while all other vertices stay where they are.

    Args:
        mapped: the target, the source and the map.
        rotation: (V, 3, 3), how the surface around each target vertex is turned onto the source's.
        offsets: (U, 3), of the source's vertices.
        displacements: (V, 3), of the target's.
        kept: (V,), target vertices whose displacements stay.
    """
    # Lips that touch are no seam: they part.
    first, place = weld(np.column_stack((mapped.target.vertices.astype(np.float64), displacements)))
    faces = place[mapped.target.faces]
    vertices = mapped.target.vertices[first].astype(np.float64)
    best = displacements[first]
    everywhere = np.arange(len(faces))

    def wrong(displacement: Floats, what: _Round, among: Integers = everywhere) -> Integers:
        return _wrong(mapped, faces, vertices, displacement, offsets, among, what)

    most = min(MOST_TURNED, MOST_TURNED_SHARE * len(faces))
    longest = np.linalg.norm(best, axis=1).max(initial=0)
    for what in SOLVED_AGAIN:
        turned = replace(what, left=0.0)
        start, found = best, wrong(best, what)
        fewest = len(wrong(best, turned)), len(found)
        free = np.zeros(len(first), bool)
        for number, hold in enumerate(HOLDS if 0 < len(found) <= most else ()):
            free[faces[found]] = True
            if number and hold == HOLDS[number - 1]:
                free[faces[free[faces].any(axis=1)]] = True
            free &= ~kept[first]
            if not free.any():
                break
            touched = np.flatnonzero(free[faces].any(axis=1))
            wanted = _source_gradients(mapped, rotation, offsets, touched)
            displacement = _solved(vertices, faces[touched], free, start, wanted, hold)
            if np.linalg.norm(displacement - start, axis=1).max() > what.farthest * longest:
                break
            found = wrong(displacement, what, touched)
            if (count := (len(wrong(displacement, turned)), len(found))) < fewest:
                best, fewest = displacement, count
            if not len(found):
                break
    return np.asarray(best[place])


def _wrong(  # what, where, and how much
    mapped: MappedMesh,
    faces: Integers,
    vertices: Floats,
    displacement: Floats,
    offsets: Floats,
    among: Integers,
    what: _Round,
) -> Integers:
    """Which of some triangles have no more than a share of their area left while the source's surface has."""
    lost = among[_left(vertices, faces[among], displacement) <= what.left]
    there = _source_triangles(mapped, lost)
    source = mapped.source
    left_there = _left(source.vertices.astype(np.float64), source.faces[there.ravel()], offsets)
    return lost[(left_there.reshape(there.shape) > what.left).mean(axis=1) >= what.sound]


def _left(vertices: Floats, faces: AnyIntegers, displacement: Floats) -> Floats:
    """The share of each triangle's area that is left, seen from where it faced: negative where it is turned over."""
    before, after = face_vectors(vertices, faces), face_vectors(vertices + displacement, faces)
    area = np.einsum("fd,fd->f", before, before)
    return np.divide(np.einsum("fd,fd->f", before, after), area, out=np.ones(len(area)), where=area > 0)


def _source_triangles(mapped: MappedMesh, triangles: Integers) -> Integers:
    """The source's triangles that places in some of the target's come from, (N, 4)."""
    count = len(PLACES)
    face, _ = mapped.carrier.carry(np.repeat(triangles, count), np.tile(PLACES, (len(triangles), 1)))
    return face.astype(np.int64).reshape(-1, count)


def _source_gradients(mapped: MappedMesh, rotation: Floats, offsets: Floats, triangles: Integers) -> Floats:
    """How the source's displacement changes with the place, turned to some triangles of the target: (N, 3, 3)."""
    there = _source_triangles(mapped, triangles)
    used, row = np.unique(there, return_inverse=True)
    vertices, faces = mapped.source.vertices.astype(np.float64), mapped.source.faces[used]
    before, after = _frames(vertices[faces]), _frames((vertices + offsets)[faces])
    solid = np.abs(np.linalg.det(before)) > 0
    change = np.zeros((len(used), 3, 3))
    change[solid] = after[solid] @ np.linalg.inv(before[solid]) - np.eye(3)
    count = np.maximum(_left(vertices, faces, offsets) > 0, TURNED_COUNT)[row].reshape(there.shape)
    change = np.einsum("np,npij->nij", count / count.sum(axis=1, keepdims=True), change[row.reshape(there.shape)])
    turn = nearest_rotations(rotation[mapped.target.faces[triangles]].mean(axis=1))
    return np.asarray(turn.transpose(0, 2, 1) @ change @ turn)


def _frames(corners: Floats) -> Floats:
    """Two edges and the normal, as long as the root of its parallelogram's area, of triangles: columns (F, 3, 3)."""
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    normal = np.cross(first, second)
    normal /= np.sqrt(np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-300))
    return np.stack((first, second, normal), axis=2)


def _solved(
    vertices: Floats, faces: Integers, free: Flags, displacement: Floats, wanted: Floats, hold: float
) -> Floats:
    """The displacement (W, 3) with free vertices moved so that its gradients in triangles are as wanted (N, 3, 3)."""
    row = np.full(len(vertices), -1)
    used = np.unique(faces)
    row[used] = np.arange(len(used))
    second, third = barycentric_gradients(vertices[faces])
    areas = np.linalg.norm(face_vectors(vertices, faces), axis=1) / 2
    solid = (areas > 0)[:, None, None]
    gradients = np.where(solid, np.nan_to_num(np.stack((-second - third, second, third), axis=1)), 0)
    count = len(faces)
    rows = np.repeat(np.arange(3 * count).reshape(count, 1, 3), 3, axis=1)
    columns = np.repeat(row[faces][:, :, None], 3, axis=2)
    operator = sparse.csr_array((gradients.ravel(), (rows.ravel(), columns.ravel())), shape=(3 * count, len(used)))
    weights = sparse.diags_array(np.repeat(areas, 3))
    stiffness = sparse.csr_array(operator.T @ weights @ operator)
    goal = operator.T @ (weights @ wanted.transpose(0, 2, 1).reshape(-1, 3))
    inside, outside = np.flatnonzero(free[used]), np.flatnonzero(~free[used])
    held = hold / 3 * np.bincount(row[faces].ravel(), minlength=len(used))[inside] + 1e-9
    system = stiffness[inside][:, inside] + sparse.diags_array(held)
    known = displacement[used]
    right = goal[inside] - stiffness[inside][:, outside] @ known[outside] + held[:, None] * known[inside]
    solved = displacement.copy()
    solved[used[inside]] = factorized(sparse.csc_array(system))(right)
    return solved
