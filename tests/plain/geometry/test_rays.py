"""Rays past vertices whose distances are known."""

from __future__ import annotations

import numpy as np
import pytest

from meshkin.geometry.rays import nearest_vertex_to_ray


def test_the_vertex_nearest_to_a_ray() -> None:
    vertices = np.array([[5.0, 3, 0], [2, 0, 1], [-1, 0, 0]])
    vertex, distance = nearest_vertex_to_ray(np.zeros(3), np.array((1.0, 0, 0)), vertices)
    assert vertex == 1
    assert distance == pytest.approx(1)
    assert nearest_vertex_to_ray(np.array((9.0, 0, 0)), np.array((1.0, 0, 0)), vertices)[1] == np.inf
