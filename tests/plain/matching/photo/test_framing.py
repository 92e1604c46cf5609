"""A view that is zoomed and shifted to lie on what a picture shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from helpers import shapes
from helpers.surfaces import described
from meshkin.data.views import frame, ring_directions
from meshkin.matching.photo.framing import reframed
from meshkin.matching.photo.shown_surface import ShownViews

CELLS = 64


@pytest.mark.parametrize(("zoom", "right"), [(0.76, -0.1), (1.0, 0.0)])
def test_a_surface_is_laid_on_a_picture_that_shows_it_smaller_and_aside(zoom: float, right: float) -> None:
    ball = shapes.sphere(30, 20)
    shape = shapes.snapshot((ball.vertices * (0.4, 1.2, 0.6)).astype(np.float32), ball.faces)
    views = ShownViews(described(shape, shapes.smooth_features(shape.vertices)))
    view = frame(shape.vertices, ring_directions([(10, 8)])[:1], CELLS)
    shown = replace(view, zoom=view.zoom * zoom, shift=view.shift * zoom + (-right, 0))
    found = reframed(views.show(shown).picture, views, view)
    assert abs(found.zoom[0] / view.zoom[0] - zoom) < 0.04
    assert abs(found.shift[0, 0] - shown.shift[0, 0]) < 0.04
