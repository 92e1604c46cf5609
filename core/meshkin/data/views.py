"""Cameras on a sphere around an object, and the pictures they take.

World frame: Blender's, Z up. Camera frame: x right, y up, the camera looks along -Z. Picture frame: row 0 is the
top, column 0 the left; pixel (row, column) covers [row, row + 1) x [column, column + 1), its center at + 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..base.errors import InputError, StorageError
from ..base.storage import UNREADABLE, make_folder, readable_failure
from .recipe import Recipe, ViewPlacement
from .snapshot import Snapshot

DISTANCE = 3.0
"""Distance of a camera from the object's center, in bounding-sphere radii. Chosen: a moderate perspective, about 39
degrees across the sphere."""
BORDER = 0.05
"""Share of the picture left free on each side of the object. Chosen."""
RESOLUTIONS = (16, 8192)
"""Smallest and largest resolution of a picture, pixels. Chosen: less shows nothing, more fills the memory."""


@dataclass(frozen=True)
class Views:
    """N perspective cameras around one object, each framed so that the object fills its picture.

    A vertex v (snapshot frame) lies, in camera n, at ``p = rotation[n] @ (v - center) / radius - (0, 0, distance)``,
    lengths in bounding-sphere radii. It is seen at depth ``-p.z`` at the picture coordinates, in widths,
    ``x = 1/2 + zoom[n] * p.x / depth - shift[n, 0]`` from the left and
    ``y = 1/2 - zoom[n] * p.y / depth + shift[n, 1]`` from the top.
    ``zoom`` is focal length over sensor width and ``shift`` is Blender's lens shift.

    Attributes:
        center: float64 (3,), snapshot frame.
        radius: of the bounding sphere around ``center``, Blender units.
        rotation: float64 (N, 3, 3), world axes to camera axes.
        zoom: float64 (N,).
        shift: float64 (N, 2).
        resolution: width and height of the square pictures, pixels.
        distance: of the cameras from the center, radii; above 1.
    """

    center: NDArray[np.float64]
    radius: float
    rotation: NDArray[np.float64]
    zoom: NDArray[np.float64]
    shift: NDArray[np.float64]
    resolution: int
    distance: float = DISTANCE

    def __len__(self) -> int:
        return len(self.rotation)

    def to_camera(self, view: int, vertices: NDArray[np.floating]) -> NDArray[np.float64]:
        """Vertices (V, 3) of the snapshot frame in one camera's frame, float64 (V, 3), in radii."""
        unit = (np.asarray(vertices, np.float64) - self.center) / self.radius
        return unit @ self.rotation[view].T - (0.0, 0.0, self.distance)

    def project(self, view: int, vertices: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Places of vertices (V, 3) in one camera's picture: x and y, (V, 2), pixels, and depth, (V,), radii."""
        camera = self.to_camera(view, vertices)
        depth = -camera[:, 2]
        plane = self.zoom[view] * camera[:, :2] / depth[:, None] - self.shift[view]
        return (np.column_stack((plane[:, 0], -plane[:, 1])) + 0.5) * self.resolution, depth

    def take(self, numbers: Sequence[int]) -> Views:
        """Only the cameras with these numbers, in this order."""
        index = list(numbers)
        return replace(self, rotation=self.rotation[index], zoom=self.zoom[index], shift=self.shift[index])

    def barycentric(self, view: int, corners: NDArray[np.floating], face: NDArray[np.integer]) -> NDArray[np.float64]:
        """Barycentric coordinates of pixel centers in their triangles, float64 (P, 3), for the P pixels that have one.

        Args:
            view: number of the camera.
            corners: (F, 3, 3), the triangles, snapshot frame.
            face: int (H, W), the triangle in each pixel, -1 for none.
        """
        rows, columns = np.nonzero(face >= 0)
        faces, back = np.unique(face[rows, columns], return_inverse=True)
        places, depth = self.project(view, np.reshape(corners[faces], (-1, 3)))
        scale = self.resolution / np.array(face.shape[::-1])
        a, b, c = np.moveaxis(places.reshape(-1, 3, 2)[back.reshape(-1)], 1, 0)
        center = (np.column_stack((columns, rows)) + 0.5) * scale
        toward_a, toward_b, toward_c = a - center, b - center, c - center
        areas = np.stack((_cross(toward_b, toward_c), _cross(toward_c, toward_a), _cross(toward_a, toward_b)), axis=1)
        areas *= np.where(areas.sum(axis=1, keepdims=True) < 0, -1, 1)
        # In perspective, a coordinate divided by the depth is linear in the picture.
        weights = np.maximum(areas, 0) / depth.reshape(-1, 3)[back.reshape(-1)]
        total = weights.sum(axis=1, keepdims=True)
        return np.divide(weights, total, out=np.full_like(weights, 1 / 3), where=total > 0)


_OPTIONAL = ("face", "color")
"""Passes that may be absent."""


@dataclass(frozen=True)
class Passes:
    """What the cameras of a :class:`Views` saw.

    Attributes:
        normal: float16 (N, H, W, 3), unit shading normal in the camera frame, turned toward the camera;
            0 on the background.
        depth: float32 (N, H, W), distance from the camera's plane in bounding-sphere radii (planar, not radial);
            inf on the background.
        face: int32 (N, H, W), the snapshot's triangle seen, -1 on the background; None if the renderer gives none.
        color: uint8 (N, H, W, 3), sRGB, the object's materials in even light, 0 on the background; None if not
            rendered.
    """

    normal: NDArray[np.float16]
    depth: NDArray[np.float32]
    face: NDArray[np.int32] | None
    color: NDArray[np.uint8] | None = None

    def save(self, folder: Path) -> None:
        """Write one .npy file for each pass (so that they can be memory-mapped); raises StorageError."""
        make_folder(folder)
        with readable_failure(folder, "writing"):
            np.save(folder / "normal.npy", self.normal)
            np.save(folder / "depth.npy", self.depth)
            for name in _OPTIONAL:
                if (values := getattr(self, name)) is not None:
                    np.save(folder / f"{name}.npy", values)

    @staticmethod
    def load(folder: Path) -> Passes:
        """The memory-mapped passes that :meth:`save` wrote; raises StorageError if they are missing or damaged."""
        try:
            normal, depth = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("normal", "depth"))
            files = [folder / f"{name}.npy" for name in _OPTIONAL]
            face, color = (np.load(file, mmap_mode="r") if file.exists() else None for file in files)
            size = depth.shape
            for values, shape in ((normal, (*size, 3)), (face, size), (color, (*size, 3))):
                if len(size) != 3 or (values is not None and values.shape != shape):
                    raise ValueError("pictures of different sizes")
        except UNREADABLE as error:
            raise StorageError(
                "file-damaged", f"The passes in {folder} cannot be read.", "Run the job again."
            ) from error
        return Passes(normal, depth, face, color)


