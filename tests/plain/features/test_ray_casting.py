"""Pictures by ray casting, against what is known of a sphere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers import rays, shapes
from meshkin.base.errors import Cancelled
from meshkin.data.snapshot import Snapshot
from meshkin.data.views import fibonacci_directions, frame
from meshkin.features.ray_casting import cast_passes
from meshkin.geometry.mesh import vertex_normals


def test_passes_are_those_of_a_sphere_with_smooth_normals() -> None:
    ball = shapes.sphere(48, 24)
    moved = (2 * ball.vertices + (5, -3, 1)).astype(np.float32)
    smooth = replace(ball, vertices=moved, normals=ball.vertices[ball.faces].astype(np.float32))
    views = frame(smooth.vertices, fibonacci_directions(5), 40)
    passes, expected = cast_passes(smooth, views), rays.passes(smooth, views)
    assert passes.face is not None
    assert passes.color is None
    np.testing.assert_array_equal(passes.face, expected.face)
    np.testing.assert_allclose(passes.depth, expected.depth)
    np.testing.assert_allclose(passes.normal.astype(float), expected.normal.astype(float), atol=0.02)
    assert (passes.normal[..., 2][passes.face >= 0] > -0.01).all()
    assert [array.dtype for array in (passes.normal, passes.depth, passes.face)] == ["float16", "float32", "int32"]


def test_normals_of_back_faces_turn_toward_the_camera() -> None:
    ball = shapes.sphere(48, 24)
    views = frame(ball.vertices, fibonacci_directions(3), 40)
    inside_out = replace(ball, normals=-ball.normals)
    np.testing.assert_array_equal(cast_passes(inside_out, views).normal, cast_passes(ball, views).normal)


def test_it_can_be_cancelled() -> None:
    ball = shapes.sphere(12, 6)

    def stop(stage: str, fraction: float) -> None:
        if fraction > 0:
            raise Cancelled

    with pytest.raises(Cancelled):
        cast_passes(ball, frame(ball.vertices, fibonacci_directions(2), 16), stop)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_pictures_do_not_depend_on_the_winding(share: float) -> None:
    """Smooth normals of a mesh whose faces are wound either way are means over faces that face opposite ways."""
    ball = shapes.sphere(48, 24)
    views = frame(ball.vertices, fibonacci_directions(3), 40)

    def smooth(faces: NDArray[np.int32]) -> Snapshot:
        normals = vertex_normals(ball.vertices, faces)[faces].astype(np.float32)
        return replace(ball, faces=faces, normals=normals)

    is_reversed = np.random.default_rng(0).random(len(ball.faces)) < share
    harmed = smooth(np.where(is_reversed[:, None], ball.faces[:, ::-1], ball.faces))
    harmed_normals, normals = (cast_passes(shape, views).normal.astype(float) for shape in (harmed, smooth(ball.faces)))
    np.testing.assert_allclose(harmed_normals, normals, atol=0.02)
