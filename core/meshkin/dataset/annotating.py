"""From what stands in a scene, as arrays, to the passes and the record of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..geometry.arrays import AnyFloats, Floats, unit_rows
from .camera import PinholeCamera
from .raster import NEAR, Fragments, barycentric, fragments
from .record import HIDDEN, UNKNOWN, VISIBLE, InstanceRecord, KeyPoint, PicturePasses, numbers

KEY_REACH = 2.0
"""A key point within an object is seen if its own surface before it is no farther away than so many times its distance
from the surface: through its own skin. Chosen: limbs and heads are no thicker one way than twice the other."""
KEY_MARGIN = 0.01
"""What lies before it may be farther away by this share of the object's size. Chosen: a pixel or two of a picture."""
_BESIDE = (-1, 0, 1)
"""Pixels around a key point's own that are asked for what is seen there: at an outline, its own may show what is
behind."""
_PADDING = 1
"""Widths of a picture that an object is counted in beside it, on each side; what reaches farther is cut off there."""


@dataclass(frozen=True)
class PlacedMesh:
    """A mesh where it stands.

    Attributes:
        name: of its object.
        vertices: float64 (V, 3), in the world.
        faces: int (F, 3).
        normals: float32 (F, 3, 3), shading normals at the corners, in the world.
        model: number of its model; 0 for what is in the picture but not an object of the set.
        pose: (4, 4), model to world, without scale.
        parts: uint16 (F,), the part of each face, from 1; 0 for none.
        coordinates: float64 (V, 3), the place on the model, in [0, 1].
        key_points: names and places in the world, (3,).
    """

    name: str
    vertices: Floats
    faces: NDArray[np.integer]
    normals: NDArray[np.float32]
    model: int = 0
    pose: Floats = field(default_factory=lambda: np.eye(4))
    parts: NDArray[np.uint16] | None = None
    coordinates: Floats | None = None
    key_points: tuple[tuple[str, Floats], ...] = ()

    @property
    def local(self) -> Floats:
        """Its vertices in the model's frame, (V, 3)."""
        return np.asarray((self.vertices - self.pose[:3, 3]) @ self.pose[:3, :3])


def box_coordinates(local: Floats) -> Floats:
    """Places (V, 3) in [0, 1] of a model's vertices: its box's diagonal is 1 long, its middle at 1/2 (as NOCS has it:
    Wang et al., CVPR 2019)."""
    low, high = local.min(axis=0), local.max(axis=0)
    diagonal = float(np.linalg.norm(high - low)) or 1.0
    return np.asarray((local - (low + high) / 2) / diagonal + 0.5)


def annotate(
    camera: PinholeCamera, meshes: Sequence[PlacedMesh], near: float = NEAR
) -> tuple[PicturePasses, tuple[InstanceRecord, ...]]:
    """What a camera sees of meshes: the passes, and a record of each mesh that is an object of the set.

    An object of which nothing would be in the picture, even if it stood alone, has no record.
    """
    starts = np.cumsum([0, *(len(mesh.faces) for mesh in meshes)])
    in_camera = [camera.to_camera(mesh.vertices) for mesh in meshes]
    corners = np.concatenate([points[mesh.faces] for points, mesh in zip(in_camera, meshes, strict=True)] or [_none()])
    covered = fragments(camera, corners, near)
    owner = np.searchsorted(starts, covered.face, side="right") - 1
    face, depth = covered.nearest(camera.width * camera.height)
    shown = np.where(face >= 0, np.searchsorted(starts, face, side="right") - 1, -1)
    size = (camera.height, camera.width)
    records: list[InstanceRecord] = []
    masks: list[NDArray[np.bool_]] = []
    ids = np.zeros(len(meshes) + 1, np.uint16)  # the last one is of pixels that show nothing
    for index, mesh in enumerate(meshes):
        if not mesh.model:
            continue
        mask = np.zeros(size, bool)
        mask.ravel()[covered.pixel[owner == index]] = True
        if not mask.any():
            continue
        ids[index] = len(records) + 1
        own = corners[starts[index] : starts[index + 1]]
        whole_box, pixels = _whole(camera, own, mask, near)
        seen = (shown == index).reshape(size)
        key_points = _key_points(camera, mesh, depth.reshape(size), (shown == index).reshape(size))
        box = np.array((mesh.local.min(axis=0), mesh.local.max(axis=0))).tolist()
        counts = (int(seen.sum()), int(mask.sum()), pixels)
        records.append(
            InstanceRecord(
                id=len(records) + 1,
                model=mesh.model,
                name=mesh.name,
                pose=numbers(mesh.pose),
                low=tuple(box[0]),
                high=tuple(box[1]),
                box=box_of(seen),
                whole_box=whole_box,
                pixels=counts,
                key_points=key_points,
            )
        )
        masks.append(mask)
    layers = np.array(masks, bool).reshape(-1, *size)
    return _passes(camera, meshes, corners, (face, depth, ids[shown]), layers), tuple(records)


