"""UV maps carried through a map: no face is torn between two islands or across a seam."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...geometry.adjacency import opposite_triangles, triangle_components
from ...geometry.closest_points import closest_points, nearest_on_triangles
from ...geometry.gradients import barycentric_gradients
from ...geometry.welding import place_numbers, uv_corners
from .labels import majority_labels
from .lookup import (
    MappedMesh,
    SourcePoints,
    corner_points,
    corner_triangles,
    polygon_middles,
    polygon_of_corners,
)


@dataclass(frozen=True)
class UvMapSettings:
    """When a corner is beyond a seam. Both values are chosen.

    Attributes:
        seam: greatest distance of a corner's UV from where its face would place it, as a share of the way from the
            face's middle to that place.
        tolerance: what is added to this distance, in UV units, for corners near the middle.
    """

    seam: float = 0.5
    tolerance: float = 1e-4


def transfer_uv_map(
    mapped: MappedMesh, uvs: NDArray[np.float64], settings: UvMapSettings = UvMapSettings()
) -> NDArray[np.float32]:
    """A UV map of the source on the target, float32 (C, 2) at its corners; each face lies in one island.

    A face belongs to the island that most of it comes from. A corner takes the UV of the point that it comes from. If
    that is in another island, or beyond a seam of this one, the UV is continued in a straight line from the face's
    middle instead. Triangles that are the source's keep its UVs.

    Args:
        mapped: target and source.
        uvs: (F, 3, 2) at the source's triangle corners.
        settings: what is tuned.
    """
    source = mapped.source
    vertices = source.vertices.astype(np.float64)
    corner_numbers = uv_corners(place_numbers(source.vertices), source.faces, uvs)
    island = triangle_components(opposite_triangles(corner_numbers))
    island_of_polygon = majority_labels(mapped, island)
    middles = _middles_in_islands(mapped, island, island_of_polygon)
    middle_places = _interpolate_corners(middles, vertices[source.faces])
    middle_uvs = _interpolate_corners(middles, uvs)
    gradients = np.stack(barycentric_gradients(vertices[source.faces]), axis=1)
    uv_gradients = np.einsum("fku,fkd->fud", uvs[:, 1:] - uvs[:, :1], gradients)
    corners, polygon = corner_points(mapped), polygon_of_corners(mapped)
    corner_uvs = _interpolate_corners(corners, uvs)
    offsets = _interpolate_corners(corners, vertices[source.faces]) - middle_places[polygon]
    continued = middle_uvs[polygon] + np.einsum("nud,nd->nu", uv_gradients[middles.face[polygon]], offsets)
    reach = np.linalg.norm(continued - middle_uvs[polygon], axis=1)
    beyond_seam = np.linalg.norm(corner_uvs - continued, axis=1) > settings.seam * reach + settings.tolerance
    beyond = (island[corners.face] != island_of_polygon[polygon]) | beyond_seam
    beyond &= mapped.carrier.same[corner_triangles(mapped)[0]] < 0
    return np.where(beyond[:, None], continued, corner_uvs).astype(np.float32)


def _middles_in_islands(
    mapped: MappedMesh, island: NDArray[np.integer], island_of_polygon: NDArray[np.integer]
) -> SourcePoints:
    """The points that the polygons' middles come from; the nearest of their island, if that is another.

    Args:
        mapped: target and source.
        island: (F,), of the source's triangles.
        island_of_polygon: (P,), of the target's polygons.
    """
    vertices, faces = mapped.source.vertices.astype(np.float64), mapped.source.faces
    middles = polygon_middles(mapped)
    face, barycentric = middles.face.copy(), middles.barycentric.copy()
    places = _interpolate_corners(middles, vertices[faces])
    for number in np.unique(island_of_polygon[island[face] != island_of_polygon]).tolist():
        strays = np.flatnonzero((island_of_polygon == number) & (island[middles.face] != number))
        members = np.flatnonzero(island == number)
        face[strays] = members[closest_points(places[strays], vertices, faces[members]).face]
        barycentric[strays], _ = nearest_on_triangles(places[strays], vertices[faces[face[strays]]])
    return SourcePoints(face, barycentric)


def _interpolate_corners(points: SourcePoints, values: NDArray[Any]) -> NDArray[np.float64]:
    """Values (F, 3, C) at triangle corners, interpolated at points: (N, C)."""
    return np.asarray(np.einsum("nk,nkc->nc", points.barycentric, values[points.face]))