def _cross(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cross product of vectors (P, 2) in the plane, (P,)."""
    return first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]


def fibonacci_directions(count: int) -> NDArray[np.float64]:
    """``count`` distinct, evenly spread directions on the unit sphere, float64 (count, 3), from the object outwards.

    The spherical Fibonacci lattice with an offset of half a step, which has no direction at the poles.
    """
    index = np.arange(count)
    height = 1 - (2 * index + 1) / count
    azimuth = index * np.pi * (3 - np.sqrt(5))
    return _spherical(azimuth, np.arcsin(height))


def ring_directions(rings: Sequence[tuple[float, int]]) -> NDArray[np.float64]:
    """Directions on rings of equal elevation, float64 (sum of counts, 3).

    Args:
        rings: (elevation in degrees, number of views) of each ring, which starts at the front (-Y in Blender).
    """
    azimuths = [np.arange(count) * 2 * np.pi / count - np.pi / 2 for _, count in rings]
    elevations = [np.full(count, np.radians(elevation)) for elevation, count in rings]
    return _spherical(np.concatenate(azimuths), np.concatenate(elevations))


def grid_directions(count: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The distinct directions of Diff3F's camera grid, float64 (N, 3), and how often the grid holds each, int64 (N,).

    The grid has ``floor(sqrt(count))`` azimuths by as many elevations, and both run over the full circle. A camera
    beyond a pole thus stands where another one stands already, with the same side up. Of 100 views 50 are distinct.
    Azimuth 0 is the front (-Y). Source: Diff3F (Dutt et al., CVPR 2024), ``render.py``.
    """
    steps = int(np.sqrt(count))
    angles = np.arange(steps) * 2 * np.pi / steps
    azimuth, elevation = np.repeat(angles, steps) - np.pi / 2, np.tile(angles, steps)
    directions = _spherical(azimuth, elevation)
    _, first, counts = np.unique(np.round(directions, 6) + 0.0, axis=0, return_index=True, return_counts=True)
    order = np.argsort(first)
    return directions[first[order]], counts[order]


def _spherical(azimuth: NDArray[np.float64], elevation: NDArray[np.float64]) -> NDArray[np.float64]:
    flat = np.cos(elevation)
    return np.stack((flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)), axis=1)