def box_of(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """The box around what a mask (H, W) shows: left, top, width, height; zeros if it shows nothing."""
    if not mask.any():
        return 0, 0, 0, 0
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    return left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1


def _none() -> Floats:
    return np.zeros((0, 3, 3))


def _whole(
    camera: PinholeCamera, corners: Floats, mask: NDArray[np.bool_], near: float
) -> tuple[tuple[int, int, int, int], int]:
    """The box around a mesh that stands alone, also beyond the picture's border, and how many pixels show it there."""
    cut_off = corners[:, :, 2].min() < near or mask[[0, -1]].any() or mask[:, [0, -1]].any()
    if not cut_off:
        return box_of(mask), int(mask.sum())
    wide = camera.padded(_PADDING)
    covered: Fragments = fragments(wide, corners, near)
    large = np.zeros((wide.height, wide.width), bool)
    large.ravel()[covered.pixel] = True
    left, top, width, height = box_of(large)
    return (left - _PADDING * camera.width, top - _PADDING * camera.height, width, height), int(large.sum())


def _key_points(
    camera: PinholeCamera, mesh: PlacedMesh, depth: NDArray[np.float32], own: NDArray[np.bool_]
) -> tuple[KeyPoint, ...]:
    """The key points of a mesh in a picture, whose pixels have these depths and show it or not, (H, W)."""
    size = float(np.linalg.norm(np.ptp(mesh.vertices, axis=0)))
    found = []
    for name, place in mesh.key_points:
        (x, y), away = (values[0] for values in camera.project(place[None]))
        visible = UNKNOWN
        if away > 0 and 0 <= x < camera.width and 0 <= y < camera.height:
            to_surface = float(np.sqrt(((mesh.vertices - place) ** 2).sum(axis=1).min()))
            rows = np.clip(int(y) + np.array(_BESIDE), 0, camera.height - 1)
            columns = np.clip(int(x) + np.array(_BESIDE), 0, camera.width - 1)
            around = np.ix_(rows, columns)
            reach = KEY_REACH * to_surface * own[around] + KEY_MARGIN * size
            visible = VISIBLE if (depth[around] >= away - reach).any() else HIDDEN
        at = (float(x), float(y)) if away > 0 else (0.0, 0.0)
        found.append(KeyPoint(name, *at, visible, (float(place[0]), float(place[1]), float(place[2]))))
    return tuple(found)


def _passes(
    camera: PinholeCamera,
    meshes: Sequence[PlacedMesh],
    corners: Floats,
    shown: tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.uint16]],
    masks: NDArray[np.bool_],
) -> PicturePasses:
    """Values of all pixels from the triangle that each shows.

    Args:
        camera, meshes: what is seen.
        corners: (F, 3, 3), the triangles of all meshes, in the camera's frame.
        shown: the triangle that each pixel shows, its depth, and the id of its instance.
        masks: of the instances.
    """
    face, depth, objects = shown
    size = (camera.height, camera.width)
    pixel = np.flatnonzero(face >= 0)
    some = face[pixel]
    weights = barycentric(camera, corners, pixel, some)

    def interpolated(values: list[AnyFloats]) -> Floats:
        at_corners = np.concatenate(values) if values else np.zeros((0, 3, 3))
        return np.einsum("pk,pkd->pd", weights, at_corners[some])

    normals = unit_rows(interpolated([mesh.normals for mesh in meshes])) @ camera.rotation.T
    ray = np.einsum("pk,pkd->pd", weights, corners[some])
    normals *= np.where(np.einsum("pd,pd->p", normals, ray) > 0, -1, 1)[:, None]  # toward the camera
    places = [
        np.zeros((len(mesh.faces), 3, 3)) if mesh.coordinates is None else mesh.coordinates[mesh.faces]
        for mesh in meshes
    ]
    parts = [np.zeros(len(mesh.faces), np.uint16) if mesh.parts is None else mesh.parts for mesh in meshes]
    normal, coordinates = np.zeros((2, face.size, 3), np.float16)
    part = np.zeros(face.size, np.uint16)
    normal[pixel], coordinates[pixel] = normals, interpolated(places)
    part[pixel] = np.concatenate(parts)[some] if parts else 0
    is_object = objects > 0
    coordinates[~is_object], part[~is_object] = 0, 0
    return PicturePasses(
        depth.reshape(size),
        normal.reshape(*size, 3),
        objects.reshape(size),
        part.reshape(size),
        coordinates.reshape(*size, 3),
        masks,
    )
