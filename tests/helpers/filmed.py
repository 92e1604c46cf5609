"""A body that is posed by an armature, what a camera sees of it, and pictures and masks of its motion."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from mathutils import Quaternion

from helpers.creatures import creature, vertex_positions
from helpers.rigged import new_armature
from meshkin.base.png import write_png
from meshkin.data.photo_map import PhotoMap
from meshkin.scene.mesh import snapshot as snapshots


def rigged_body() -> tuple[bpy.types.Object, bpy.types.Object]:
    """A body whose right half turns with a bone of its own, and its armature, which stands turned and scaled."""
    obj = creature("body", subdivisions=4)
    armature = new_armature(
        "rig", {"root": ((0, 0, -0.5), (0, 0, 0.3), None), "arm": ((0.4, 0, 0), (1.8, 0, 0), "root")}
    )
    x = vertex_positions(obj)[:, 0]
    share = np.clip((x - 0.2) / 0.5, 0, 1)
    for name, values in (("root", 1 - share), ("arm", share)):
        group = obj.vertex_groups.new(name=name)
        for index, value in enumerate(values.tolist()):
            if value:
                group.add((index,), value, "REPLACE")
    obj.parent = armature
    obj.modifiers.new("Armature", "ARMATURE").object = armature
    armature.location, armature.scale = (3, 1, 2), (1.5, 1.5, 1.5)
    bpy.context.view_layer.update()
    return obj, armature


def points_of(obj: bpy.types.Object) -> np.ndarray:
    """The posed vertices in the world."""
    snapshot = snapshots.take(obj)
    return np.asarray(snapshot.vertices + snapshot.location, np.float64)


def area_of(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Twice the area between vectors of the plane."""
    return one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0]


def true_map(obj: bpy.types.Object, points: np.ndarray) -> tuple[PhotoMap, np.ndarray]:
    """What a camera before the body would see, from its vertices that face it; and their places, pixels."""
    faces = snapshots.take(obj).faces
    focal, shape = 60 / 36 * 160, (120, 160)
    seen = points - (3, 1 - 9, 2)
    places = np.column_stack((seen[:, 0], -seen[:, 2])) / seen[:, 1:2] * focal + (80, 60)
    corners = points[faces]
    is_front = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 1] < 0
    face, shares = np.full(shape, -1, np.int32), np.zeros((*shape, 3), np.float32)
    rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
    for number in np.flatnonzero(is_front):
        a, b, c = places[faces[number]]
        area = area_of(b - a, c - a)
        if abs(area) < 1e-9:
            continue
        pixel = np.stack((columns, rows), axis=-1)
        u = area_of(c - b, pixel - b) / area
        v = area_of(a - c, pixel - c) / area
        inside = (u >= 0) & (v >= 0) & (u + v <= 1)
        face[inside] = number
        shares[inside] = np.stack((u, v, 1 - u - v), axis=-1)[inside]
    mask = face >= 0
    picture = np.repeat((mask * np.uint8(200))[..., None], 3, axis=-1)
    scale = focal / seen[:, 1].mean()  # without what is near being larger
    camera = np.array([[scale, 0], [0, 0], [0, -scale], [80 - 3 * scale, 60 + 2 * scale]])
    found = PhotoMap(mask, face, shares, mask.astype(np.float32), faces, camera, picture, np.zeros((2, 5)))
    return found, places


def turn(armature: bpy.types.Object, angle: float) -> None:
    armature.pose.bones["arm"].rotation_mode = "QUATERNION"
    armature.pose.bones["arm"].rotation_quaternion = Quaternion((1, 0, 0), angle)
    bpy.context.view_layer.update()


def frames_of(obj: bpy.types.Object, armature: bpy.types.Object, folder: Path, seed: int = 0) -> None:
    """Pictures and masks of a body that moves, of which the third frame shows nothing."""
    for kind in ("frames", "masks"):
        (folder / kind).mkdir()
    for frame in range(3):
        turn(armature, 0.25 * frame)
        photo_map, _ = true_map(obj, points_of(obj))
        noise = np.random.default_rng(seed).integers(0, 60, photo_map.photo.shape, np.uint8)
        write_png(folder / "frames" / f"shot{frame + 8}.png", photo_map.photo + noise % 55)
        shown = photo_map.mask & (frame < 2)
        write_png(folder / "masks" / f"shot{frame + 8}.png", np.repeat(shown[..., None] * np.uint8(255), 3, axis=-1))
    turn(armature, 0)