def frame(vertices: NDArray[np.floating], directions: NDArray[np.float64], resolution: int) -> Views:
    """Cameras that look from ``directions`` at the center of ``vertices``, each zoomed so that these fill its picture.

    Args:
        vertices: (V, 3), snapshot frame, finite.
        directions: unit vectors (N, 3) from the object toward the cameras, all different.
        resolution: width and height of the pictures, pixels.

    Raises:
        InputError: ``views-none`` without directions, ``views-repeated`` when two are the same,
            ``resolution-invalid`` outside :data:`RESOLUTIONS`, ``mesh-no-area`` when all vertices coincide.
    """
    center, radius, points = _sphere(vertices, directions, resolution)
    rotation = np.stack([look_from(direction) for direction in directions])
    views = Views(center, radius, rotation, np.ones(len(rotation)), np.zeros((len(rotation), 2)), resolution)
    zoom, shift = np.empty(len(views)), np.empty((len(views), 2))
    for view in range(len(views)):
        camera = views.to_camera(view, points)
        plane = camera[:, :2] / -camera[:, 2:]
        low, high = plane.min(axis=0), plane.max(axis=0)
        zoom[view] = (1 - 2 * BORDER) / max(float((high - low).max()), 1e-6)
        shift[view] = zoom[view] * (low + high) / 2
    return replace(views, zoom=zoom, shift=shift)


def surround(
    vertices: NDArray[np.floating], directions: NDArray[np.float64], resolution: int, distance: float, angle: float
) -> Views:
    """Cameras that look from one distance with one angle of view, as published methods place them.

    Args:
        vertices: (V, 3), snapshot frame, finite.
        directions: unit vectors (N, 3) from the object toward the cameras, all different.
        resolution: width and height of the pictures, pixels.
        distance: from the middle of the bounding box, in lengths of its diagonal; above 1/2, so that no camera is
            inside the object.
        angle: of view, degrees.

    Raises as :func:`frame`.
    """
    center, radius, points = _sphere(vertices, directions, resolution)
    diagonal = float(np.linalg.norm(points.max(axis=0) - points.min(axis=0)))
    rotation = np.stack([look_from(direction) for direction in directions])
    zoom = np.full(len(rotation), 0.5 / np.tan(np.radians(angle) / 2))
    return Views(center, radius, rotation, zoom, np.zeros((len(rotation), 2)), resolution, distance * diagonal / radius)


def _sphere(
    vertices: NDArray[np.floating], directions: NDArray[np.float64], resolution: int
) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
    """Center and radius of a sphere around the vertices, and the vertices as float64; raises as :func:`frame`."""
    if len(directions) == 0:
        raise InputError("views-none", "No view was asked for.", "Ask for at least one view.")
    if len(directions) > 1:
        cosine = directions @ directions.T
        np.fill_diagonal(cosine, -1)
        if cosine.max() > 1 - 1e-9:
            raise InputError("views-repeated", "Two of the views are the same.", "Give each ring its own elevation.")
    least, most = RESOLUTIONS
    if not least <= resolution <= most:
        raise InputError(
            "resolution-invalid", f"A picture of {resolution} pixels cannot be rendered.", f"Use {least} to {most}."
        )
    points = np.asarray(vertices, np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    center = (low + high) / 2
    radius = float(np.linalg.norm(points - center, axis=1).max())
    if radius == 0:
        raise InputError("mesh-no-area", "All vertices of the mesh lie in one point.", "Check the object's scale.")
    return center, radius, points


def look_from(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """World-to-camera rotation of a camera that looks against ``direction``, Z upwards (Y when looking along Z)."""
    backward = direction / np.linalg.norm(direction)
    up = np.array((0.0, 0.0, 1.0)) if abs(backward[2]) < 1 - 1e-6 else np.array((0.0, 1.0, 0.0))
    right = np.cross(up, backward)
    right /= np.linalg.norm(right)
    return np.stack((right, np.cross(backward, right), backward))


def placed_count(placement: ViewPlacement) -> int:
    """The number of views of a placement, including those left out."""
    return len(_directions(placement))


def of_recipe(snapshot: Snapshot, recipe: Recipe) -> Views:
    """The cameras that a recipe asks for around a mesh, without the views left out: in Blender and in the worker alike.

    Raises as :func:`frame`. The recipe must have views.
    """
    placement, vertices = recipe.views, snapshot.vertices[np.unique(snapshot.faces)]
    assert placement is not None
    directions = np.delete(_directions(placement), list(placement.without), axis=0)
    if placement.distance is not None and placement.angle is not None:
        return surround(vertices, directions, recipe.resolution, placement.distance, placement.angle)
    return frame(vertices, directions, recipe.resolution)


def _directions(placement: ViewPlacement) -> NDArray[np.float64]:
    """The directions of all views of a placement, including those left out."""
    if placement.pattern == "rings":
        return ring_directions(placement.rings)
    if placement.pattern == "grid":
        return grid_directions(placement.count)[0]
    return fibonacci_directions(placement.count)
