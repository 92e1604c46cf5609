"""An object with a painted face and pictures taken of it, for tests of photographs."""

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


def egg(subdivisions: int = 4) -> bpy.types.Object:
    """A lopsided egg painted with its own place: every point has a color of its own."""
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
    shader = next(one for one in tree.nodes if one.type == "BSDF_PRINCIPLED")
    tree.links.new(node.outputs["Color"], shader.inputs["Base Color"])
    obj.data.materials.append(material)
    return obj


def taken(
    obj: bpy.types.Object, folder: Path, azimuth: float = 25, size: int = 200
) -> tuple[Snapshot, NDArray[np.uint8], NDArray[np.int32], NDArray[np.float64]]:
    """A picture of an object before a background: colors, and the face and the point that each pixel shows."""
    snapshot = snapshots.take(obj)
    turn = np.radians(azimuth)
    x, y, z = ring_directions([(15, 1)])[0]
    direction = np.array((x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn), z))
    views = frame(snapshot.vertices[np.unique(snapshot.faces)], direction[None], size)
    found = finish(passes.render(snapshot, views, "auto", surface_colors.read(obj, snapshot)))
    assert found.face is not None
    assert found.color is not None
    weights = views.barycentric(0, snapshot.vertices[snapshot.faces], found.face[0])
    seen = found.face[0] >= 0
    points = np.zeros((size, size, 3))
    points[seen] = np.einsum("pk,pkd->pd", weights, snapshot.vertices[snapshot.faces[found.face[0][seen]]])
    shade = 0.55 + 0.45 * np.clip(found.normal[0].astype(np.float32) @ (0.6, 0.5, 0.62), 0, 1)  # a lamp at the side
    lit = found.color[0] * shade[..., None]
    wide = (size + 40, size + 120)
    rows, columns = np.mgrid[: wide[0], : wide[1]]
    picture = np.stack((90 + rows * 0.4, 120 + columns * 0.2, 160 - rows * 0.3), axis=-1)
    face, place = np.full(wide, -1, np.int32), np.zeros((*wide, 3))
    inner = (slice(25, 25 + size), slice(80, 80 + size))
    picture[inner][seen] = lit[seen]
    face[inner], place[inner] = found.face[0], points
    return snapshot, picture.clip(0, 255).astype(np.uint8), face, place


def error(found: PhotoMap, snapshot: Snapshot, face: NDArray[np.int32], place: NDArray[np.float64]) -> float:
    """Median distance to the truth over the pixels that both have, in diagonals of the bounding box."""
    both = found.mask & (face >= 0)
    points = np.zeros((*found.mask.shape, 3))
    points[found.mask] = found.pull(snapshot.vertices)
    away = np.linalg.norm(points - place, axis=-1)[both]
    return float(np.median(away) / np.linalg.norm(np.ptp(snapshot.vertices, axis=0)))
