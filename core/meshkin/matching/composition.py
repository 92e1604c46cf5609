"""Composition of maps: two shapes that are matched to one reference are matched to each other through it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.surface_map import Match, SurfaceMap
from ..geometry.mesh import surface_area
from .feature_search import local_search, precise_points

COMPOSE_VERSION = "compose-1"
"""Changes whenever :func:`compose_maps` would give another map: part of the maps' keys in the cache."""
TEARING_GROWTH = 4.0
"""A triangle is torn if one of its edges grows by more than this factor, beyond the shapes' sizes. Chosen."""

Surface = tuple[NDArray[np.floating], NDArray[np.int32]]
"""Vertices (V, 3) and faces (F, 3)."""


def compose_maps(first: SurfaceMap, middle: Surface, second: SurfaceMap, last: Surface) -> SurfaceMap:
    """Compose two maps: from the first shape, over the middle one, to the last.

    A point within a triangle of the middle shape goes to the point of the last surface that is nearest to the
    interpolated images of the triangle's corners. This point is searched along the surface, from the image of the
    nearest corner. If the map tears the triangle, the image of the nearest corner is taken. Confidences multiply.

    Args:
        first: for each vertex of the first shape, a point on ``middle``.
        middle: vertices and faces of the middle shape.
        second: for each vertex of ``middle``, a point on ``last``.
        last: vertices and faces of the last shape.

    Returns:
        For each vertex of the first shape, a point on ``last``.
    """
    vertices, faces = last
    corners = middle[1][first.face]
    images = second.pull(vertices, faces)
    weights = first.barycentric.astype(np.float64)
    heaviest = np.take_along_axis(corners, weights.argmax(axis=1)[:, None], axis=1)[:, 0]
    goals = np.einsum("vk,vkd->vd", weights, images[corners])
    torn = _is_torn(corners, images, middle, last)
    goals[torn] = images[heaviest[torn]]
    face, barycentric = _nearest_points(goals, second.vertex[heaviest], vertices, faces)
    confidence = first.confidence * np.einsum("vk,vk->v", weights, second.confidence[corners].astype(np.float64))
    return SurfaceMap.at_points(face, barycentric, np.clip(confidence, 0, 1), vertices, faces)


def compose_matches(
    first: Match,
    second: Match,
    middle: NDArray[np.floating],
    source: NDArray[np.floating],
    target: NDArray[np.floating],
) -> Match:
    """Match two shapes through a third one, the middle one, that both are matched to.

    Args:
        first: match of the middle shape (as source) and the source of the result (as target).
        second: match of the middle shape (as source) and the target of the result (as target).
        middle, source, target: vertices (V, 3) of the three shapes.
    """
    middle_surface = middle, first.source_faces

    def both(name: str) -> list[Any]:
        """A list of the notes of both, each item once."""
        items = [item for match in (first, second) for item in match.notes.get(name, [])]
        return [item for number, item in enumerate(items) if item not in items[:number]]

    by_form = [
        match.notes["form_distance"] for match in (first, second) if match.notes.get("form_distance") is not None
    ]
    source_surface, target_surface = (source, first.target_faces), (target, second.target_faces)
    notes = {
        "orientation": min(match.notes.get("orientation", 1.0) for match in (first, second)),
        "sided": all(match.notes.get("sided", True) for match in (first, second)),
        "ambiguous": any(match.notes.get("ambiguous", False) for match in (first, second)),
        "form_distance": max(by_form, default=None),
        "warnings": both("warnings"),
        "sentences": both("sentences"),
    }
    return Match(
        compose_maps(second.to_source, middle_surface, first.to_target, source_surface),
        compose_maps(first.to_source, middle_surface, second.to_target, target_surface),
        first.target_faces,
        second.target_faces,
        notes,
    )


def _is_torn(
    corners: NDArray[np.integer], images: NDArray[np.float64], middle: Surface, last: Surface
) -> NDArray[np.bool_]:
    """Return which triangles of the middle shape are torn on the last one, bool (V,).

    Args:
        corners: (V, 3), vertices of the middle shape, three for each triangle.
        images: (M, 3), positions of the middle shape's vertices on the last shape.
        middle, last: the two surfaces.
    """
    growth = np.sqrt(surface_area(*last) / surface_area(*middle))
    triangles = np.stack([images, np.asarray(middle[0], np.float64) * growth])[:, corners]
    lengths = np.linalg.norm(triangles - np.roll(triangles, 1, axis=2), axis=3)
    return np.asarray((lengths[0] > TEARING_GROWTH * lengths[1]).any(axis=1))


def _nearest_points(
    goals: NDArray[np.float64], start: NDArray[np.integer], vertices: NDArray[np.floating], faces: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the point of the surface nearest to each goal, searched from the vertex ``start``: face, barycentric."""
    center, size = vertices.mean(axis=0), float(np.ptp(vertices, axis=0).max())
    points = ((vertices - center) / size).astype(np.float32)
    queries = ((goals - center) / size).astype(np.float32)
    # q · x - |x|^2 / 2 is largest where |q - x| is smallest, so a search for the largest product finds the nearest.
    ones = np.ones((len(queries), 1), np.float32)
    lifted = np.hstack((points, -np.einsum("vd,vd->v", points, points)[:, None] / 2))
    vertex, _ = local_search(np.hstack((queries, ones)), start.astype(np.int64), lifted, points, np.unique(faces))
    face, barycentric, _ = precise_points(queries, vertex, points, faces)
    return face, barycentric
