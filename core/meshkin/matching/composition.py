"""Maps put one after the other, so that shapes matched to one reference are matched to each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..data.surface_map import Match, SurfaceMap
from ..geometry.mesh import surface_area
from .nearest import climb, precise

COMPOSE_VERSION = "compose-1"
"""Changes whenever :func:`compose` would give another map."""
TEAR = 4.0
"""A triangle whose edges grow by more than this, beyond the shapes' sizes, has been torn apart."""

Shape = tuple[NDArray[np.floating], NDArray[np.int32]]
"""Vertices (V, 3) and faces (F, 3)."""


def compose(first: SurfaceMap, middle: Shape, second: SurfaceMap, last: Shape) -> SurfaceMap:
    """From the first shape over the middle one to the last.

    A point within a triangle of the middle shape goes to the point of the last surface nearest to where the images
    of the three corners, interpolated, lie: sought from the image of the nearest corner along the surface. Where the
    corners were torn apart, that corner's image is taken. Confidences multiply.

    Args:
        first: for each vertex of the first shape, a point on ``middle``.
        second: for each vertex of ``middle``, a point on ``last``.
    """
    vertices, faces = last
    corners = middle[1][first.face]
    images = second.pull(vertices, faces)
    weights = first.barycentric.astype(np.float64)
    heaviest = np.take_along_axis(corners, weights.argmax(axis=1)[:, None], axis=1)[:, 0]
    goals = np.einsum("vk,vkd->vd", weights, images[corners])
    growth = np.sqrt(surface_area(vertices, faces) / surface_area(*middle))
    edges = np.stack([images, np.asarray(middle[0], np.float64) * growth])[:, corners]
    lengths = np.linalg.norm(edges - np.roll(edges, 1, axis=2), axis=3)
    torn = (lengths[0] > TEAR * lengths[1]).any(axis=1)
    goals[torn] = images[heaviest[torn]]
    face, barycentric = _nearest_points(goals, second.vertex[heaviest], vertices, faces)
    ends = faces[face]
    points = np.einsum("vk,vkd->vd", barycentric, np.asarray(vertices, np.float64)[ends])
    closest = np.linalg.norm(vertices[ends] - points[:, None], axis=2).argmin(axis=1)[:, None]
    confidence = first.confidence * np.einsum("vk,vk->v", weights, second.confidence[corners].astype(np.float64))
    return SurfaceMap(
        face.astype(np.int32),
        barycentric.astype(np.float32),
        np.take_along_axis(ends, closest, axis=1)[:, 0].astype(np.int32),
        np.clip(confidence, 0, 1).astype(np.float32),
    )


def compose_matches(
    first: Match,
    second: Match,
    middle: NDArray[np.floating],
    source: NDArray[np.floating],
    target: NDArray[np.floating],
) -> Match:
    """Two shapes matched through a third one.

    Args:
        first, second: matches whose source is the third shape, and whose targets are the source and the target of
            the result.
        middle, source, target: vertices (V, 3) of the third shape and of the two.
    """
    through = middle, first.source_faces
    one, two = (source, first.target_faces), (target, second.target_faces)
    notes = {
        "orientation": min(match.notes.get("orientation", 1.0) for match in (first, second)),
        "sided": all(match.notes.get("sided", True) for match in (first, second)),
        "ambiguous": any(match.notes.get("ambiguous", False) for match in (first, second)),
        "sentences": list(
            dict.fromkeys(text for match in (first, second) for text in match.notes.get("sentences", []))
        ),
    }
    return Match(
        compose(second.to_source, through, first.to_target, one),
        compose(first.to_source, through, second.to_target, two),
        first.target_faces,
        second.target_faces,
        notes,
    )


def _nearest_points(
    goals: NDArray[np.float64], start: NDArray[np.integer], vertices: NDArray[np.floating], faces: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The point on the surface nearest to each goal, reached from the vertex ``start``: face and barycentric."""
    center, size = vertices.mean(axis=0), float(np.ptp(vertices, axis=0).max())
    places = ((vertices - center) / size).astype(np.float32)
    queries = ((goals - center) / size).astype(np.float32)
    # q · x - |x|^2 / 2 is greatest where |q - x| is least, so that a search by greatest product finds the nearest.
    ones = np.ones((len(queries), 1), np.float32)
    lifted = np.hstack((places, -np.einsum("vd,vd->v", places, places)[:, None] / 2))
    vertex, _ = climb(np.hstack((queries, ones)), start.astype(np.int64), lifted, places, np.unique(faces))
    face, barycentric, _ = precise(queries, vertex, places, faces)
    return face, barycentric
