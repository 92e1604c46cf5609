"""Values continued over a mesh: linear functions, gaps, seams, and meshes in a bad state."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from helpers import shapes
from helpers.shapes import icosphere, joined, sheet
from meshkin.geometry import filling
from meshkin.geometry.filling import LARGEST_SYSTEM, fill_biharmonic, fill_harmonic, inpaint_weights, solve_harmonic
from meshkin.geometry.laplacian import factorized

Array = NDArray[Any]


def triangulated_square(count: int) -> tuple[Array, Array]:
    points = np.random.default_rng(3).uniform(-1, 1, (count, 2))
    points = np.concatenate((points, [(-1.2, -1.2), (1.2, -1.2), (1.2, 1.2), (-1.2, 1.2)]))
    return np.column_stack((points, np.zeros(len(points)))), Delaunay(points).simplices.astype(np.int64)


def test_fill_reproduces_linear_functions() -> None:
    vertices, faces = triangulated_square(800)
    truth = np.column_stack((vertices[:, 0] + 2 * vertices[:, 1], 3 - vertices[:, 0], np.ones(len(vertices))))
    seen = np.abs(vertices).max(axis=1) > 0.7
    features = np.where(seen[:, None], truth, 0).astype(np.float32)
    confidence = np.where(seen, 0.8, 0.0)
    filled = fill_harmonic(vertices, faces, seen, features, confidence[:, None])
    np.testing.assert_array_equal(filled, ~seen)
    assert features == pytest.approx(truth, abs=1e-4)
    assert confidence[~seen] == pytest.approx(0.8)


@pytest.mark.parametrize("largest", [LARGEST_SYSTEM, 0], ids=["harmonic", "nearest"])
def test_fill_never_crosses_a_gap(largest: int) -> None:
    one = sheet(20)
    vertices, faces = joined(one, (one[0] + (0, 0, 1e-3), one[1]), (one[0] + (0, 0, 2e-3), one[1]))
    count = len(one[0])
    seen = np.zeros(3 * count, bool)
    seen[:40] = seen[count : count + 40] = True  # two rows of the first two sheets, nothing of the third
    features = np.zeros((3 * count, 2), np.float32)
    features[:40, 0] = features[count : count + 40, 1] = 1
    confidence = seen.astype(np.float64)
    filled = fill_harmonic(vertices, faces, seen, features, confidence[:, None], largest=largest)
    assert not filled[2 * count :].any()
    assert filled[: 2 * count][~seen[: 2 * count]].all()
    assert features[:count] == pytest.approx(np.tile((1, 0), (count, 1)), abs=1e-5)
    assert features[count : 2 * count] == pytest.approx(np.tile((0, 1), (count, 1)), abs=1e-5)
    assert not features[2 * count :].any()
    assert not confidence[2 * count :].any()


def test_fill_goes_on_across_a_split_seam() -> None:
    vertices, faces = triangulated_square(400)
    split = vertices[faces].reshape(-1, 3)
    seen = split[:, 0] < -0.5
    seen[np.flatnonzero(seen)[::3]] = False  # some of the vertices at a place that others there show
    features = np.where(seen, 2.0, 0.0)[:, None].astype(np.float32)
    fill_harmonic(split, np.arange(len(split)).reshape(-1, 3), seen, features)
    assert features == pytest.approx(2, abs=1e-4)


def test_fill_stays_within_the_range_of_what_is_seen() -> None:
    vertices, faces = icosphere(4)
    generator = np.random.default_rng(0)
    seen = generator.uniform(size=len(vertices)) < 0.1
    features = np.where(seen[:, None], generator.uniform(0.2, 0.9, (len(vertices), 70)), 0).astype(np.float32)
    low, high = features[seen].min(axis=0), features[seen].max(axis=0)
    fill_harmonic(vertices, faces, seen, features)
    assert (features >= low - 1e-6).all()
    assert (features <= high + 1e-6).all()


def test_inpainting_continues_what_is_linear() -> None:
    """A function that is linear over the plane is reproduced where it is unknown; known rows stay as they were."""
    points, faces = shapes.grid(20, 20)
    vertices = np.column_stack((points, np.zeros(len(points))))
    rows = np.column_stack((points[:, 0], 1 - points[:, 0]))
    known = np.linalg.norm(points - 0.5, axis=1) > 0.3
    filled = inpaint_weights(np.where(known[:, None], rows, 7), known, vertices, faces).values
    np.testing.assert_array_equal(filled[known], rows[known])
    np.testing.assert_allclose(filled, rows, atol=1e-3)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000))
def test_inpainting_gives_weights_on_any_mesh(seed: int) -> None:
    """Loose vertices, islands without a known vertex, collapsed and doubled faces, seams, needles."""
    generator = np.random.default_rng(seed)
    points, faces = shapes.grid(6, 5)
    vertices = np.column_stack((points, 0.2 * generator.random(len(points))))
    vertices = np.concatenate((vertices, vertices + 2, vertices, generator.random((3, 3))))
    shift = len(points)
    faces = np.concatenate((faces, faces + shift, faces[:7] + 2 * shift, faces[:2], [[0, 0, 1], [2, 1, 2]]))
    vertices[generator.integers(0, len(vertices), 5)] = vertices[0]
    vertices[generator.integers(0, len(vertices), 5), 2] *= 1e-7
    known = generator.random(len(vertices)) < generator.random()
    known[generator.integers(len(vertices))] = True
    rows = generator.dirichlet(np.full(5, 0.1), len(vertices))
    filled = inpaint_weights(rows, known, vertices, faces).values
    assert (filled >= 0).all()
    np.testing.assert_allclose(filled.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(filled[known], rows[known])


@pytest.mark.parametrize("how", ["an exactly singular system", "a solution without sense"])
def test_what_cannot_be_solved_is_told_and_copied_from_the_nearest(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def singular(matrix: Array) -> Any:
        if how == "an exactly singular system":
            raise RuntimeError("Factor is exactly singular")
        solve = factorized(matrix)
        return lambda right: np.where(np.arange(len(right)) < 5, np.nan, 1)[:, None] * solve(right)

    points, faces = shapes.grid(20, 20)
    vertices = np.column_stack((points, np.zeros(len(points))))
    rows = np.column_stack((points[:, 0], 1 - points[:, 0]))
    known = np.linalg.norm(points - 0.5, axis=1) > 0.3
    assert not inpaint_weights(rows, known, vertices, faces).unsolved.any()
    monkeypatch.setattr(filling, "factorized", singular)
    for fill in (inpaint_weights, fill_biharmonic):
        filled = fill(rows, known, vertices, faces)
        expected = ~known
        if how == "a solution without sense":
            expected[np.flatnonzero(~known)[5:]] = False
        np.testing.assert_array_equal(filled.unsolved, expected)
        given = {tuple(row) for row in filled.values[~expected]}
        assert all(tuple(row) in given for row in filled.values[expected])


def test_harmonic_values_at_points_without_a_neighbor_are_the_nearest_ones() -> None:
    points, faces = shapes.grid(6, 6)
    vertices = np.column_stack((points, np.zeros(len(points))))
    vertices = np.concatenate((vertices, vertices[:3] + np.array((0, -0.1, 0)), [(0.0, 0, 5)]))
    faces = np.concatenate((faces, [[len(points), len(points) + 1, len(points) + 2]]))
    truth = vertices[:, :1] * 2 + 1
    known = np.zeros(len(vertices), bool)
    known[: len(points)] = (np.abs(points - 0.5) > 0.4).any(axis=1)
    values = np.where(known[:, None], truth, -5)
    solve_harmonic(values, known, vertices, faces)
    np.testing.assert_allclose(values[: len(points)], truth[: len(points)], atol=1e-9)
    np.testing.assert_allclose(values[len(points) : -1], truth[len(points) : -1])
    assert values[-1] in truth[: len(points)]
