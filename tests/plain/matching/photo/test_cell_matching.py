"""Cells of a photograph matched to a surface that is known, and from there to its pixels."""

from __future__ import annotations

import numpy as np
import pytest

from helpers import shapes
from helpers.surfaces import described
from meshkin.base.errors import Cancelled
from meshkin.matching.photo.cell_matching import match_cells
from meshkin.matching.photo.densify import densify
from meshkin.matching.photo.photograph import Cells


def test_features_that_do_not_tell_front_from_back_are_matched_by_the_camera() -> None:
    """A lopsided ball seen from the front: its pixels show the front, and the points that the camera sees there."""
    ball = shapes.bumpy(shapes.sphere(80, 40))
    camera = np.array([[0.2, 0], [0, 0], [0, -0.2], [0.5, 0.5]])
    positions_of_vertices = np.column_stack((ball.vertices, np.ones(len(ball.vertices)))) @ camera
    front = np.flatnonzero(ball.vertices[:, 1] < -0.3)
    cells = Cells(10, -20, 160, 40)
    centers = (np.stack(np.meshgrid(np.arange(40), np.arange(40)), axis=-1) + 0.5) / 40
    distance = np.linalg.norm(centers[:, :, None] - positions_of_vertices[front], axis=-1)
    inside, shown = distance.min(axis=-1) < 0.02, front[distance.argmin(axis=-1)]
    features = shapes.smooth_features(ball.vertices * (1, 0.1, 1))
    noise = np.random.default_rng(0).normal(0, 0.3, (inside.sum(), features.shape[1]))
    queries = (features[shown[inside]] + noise).astype(np.float32)
    match = match_cells(queries, centers[inside], described(ball, features))
    assert match.camera is not None
    np.testing.assert_allclose(match.camera[[0, 2]], camera[[0, 2]], atol=0.02)
    assert (ball.vertices[match.vertex, 1] < 0).mean() > 0.95
    error = np.linalg.norm(ball.vertices[match.vertex] - ball.vertices[shown[inside]], axis=1)
    assert np.median(error) < 0.15
    mask = np.kron(inside, np.ones((4, 4), bool))[:150, 20:]
    mask = np.pad(mask, ((10, 0), (0, 0)))
    face, barycentric, confidence = densify(cells, inside, match, mask, ball, 0.05)
    assert (face[~mask] == -1).all()
    points = np.einsum("pk,pkd->pd", barycentric[mask], ball.vertices[ball.faces[face[mask]]])
    row, column = cells.at_pixels((160, 140))[:, mask]
    seen_at = np.column_stack((column, row)) / 40 + 0.5 / 40
    projected = np.column_stack((points, np.ones(len(points)))) @ camera
    assert np.median(np.linalg.norm(projected - seen_at, axis=1)) < 0.03
    assert confidence[mask].mean() > 0.3
    assert confidence[~mask].max() == 0


def test_matching_cells_can_be_cancelled() -> None:
    ball = shapes.sphere(20, 10)
    features = shapes.smooth_features(ball.vertices)

    def stop(stage: str, fraction: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        match_cells(features[:20], np.zeros((20, 2)), described(ball, features), stop)
