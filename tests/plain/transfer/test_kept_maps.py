"""Loose parts keep together on the way from one shape to another."""

from __future__ import annotations

import numpy as np

from helpers import shapes
from helpers.textured import known_map
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import SurfaceMap
from meshkin.transfer.attributes.lookup import MeshWithEdges
from meshkin.transfer.attributes.transfer import AttributeValues, transfer_attributes
from meshkin.transfer.kept_maps import without_crumbs

BALL = shapes.sphere(24, 12)
EYE = len(BALL.vertices)
"""The first of the eye's vertices, which are as many."""


def head(size: float = 1.0) -> Snapshot:
    """A ball of skin and an eye that sticks out of it."""
    vertices = np.concatenate((BALL.vertices, 0.2 * BALL.vertices + (0, -0.9, 0))) * size
    return Snapshot.from_arrays(vertices.astype(np.float32), np.concatenate((BALL.faces, BALL.faces + EYE)))


def astray(shape: Snapshot, vertices: np.ndarray, toward: int) -> SurfaceMap:
    """A head's map to itself but for some vertices, which go to the nearest triangle of skin (0) or eye (1)."""
    found = known_map(shape, shape).to_source
    inside = np.flatnonzero((shape.faces[:, 0] >= EYE) == toward)
    middles = shape.vertices[shape.faces[inside]].mean(axis=1)
    apart = np.linalg.norm(shape.vertices[vertices][:, None] - middles[None], axis=2)
    face, barycentric = found.face.copy(), found.barycentric.copy()
    face[vertices], barycentric[vertices] = inside[apart.argmin(axis=1)], 1 / 3
    return SurfaceMap.at_points(face, barycentric, found.confidence, shape.vertices, shape.faces)


def rim(shape: Snapshot) -> np.ndarray:
    """The vertices of the skin nearest to the eye."""
    skin = np.linalg.norm(shape.vertices[:EYE] - (0, -0.9, 0), axis=1)
    return np.asarray(np.argsort(skin)[:5])


def test_skin_beside_an_eye_stays_skin() -> None:
    shape = head()
    found = astray(shape, rim(shape), 1)
    assert (shape.faces[found.face[rim(shape)], 0] >= EYE).all()
    kept = without_crumbs(found, shape, shape)
    assert (shape.faces[kept.face[rim(shape)], 0] < EYE).all()
    others = np.setdiff1d(np.arange(2 * EYE), rim(shape))
    np.testing.assert_array_equal(kept.face[others], found.face[others])


def test_a_part_of_which_two_fifths_are_astray_keeps_together() -> None:
    shape = head()
    found = astray(shape, np.arange(EYE, EYE + 2 * EYE // 5), 0)
    kept = without_crumbs(found, shape, shape)
    assert (shape.faces[kept.face[EYE:], 0] >= EYE).all()


def test_what_is_of_one_piece_there_keeps_its_eye() -> None:
    """An eye that is modelled into the skin is of the skin's part, and goes to the eye."""
    shape = head()
    bridge = np.concatenate((shape.faces, [[0, EYE, EYE + 1]])).astype(np.int32)
    target = Snapshot.from_arrays(shape.vertices, bridge)
    found = known_map(shape, shape).to_source
    np.testing.assert_array_equal(without_crumbs(found, shape, target).face, found.face)


def test_a_blink_moves_all_of_the_skin_and_nothing_of_the_eye() -> None:
    shape = head()
    offsets = np.zeros((2 * EYE, 3))
    offsets[:EYE] = (0, 0, -0.05)
    mesh, target = (MeshWithEdges(each, np.zeros((0, 2), np.int64)) for each in (shape, head(1.5)))
    wanted = [AttributeValues("POINT", "offsets", offsets)]
    (carried,) = transfer_attributes(mesh, target, astray(shape, rim(shape), 1), wanted)
    np.testing.assert_allclose(carried, 1.5 * offsets, atol=0.01)
