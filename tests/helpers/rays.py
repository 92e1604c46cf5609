"""Pictures of meshes by casting rays: what a renderer has to give."""

from __future__ import annotations

from typing import Any

import igl
import numpy as np
from numpy.typing import NDArray

from meshkin.data.snapshot import Snapshot
from meshkin.data.views import Passes, Views

Array = NDArray[Any]


def cast(views: Views, vertices: Array, faces: Array) -> tuple[Array, Array, Array]:
    """Depth (N, H, W) in radii, face (N, H, W) and surface point (N, H, W, 3) at each pixel's center."""
    size = views.resolution
    axis = (np.arange(size) + 0.5) / size
    x, y = np.meshgrid(axis, axis)
    tree = igl.AABB()
    tree.init(vertices, faces)
    depth, face = np.empty((len(views), size, size), np.float32), np.empty((len(views), size, size), np.int32)
    point = np.empty((len(views), size, size, 3))
    for view, rotation in enumerate(views.rotation):
        shift, zoom = views.shift[view], views.zoom[view]
        ray = np.stack(((x - 0.5 + shift[0]) / zoom, (0.5 - y + shift[1]) / zoom, -np.ones_like(x)), axis=-1)
        direction = np.ascontiguousarray(ray.reshape(-1, 3) @ rotation) * views.radius
        eye = views.center + views.radius * views.distance * rotation[2]
        hit, distance, _ = tree.intersect_ray_first(vertices, faces, np.tile(eye, (size * size, 1)), direction)
        depth[view] = np.where(hit >= 0, distance, np.inf).reshape(size, size)
        face[view] = hit.reshape(size, size)
        point[view] = (eye + np.where(hit >= 0, distance, 0)[:, None] * direction).reshape(size, size, 3)
    return depth, face, point


def passes(shape: Snapshot, views: Views) -> Passes:
    """The passes of a mesh whose normal at a vertex is the direction from its middle."""
    vertices, faces = shape.vertices.astype(np.float64), shape.faces.astype(np.int64)
    depth, face, point = cast(views, vertices, faces)
    world = point - vertices.mean(axis=0)
    world /= np.linalg.norm(world, axis=-1, keepdims=True)
    camera = np.einsum("nij,nhwj->nhwi", views.rotation, world) * (face >= 0)[..., None]
    return Passes(camera.astype(np.float16), depth, face)
