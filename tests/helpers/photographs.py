"""A painted object and pictures taken of it, for tests of photographs."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from meshkin.base.progress import finish
from meshkin.data.photo_map import PhotoMap
from meshkin.data.snapshot import Snapshot
from meshkin.data.views import frame, ring_directions
from meshkin.scene import compat
from meshkin.scene.mesh import snapshot as snapshots
from meshkin.scene.render import passes, surface_colors


def painted_egg(subdivisions: int = 4) -> bpy.types.Object:
    """An egg without symmetry, colored by position: no two points have the same color."""
    bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=subdivisions)
    obj = bpy.context.view_layer.objects.active
    obj.name = "egg"
    points = np.empty(3 * len(obj.data.vertices), np.float32)
    obj.data.vertices.foreach_get("co", points)
    places = points.reshape(-1, 3)
    places *= 1 + 0.3 * np.clip(places[:, :1], 0, None) + 0.2 * np.clip(places[:, 2:], 0, None)
    obj.data.vertices.foreach_set("co", places.ravel())
    colors = np.ones((len(places), 4), np.float32)
    colors[:, :3] = 0.5 + 0.5 * np.sin(4 * places)
    obj.data.color_attributes.new("paint", "FLOAT_COLOR", "POINT").data.foreach_set("color", colors.ravel())
    material = bpy.data.materials.new("paint")
    tree = compat.node_tree(material)
    node = tree.nodes.new("ShaderNodeVertexColor")
    node.layer_name = "paint"
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    tree.links.new(node.outputs["Color"], shader.inputs["Base Color"])
    obj.data.materials.append(material)
    return obj


def photograph_of(
    obj: bpy.types.Object, folder: Path, azimuth: float = 25, size: int = 200
) -> tuple[Snapshot, NDArray[np.uint8], NDArray[np.int32], NDArray[np.float64]]:
    """A picture of an object in front of a background.

    Returns:
        snapshot, colors uint8 (H, W, 3), the triangle in each pixel (H, W), -1 for the background, and the point of the
        surface in each pixel (H, W, 3).
    """
    snapshot = snapshots.take(obj)
    turn = np.radians(azimuth)
    x, y, z = ring_directions([(15, 1)])[0]
    direction = np.array((x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn), z))
    views = frame(snapshot.vertices[np.unique(snapshot.faces)], direction[None], size)
    rendered = finish(passes.render(snapshot, views, "auto", surface_colors.read(obj, snapshot)))
    assert rendered.face is not None
    assert rendered.color is not None
    weights = views.barycentric(0, snapshot.vertices[snapshot.faces], rendered.face[0])
    seen = rendered.face[0] >= 0
    points = np.zeros((size, size, 3))
    points[seen] = np.einsum("pk,pkd->pd", weights, snapshot.vertices[snapshot.faces[rendered.face[0][seen]]])
    shade = 0.55 + 0.45 * np.clip(rendered.normal[0].astype(np.float32) @ (0.6, 0.5, 0.62), 0, 1)  # a lamp at the side
    lit = rendered.color[0] * shade[..., None]
    shape = (size + 40, size + 120)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    picture = np.stack((90 + rows * 0.4, 120 + columns * 0.2, 160 - rows * 0.3), axis=-1)
    face, point = np.full(shape, -1, np.int32), np.zeros((*shape, 3))
    inner = (slice(25, 25 + size), slice(80, 80 + size))
    picture[inner][seen] = lit[seen]
    face[inner], point[inner] = rendered.face[0], points
    return snapshot, picture.clip(0, 255).astype(np.uint8), face, point


def median_error(
    photo_map: PhotoMap, snapshot: Snapshot, face: NDArray[np.int32], true_points: NDArray[np.float64]
) -> float:
    """Median distance to the true points over the pixels of the object in both, in diagonals of the bounding box."""
    both = photo_map.mask & (face >= 0)
    points = np.zeros((*photo_map.mask.shape, 3))
    points[photo_map.mask] = photo_map.pull(snapshot.vertices)
    distance = np.linalg.norm(points - true_points, axis=-1)[both]
    return float(np.median(distance) / np.linalg.norm(np.ptp(snapshot.vertices, axis=0)))
