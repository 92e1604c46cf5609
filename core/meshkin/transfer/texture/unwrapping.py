"""UV layouts for surfaces that have none."""

from __future__ import annotations

import numpy as np
import xatlas
from numpy.typing import NDArray

from ...base.errors import InputError
from ...geometry.arrays import AnyIntegers, Floats, unit_rows
from ...geometry.mesh import face_areas, surface_area
from ...geometry.welding import place_numbers
from .usable_uvs import doubled_areas

SAME_UV = 1e-6
"""UVs of one corner no farther apart than this are one. Chosen."""
LEAST_PACKED_AREA = 1e-14
"""Twice the area of a triangle in the unit square, below which xatlas has left it out. Chosen."""
LARGEST_PACKED = 4096
"""Largest width that xatlas packs for, pixels. Chosen."""


def unwrap(
    vertices: NDArray[np.floating], faces: AnyIntegers, size: int = 2048, padding: int = 8
) -> NDArray[np.float32]:
    """A UV layout: the surface cut into islands that lie flat without much stretch, packed into the unit square.

    Made by xatlas (https://github.com/jpcy/xatlas, MIT). Triangles without area get no area in the layout.

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
    faces: AnyIntegers,
    polygons: AnyIntegers,
    corners: AnyIntegers,
    size: int = 2048,
    padding: int = 8,
) -> NDArray[np.float32]:
    """A UV layout as of :func:`unwrap` for a mesh of polygons, whose corners have one UV each: float32 (C, 2).

    A polygon whose triangles came into different islands, or that xatlas left out, is laid flat on its own above them.

    Args:
        vertices, faces, size, padding: as there.
        polygons: (F,), the polygon that each triangle is part of.
        corners: (F, 3), the corner of its polygon at each corner of a triangle.
    """
    uvs = _charts(vertices, faces, size, padding).astype(np.float64)
    result = np.zeros((int(corners.max(initial=-1)) + 1, 2))
    result[corners.ravel()] = uvs.reshape(-1, 2)
    torn = (np.abs(result[corners] - uvs) > SAME_UV).any(axis=(1, 2))
    doubled = np.abs(doubled_areas(uvs))
    left_out = (doubled < LEAST_PACKED_AREA) & (face_areas(vertices, faces) > 0)
    apart = np.flatnonzero(np.isin(polygons, polygons[torn | left_out]))
    if len(apart):
        scale = np.sqrt(doubled.sum() / max(2 * surface_area(vertices, faces), 1e-300))
        flat = scale * _laid_flat(vertices[faces[apart]].astype(np.float64), polygons[apart])
        _place_above(result, corners[apart], flat, polygons[apart], padding / size)
    # Keep away from the picture's border: beyond it an image is repeated.
    border = padding / 2 / size
    return np.asarray(border + (1 - 2 * border) * result, np.float32)


def _charts(vertices: NDArray[np.floating], faces: AnyIntegers, size: int, padding: int) -> NDArray[np.float32]:
    """The UVs that xatlas makes for a surface, float32 (F, 3, 2); its vertices are welded first."""
    place = place_numbers(vertices)
    first = np.zeros(int(place.max(initial=-1)) + 1, np.int64)
    first[place] = np.arange(len(place))
    welded = np.ascontiguousarray(place[faces], np.uint32)
    atlas = xatlas.Atlas()
    try:
        atlas.add_mesh(np.ascontiguousarray(vertices[first], np.float32), welded)
        options = xatlas.PackOptions()
        width = min(size, LARGEST_PACKED)
        options.resolution, options.padding = width, max(2, padding * width // size)
        atlas.generate(xatlas.ChartOptions(), options)
        _, corners, uvs = atlas[0]
    except (RuntimeError, ValueError) as error:
        raise InputError("unwrap-failed", f"The mesh cannot be unwrapped: {error}.", "Unwrap it by hand.") from error
    if corners.shape != faces.shape:
        raise InputError("unwrap-failed", "The mesh cannot be unwrapped: faces were lost.", "Unwrap it by hand.")
    return np.asarray(uvs[corners], np.float32)


def _laid_flat(positions: Floats, polygons: AnyIntegers) -> Floats:
    """Triangles' corners (F, 3, 3) laid into the plane of the polygon (F,) that each is part of: (F, 3, 2).

    Each polygon's least coordinates are 0.
    """
    number = np.unique(polygons, return_inverse=True)[1].reshape(-1)
    count = int(number.max()) + 1
    normals = np.cross(positions[:, 1] - positions[:, 0], positions[:, 2] - positions[:, 0])
    normal = unit_rows(np.stack([np.bincount(number, normals[:, axis], count) for axis in range(3)], axis=1))
    across = unit_rows(np.cross(normal, np.eye(3)[np.abs(normal).argmin(axis=1)]))
    up = np.cross(normal, across)
    flat = np.stack([np.einsum("fkd,fd->fk", positions, axis[number]) for axis in (across, up)], axis=2)
    least = np.full((count, 2), np.inf)
    np.minimum.at(least, np.repeat(number, 3), flat.reshape(-1, 2))
    return np.asarray(flat - least[number][:, None])


def _place_above(result: Floats, corners: AnyIntegers, flat: Floats, polygons: AnyIntegers, gap: float) -> None:
    """Give polygons a cell each in a strip above the rest of a layout, and shrink it all into the unit square.

    Args:
        result: (C, 2), the layout's UVs, changed.
        corners: (F, 3), the rows of ``result`` of the polygons' triangles.
        flat: (F, 3, 2), the UVs that these have in their cell.
        polygons: (F,), the polygon of each.
        gap: between two polygons.
    """
    number = np.unique(polygons, return_inverse=True)[1].reshape(-1)
    cell = float(flat.max(initial=0)) + gap
    columns = max(1, int(1 / cell))
    row, column = np.divmod(np.arange(int(number.max()) + 1), columns)
    strip = (row.max() + 1) * cell
    cells = np.stack([column * cell, 1 + row * cell], axis=1)
    result[corners.ravel()] = (flat + gap / 2 + cells[number][:, None]).reshape(-1, 2)
    scale = 1 / max(1 + float(strip), columns * cell)
    result[:] = result * scale
