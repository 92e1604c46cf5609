"""Hair through known maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from helpers import shapes
from helpers.textured import known_map
from meshkin.geometry.arrays import expand
from meshkin.geometry.mesh import vertex_normals
from meshkin.transfer.attributes.hair import transfer_hair


def test_hair_goes_with_its_surface() -> None:
    """On a copy turned, moved and twice as large, strands are turned, moved and twice as long."""
    ball = shapes.bumpy(shapes.sphere(48, 24))
    assert ball.uvs is not None
    turn = Rotation.from_euler("xyz", (0.3, 1.0, -0.5)).as_matrix()
    target = replace(ball, vertices=(2 * ball.vertices @ turn.T + (1, 2, 3)).astype(np.float32))
    rooted = np.arange(100, 1000, 30)
    roots, normals = ball.vertices[rooted].astype(float), vertex_normals(ball.vertices, ball.faces)[rooted]
    lengths = 2 + np.arange(len(rooted)) % 3
    first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    strand, along = expand(lengths)
    points = roots[strand] + 0.1 * along[:, None] * (normals[strand] + along[:, None] * (0, 0, 0.3))
    hair = transfer_hair(ball, target, known_map(ball, ball).to_target, points, first)
    np.testing.assert_allclose(hair.points, 2 * points @ turn.T + (1, 2, 3), atol=0.02)
    corner = np.array([np.argwhere(ball.faces == vertex)[0] for vertex in rooted])
    u, v = (hair.root_uvs - ball.uvs[corner[:, 0], corner[:, 1]]).T
    np.testing.assert_allclose(v, 0, atol=0.01)
    np.testing.assert_allclose(u - np.rint(u), 0, atol=0.02)
