"""A UV layout for a surface that has none."""

from __future__ import annotations

import numpy as np
import xatlas
from numpy.typing import NDArray

from ...base.errors import InputError
from ...geometry.arrays import unit_rows
from ...geometry.mesh import face_areas, surface_area
from ...geometry.welding import place_numbers


def unwrap(
    vertices: NDArray[np.floating], faces: NDArray[np.integer], size: int = 2048, padding: int = 8
) -> NDArray[np.float32]:
    """Cut a surface into islands that lie flat without much stretch, and pack them into the unit square.

    By xatlas (https://github.com/jpcy/xatlas, MIT). Triangles without an area get no area in the layout.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        size: width of the picture that the layout is for, pixels.
        padding: pixels between islands, at that size.

    Returns:
        float32 (F, 3, 2), v up, within [0, 1].

    Raises:
        InputError: ``unwrap-failed``.
    """
    each = np.arange(len(faces))
    corners = np.arange(faces.size).reshape(-1, 3)
    return unwrap_polygons(vertices, faces, each, corners, size, padding)[corners]


def unwrap_polygons(
    vertices: NDArray[np.floating],
    faces: NDArray[np.integer],
    polygons: NDArray[np.integer],
    corners: NDArray[np.integer],
    size: int = 2048,
    padding: int = 8,
) -> NDArray[np.float32]:
    """As :func:`unwrap`, for a mesh of polygons, whose corners have one UV each: float32 (C, 2).

    A polygon whose triangles came into different islands, or that xatlas left out, is laid flat on its own beside them.

    Args:
        vertices, faces, size, padding: as there.
        polygons: (F,), the polygon that each triangle is part of.
        corners: (F, 3), the corner of its polygon at each corner of a triangle.
    """
    uvs = _charts(vertices, faces, size, padding).astype(np.float64)
    result = np.zeros((int(corners.max(initial=-1)) + 1, 2))
    result[corners.ravel()] = uvs.reshape(-1, 2)
    torn = (np.abs(result[corners] - uvs) > 1e-6).any(axis=(1, 2))
    steps = uvs[:, 1:] - uvs[:, :1]
    flat = np.abs(steps[:, 0, 0] * steps[:, 1, 1] - steps[:, 0, 1] * steps[:, 1, 0]) < 1e-14
    left_out = flat & (face_areas(vertices, faces) > 0)
    apart = np.flatnonzero(np.isin(polygons, polygons[torn | left_out]))
    if len(apart):
        _lay_apart(result, vertices, faces[apart], polygons[apart], corners[apart], uvs, faces, padding / size)
    # Keep away from the picture's border: beyond it an image is repeated.
    border = padding / 2 / size
    return np.asarray(border + (1 - 2 * border) * result, np.float32)


def _charts(vertices: NDArray[np.floating], faces: NDArray[np.integer], size: int, padding: int) -> NDArray[np.float32]:
    """What xatlas makes of a surface, (F, 3, 2)."""
    place = place_numbers(vertices)
    first = np.zeros(int(place.max(initial=-1)) + 1, np.int64)
    first[place] = np.arange(len(place))
    welded = np.ascontiguousarray(place[faces], np.uint32)
    atlas = xatlas.Atlas()
    try:
        atlas.add_mesh(np.ascontiguousarray(vertices[first], np.float32), welded)
        options = xatlas.PackOptions()
        options.resolution, options.padding = min(size, 4096), max(2, padding * min(size, 4096) // size)
        atlas.generate(xatlas.ChartOptions(), options)
        _, corners, uvs = atlas[0]
    except (RuntimeError, ValueError) as error:
        raise InputError("unwrap-failed", f"The mesh cannot be unwrapped: {error}.", "Unwrap it by hand.") from error
    if corners.shape != faces.shape:
        raise InputError("unwrap-failed", "The mesh cannot be unwrapped: faces were lost.", "Unwrap it by hand.")
    return np.asarray(uvs[corners], np.float32)


def _lay_apart(
    result: NDArray[np.float64],
    vertices: NDArray[np.floating],
    faces: NDArray[np.integer],
    polygons: NDArray[np.integer],
    corners: NDArray[np.integer],
    uvs: NDArray[np.float64],
    all_faces: NDArray[np.integer],
    gap: float,
) -> None:
    """Give some polygons a cell each in a strip above the rest of a layout (C, 2), in place."""
    places_of = vertices[faces].astype(np.float64)
    number = np.unique(polygons, return_inverse=True)[1].reshape(-1)
    count = int(number.max()) + 1
    normals = np.cross(places_of[:, 1] - places_of[:, 0], places_of[:, 2] - places_of[:, 0])
    normal = np.stack([np.bincount(number, normals[:, d], count) for d in range(3)], axis=1)
    normal = unit_rows(normal)
    across = unit_rows(np.cross(normal, np.eye(3)[np.abs(normal).argmin(axis=1)]))

    up = np.cross(normal, across)
    flat = np.stack(
        [np.einsum("fkd,fd->fk", places_of, axis[number]) for axis in (across, up)], axis=2
    )  # (F, 3, 2) in the polygon's plane
    steps = uvs[:, 1:] - uvs[:, :1]
    area = np.abs(steps[:, 0, 0] * steps[:, 1, 1] - steps[:, 0, 1] * steps[:, 1, 0]).sum()
    flat = flat * np.sqrt(area / max(2 * surface_area(vertices, all_faces), 1e-300))
    least = np.full((count, 2), np.inf)
    np.minimum.at(least, np.repeat(number, 3), flat.reshape(-1, 2))
    flat -= least[number][:, None]
    cell = float(flat.max(initial=0)) + gap
    columns = max(1, int(1 / cell))
    row, column = np.divmod(np.arange(count), columns)
    strip = (row.max() + 1) * cell
    spots = flat + gap / 2 + np.stack([column * cell, 1 + row * cell], axis=1)[number][:, None]
    result[corners.ravel()] = spots.reshape(-1, 2)
    scale = 1 / max(1 + float(strip), columns * cell)
    result[:] = result * scale
