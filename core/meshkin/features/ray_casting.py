"""Pictures of shapes without Blender: what each pixel's ray meets first."""

from __future__ import annotations

from dataclasses import replace

import igl
import numpy as np
from numpy.typing import NDArray

from ..base.progress import ProgressCallback, silent
from ..data.snapshot import Snapshot
from ..data.views import Passes, Views
from ..geometry.arrays import Floats, unit_rows
from ..geometry.winding import consistent_shading


def cast_passes(shape: Snapshot, views: Views, report: ProgressCallback = silent) -> Passes:
    """Return what cameras see of a shape: normals, depth and faces, without colors.

    A pixel takes the value at its center, as in Blender's renders, but is not smoothed at edges.

    Args:
        shape: the shape.
        views: the cameras.
        report: is told the share that is done; may raise Cancelled.
    """
    size, count = views.resolution, len(views)
    consistent_faces, normals = consistent_shading(shape.vertices, shape.faces, shape.normals)
    shape = replace(shape, faces=consistent_faces.astype(np.int32), normals=normals)
    vertices, faces = shape.vertices.astype(np.float64), shape.faces.astype(np.int64)
    corners = vertices[faces]
    rays = SurfaceRays(shape)
    normal = np.zeros((count, size, size, 3), np.float16)
    depth = np.full((count, size, size), np.inf, np.float32)
    face = np.full((count, size, size), -1, np.int32)
    for view in range(count):
        report("Casting rays", view / count)
        face[view], depth[view] = rays.seen(views, view)
        normal[view][face[view] >= 0] = _camera_normals(shape, views, view, corners, face[view])
    return Passes(normal, depth, face)


class SurfaceRays:
    """Rays that meet a shape, for as many views as are asked for.

    Args:
        shape: the shape.
    """

    def __init__(self, shape: Snapshot) -> None:
        self._vertices, self._faces = shape.vertices.astype(np.float64), shape.faces.astype(np.int64)
        self._tree = igl.AABB()
        self._tree.init(self._vertices, self._faces)

    def seen(self, views: Views, view: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the face in each pixel, int32 (H, W), -1 for none, and its depth (H, W) in radii, inf for none."""
        size = views.resolution
        depth = np.full((size, size), np.inf, np.float32)
        face = np.full((size, size), -1, np.int32)
        row, column = np.nonzero(_possible_pixels(views, view, self._vertices, self._faces))
        origin, directions = _rays(views, view, row, column)
        origins = np.tile(origin, (len(row), 1))
        hit, distance, _ = self._tree.intersect_ray_first(self._vertices, self._faces, origins, directions)
        is_hit = hit >= 0
        face[row[is_hit], column[is_hit]] = hit[is_hit]
        depth[row[is_hit], column[is_hit]] = distance[is_hit]
        return face, depth


def _possible_pixels(views: Views, view: int, vertices: Floats, faces: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Return which pixels (H, W) may show something: those in the box of some triangle in the picture.

    Args:
        views, view: the cameras, and the number of one; all vertices lie before it.
        vertices: (V, 3).
        faces: (F, 3).
    """
    size = views.resolution
    places = views.project(view, vertices)[0][faces]
    low = np.clip(np.floor(places.min(axis=1)).astype(np.int64) - 1, 0, size)
    high = np.clip(np.floor(places.max(axis=1)).astype(np.int64) + 2, 0, size)
    # Each box adds 1 at two corners and takes it away at the others: the sums from the upper left count the boxes.
    count = np.zeros((size + 1, size + 1), np.int64)
    for rows, columns, change in ((low, low, 1), (high, high, 1), (low, high, -1), (high, low, -1)):
        np.add.at(count, (rows[:, 1], columns[:, 0]), change)
    return np.asarray(count.cumsum(axis=0).cumsum(axis=1)[:size, :size] > 0)


def _rays(views: Views, view: int, row: NDArray[np.integer], column: NDArray[np.integer]) -> tuple[Floats, Floats]:
    """Return the origin (3,) and the directions (P, 3) of one camera's rays through the centers of pixels.

    Directions are so long that distances along them are depths in radii.

    Args:
        views, view: the cameras, and the number of one.
        row, column: (P,), of the pixels.
    """
    x, y = (column + 0.5) / views.resolution, (row + 0.5) / views.resolution
    (shift_x, shift_y), zoom, rotation = views.shift[view], views.zoom[view], views.rotation[view]
    camera = np.stack(((x - 0.5 + shift_x) / zoom, (0.5 - y + shift_y) / zoom, -np.ones_like(x)), axis=-1)
    directions = np.ascontiguousarray(camera @ rotation) * views.radius
    return views.center + views.radius * views.distance * rotation[2], directions


def _camera_normals(shape: Snapshot, views: Views, view: int, corners: Floats, face: NDArray[np.int32]) -> Floats:
    """Return the shading normals (P, 3) of the pixels that show a face, in the camera's frame, turned toward it.

    Args:
        shape: the shape.
        views, view: the cameras, and the number of one.
        corners: (F, 3, 3), positions of the triangles' corners.
        face: (H, W), the face that each pixel shows, -1 for none.
    """
    weights = views.barycentric(view, corners, face)
    shown = face[face >= 0]
    rotation = views.rotation[view]
    normals = unit_rows(np.einsum("pk,pkd->pd", weights, shape.normals[shown].astype(np.float64))) @ rotation.T
    points = np.einsum("pk,pkd->pd", weights, corners[shown])
    to_points = views.to_camera(view, points)
    is_away = np.einsum("pd,pd->p", normals, to_points) > 0
    return np.asarray(np.where(is_away[:, None], -normals, normals))
