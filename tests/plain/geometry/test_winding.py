"""The winding of triangles, and which side of a surface is outside."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.shapes import icosphere, joined, sheet
from meshkin.geometry.mesh import face_vectors, vertex_normals
from meshkin.geometry.outside import outward_faces
from meshkin.geometry.winding import consistent_faces, consistent_shading, consistent_winding

Array = NDArray[np.float64]
FACES = 320
"""Of a ball of level 2."""
WAYS = {
    "none": np.zeros(FACES, bool),
    "all": np.ones(FACES, bool),
    "half": np.arange(FACES) < FACES // 2,
    "random": np.random.default_rng(0).random(FACES) < 0.5,
}
"""Which faces are wound the other way."""


def flipped(faces: NDArray[np.integer], which: NDArray[np.bool_]) -> NDArray[np.integer]:
    return np.where(which[:, None], faces[:, ::-1], faces)


def facing(vertices: Array, faces: NDArray[np.integer], of: NDArray[np.integer]) -> Array:
    """Whether faces face the same way as others: 1, or the opposite one: -1."""
    return np.sign(np.einsum("fd,fd->f", face_vectors(vertices, faces), face_vectors(vertices, of)))


@pytest.mark.parametrize("way", WAYS)
def test_faces_that_are_wound_either_way_are_made_to_face_outward(way: str) -> None:
    vertices, faces = icosphere(2)
    damaged = flipped(faces, WAYS[way])
    assert np.ptp(facing(vertices, consistent_faces(vertices, damaged), faces)) == 0
    outward = outward_faces(vertices, damaged)
    assert (facing(vertices, outward, faces) == 1).all()
    assert (outward[:, 0] == damaged[:, 0]).all(), "only the last two corners are exchanged"


def test_each_piece_is_judged_by_the_outside() -> None:
    """A ball in a ball, an open bowl, a sheet that leans on a ball, and faces that share no vertices."""
    ball, faces = icosphere(2)
    bowl = faces[ball[faces].mean(axis=1)[:, 2] < 0.3]
    plane, square = sheet(6)
    cover = plane * 0.3 + (0, 0, 1.2), square
    pieces = [(ball, faces), (0.5 * ball, faces), (ball + np.array((4, 0, 0)), bowl), cover]
    vertices, right = joined(*pieces)
    right = right.copy()
    wrong = flipped(right, np.random.default_rng(1).random(len(right)) < 0.5)
    loose = vertices[wrong].reshape(-1, 3), np.arange(3 * len(wrong)).reshape(-1, 3)
    for points, damaged in ((vertices, wrong), loose):
        outward = outward_faces(points, damaged)
        assert (np.einsum("fd,fd->f", face_vectors(points, outward), face_vectors(vertices, right)) > 0).all()


def test_patches_end_where_three_faces_meet() -> None:
    fan = np.array([(0, 1, 2), (1, 0, 3), (0, 1, 4)])
    winding = consistent_winding(fan)
    assert len(np.unique(winding.patch)) == 3
    assert not winding.is_reversed.any()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("smooth", [True, False])
def test_shading_normals_go_along(way: str, smooth: bool) -> None:
    """The normals that a mesh has whose faces are wound either way become those of the consistent mesh."""
    vertices, faces = icosphere(2)

    def shaded(corners: NDArray[np.integer]) -> Array:
        own = face_vectors(vertices, corners)
        flat = np.repeat((own / np.linalg.norm(own, axis=1, keepdims=True))[:, None], 3, axis=1)
        return vertex_normals(vertices, corners)[corners] if smooth else flat

    damaged = flipped(faces, WAYS[way])
    consistent, normals = consistent_shading(vertices, damaged, shaded(damaged))
    assert np.abs(normals - shaded(consistent)).max() < 1e-6


def test_doubled_faces_are_wound_alike() -> None:
    """A mesh with a copy of each face for its inside, as games have them."""
    vertices, faces = icosphere(2)
    outward = outward_faces(vertices, np.concatenate((faces[:, ::-1], faces[:, [1, 2, 0]])))
    assert (facing(vertices, outward, np.concatenate((faces, faces))) == 1).all()
