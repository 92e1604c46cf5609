"""Cells of a photograph matched to a surface that is known, and from there to its pixels."""

from __future__ import annotations

import numpy as np
import pytest

from helpers import shapes
from helpers.surfaces import described
from meshkin.base.errors import Cancelled
from meshkin.data.views import frame
from meshkin.matching.photo.cell_matching import match_cells
from meshkin.matching.photo.densify import densify
from meshkin.matching.photo.photograph import Cells
from meshkin.matching.photo.settings import CellMatchSettings, DisplacementSettings
from meshkin.matching.photo.shown_surface import FramedObject, ShownViews


def test_features_that_do_not_tell_front_from_back_are_matched_by_the_view() -> None:
    """A lopsided ball seen from the front: its pixels show the front, and the points that the camera sees there."""
    ball = shapes.bumpy(shapes.sphere(80, 40))
    view = frame(ball.vertices, np.array([[0.0, -1.0, 0.0]]), 40)
    cells = Cells(10, -20, 160, 40)
    surface = described(ball, shapes.smooth_features(ball.vertices * (1, 0.1, 1)))
    shown = ShownViews(surface).show(view)
    inside = shown.picture.inside
    noise = np.random.default_rng(0).normal(0, 0.3, shown.picture.features.shape)
    photo = FramedObject((shown.picture.features + noise).astype(np.float32), inside)
    settings = CellMatchSettings(displacement=DisplacementSettings(cells=40))
    match = match_cells(photo, surface, view, settings=settings)
    projected = np.column_stack((ball.vertices.astype(np.float64), np.ones(len(ball.vertices)))) @ match.camera
    assert np.abs(projected - view.project(0, ball.vertices)[0] / 40).max() < 0.1  # perspective is not affine
    assert np.cross(match.camera[:3, 0], match.camera[:3, 1])[1] > 0
    assert (match.points[:, 1] < 0).mean() > 0.95
    assert np.median(np.linalg.norm(match.points - shown.points, axis=1)) < 0.05
    mask = np.kron(inside, np.ones((4, 4), bool))[:150, 20:]
    mask = np.pad(mask, ((10, 0), (0, 0)))
    face, barycentric, confidence = densify(cells, inside, match, mask, ball, 0.05)
    assert (face[~mask] == -1).all()
    points = np.einsum("pk,pkd->pd", barycentric[mask], ball.vertices[ball.faces[face[mask]]])
    row, column = cells.at_pixels((160, 140))[:, mask]
    seen_at = np.column_stack((column, row)) / 40 + 0.5 / 40
    assert np.median(np.linalg.norm(view.project(0, points)[0] / 40 - seen_at, axis=1)) < 0.02
    assert confidence[mask].mean() > 0.3
    assert confidence[~mask].max() == 0


def test_vertices_of_which_nothing_is_known_are_no_answers() -> None:
    ball = shapes.bumpy(shapes.sphere(40, 20))
    view = frame(ball.vertices, np.array([[0.0, -1.0, 0.0]]), 48)
    known = ball.vertices[:, 0] < 0.2
    surface = described(ball, shapes.smooth_features(ball.vertices) * known[:, None], known.astype(np.float32))
    match = match_cells(ShownViews(surface).show(view).picture, surface, view)
    assert known[match.vertex].all()


def test_matching_cells_can_be_cancelled() -> None:
    ball = shapes.sphere(20, 10)
    surface = described(ball, shapes.smooth_features(ball.vertices))
    view = frame(ball.vertices, np.array([[0.0, -1.0, 0.0]]), 48)

    def stop(stage: str, fraction: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        match_cells(ShownViews(surface).show(view).picture, surface, view, stop)
