"""Pictures of shapes without Blender: what each pixel's ray meets first."""

from __future__ import annotations

import igl
import numpy as np
from numpy.typing import NDArray

from ..base.progress import ProgressCallback, silent
from ..data.snapshot import Snapshot
from ..data.views import Passes, Views
from ..geometry.arrays import Floats, unit_rows


def cast_passes(shape: Snapshot, views: Views, report: ProgressCallback = silent) -> Passes:
    """Return what cameras see of a shape: normals, depth and faces, without colors.

    A pixel takes the value at its center, as in Blender's renders, but is not smoothed at edges.

    Args:
        shape: the shape.
        views: the cameras.
        report: is told the share that is done; may raise Cancelled.
    """
    size, count = views.resolution, len(views)
    vertices, faces = shape.vertices.astype(np.float64), shape.faces.astype(np.int64)
    corners = vertices[faces]
    tree = igl.AABB()
    tree.init(vertices, faces)
    normal = np.zeros((count, size, size, 3), np.float16)
    depth = np.full((count, size, size), np.inf, np.float32)
    face = np.full((count, size, size), -1, np.int32)
    for view in range(count):
        report("Casting rays", view / count)
        origin, directions = _rays(views, view)
        hit, distance, _ = tree.intersect_ray_first(vertices, faces, np.tile(origin, (size * size, 1)), directions)
        is_hit = (hit >= 0).reshape(size, size)
        face[view][is_hit], depth[view][is_hit] = hit[hit >= 0], distance[hit >= 0]
        normal[view][is_hit] = _camera_normals(shape, views, view, corners, face[view])
    return Passes(normal, depth, face)


def _rays(views: Views, view: int) -> tuple[Floats, Floats]:
    """Return the origin (3,) and the directions (H W, 3) of one camera's rays, through the centers of the pixels.

    Directions are so long that distances along them are depths in radii.
    """
    axis = (np.arange(views.resolution) + 0.5) / views.resolution
    x, y = np.meshgrid(axis, axis)
    (shift_x, shift_y), zoom, rotation = views.shift[view], views.zoom[view], views.rotation[view]
    camera = np.stack(((x - 0.5 + shift_x) / zoom, (0.5 - y + shift_y) / zoom, -np.ones_like(x)), axis=-1)
    directions = np.ascontiguousarray(camera.reshape(-1, 3) @ rotation) * views.radius
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
