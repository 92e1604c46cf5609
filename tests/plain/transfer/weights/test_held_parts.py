"""Weapons and packs that the source lacks: held as a whole, whatever the map answers for them."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from helpers import shapes
from helpers.figures import Figure
from helpers.maps import vertex_map
from meshkin.transfer.weights.skinning import weights_through_map

FIGURE = Figure()
BODY = FIGURE.body(50)
PLACES = BODY.vertices.astype(np.float64)
WEIGHTS = FIGURE.weights(PLACES)


def with_part(part: tuple[shapes.Array, shapes.Array], seen: shapes.Array) -> shapes.Array:
    """The weights (N, B) of a part of the target that the map sends to where the source is nearest to ``seen`` (N, 3).
    The body is the source's, and the map is surer of it."""
    vertices, faces = shapes.joined((PLACES, BODY.faces), part)
    partner = np.concatenate((np.arange(len(PLACES)), cKDTree(PLACES).query(seen)[1]))
    sure = np.repeat((0.9, 0.6), (len(PLACES), len(seen)))
    target = shapes.snapshot(vertices, faces, name="with a part")
    return weights_through_map(WEIGHTS, BODY, target, vertex_map(partner, BODY.faces, sure)).weights[len(PLACES) :]


def pack() -> tuple[tuple[shapes.Array, shapes.Array], shapes.Array]:
    """A ball that touches the back, and points along both arms where a map might send it."""
    ball = shapes.sphere(16, 9)
    center = np.array((0, 0.19, 0.73))
    points = center + 0.1 * ball.vertices.astype(np.float64)
    head, tail = FIGURE.bones["upperarm.L"][0], FIGURE.bones["forearm.L"][1]
    seen = head + (points[:, 2:] - points[:, 2].min()) / 0.2 * (tail - head)
    seen[::2, 0] *= -1
    return (points, ball.faces), seen


def test_a_pack_follows_the_bone_that_holds_it() -> None:
    part, seen = pack()
    rows = with_part(part, seen)
    np.testing.assert_array_equal(rows, np.tile(np.eye(rows.shape[1])[FIGURE.names.index("chest")], (len(rows), 1)))


def test_a_sleeve_lies_on_the_arm_and_bends_with_it() -> None:
    bones = [FIGURE.names.index(name) for name in ("upperarm.L", "forearm.L")]
    of_arm = (FIGURE.distances(PLACES)[:, bones].min(axis=1) < 0.01)[BODY.faces].all(axis=1)
    used, faces = np.unique(BODY.faces[of_arm], return_inverse=True)
    points = PLACES[used] + 0.006 * FIGURE.normals(PLACES[used])
    rows = with_part((points, faces.reshape(-1, 3)), points)
    assert np.abs(rows - WEIGHTS[used]).sum(axis=1).mean() < 0.1
