"""A mesh as plain arrays, which all later stages use instead of Blender's data."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..base.errors import InputError
from ..base.storage import read_arrays, write_arrays

MIN_AREA = 1e-14
"""A mesh whose largest triangle is not larger than this has no area; in squares of the mesh's extent. Chosen: about the
square of float32's relative rounding error, 6e-8."""

STRAY = 1e5
"""A vertex is a stray if it is so many times farther from the middle than the median vertex; chosen: characters in one
scene are within a thousand."""
PLACE_ROUNDING = 1e-4
"""Places of the pieces of a joined shape count in its key to this share of its size; chosen: above rounding errors."""
_NAMED = 5
"""Vertices that an error names (chosen)."""
_ARRAYS_FIX = "Give vertices as (V, 3) numbers and triangles as (F, 3) whole numbers."


def connected_parts(count: int, faces: NDArray[np.integer]) -> NDArray[np.int32]:
    """Return the number of the connected part of each vertex, int32 (count,), in the order of their first vertices.

    The method is hooking and pointer jumping (Shiloach and Vishkin 1982) on whole arrays, because Blender has no SciPy.

    Args:
        count: number of vertices.
        faces: int (F, 3), vertex indices of the triangles.
    """
    root = np.arange(count)
    start, end = np.concatenate((faces[:, :2], faces[:, 1:])).T
    while True:
        start_root, end_root = root[start], root[end]
        apart = start_root != end_root
        if not apart.any():
            break
        start, end, start_root, end_root = start[apart], end[apart], start_root[apart], end_root[apart]
        np.minimum.at(root, np.maximum(start_root, end_root), np.minimum(start_root, end_root))
        while not np.array_equal(root, above := root[root]):
            root = above
    return np.unique(root, return_inverse=True)[1].astype(np.int32).reshape(count)


@dataclass(frozen=True)
class Snapshot:
    """The evaluated mesh of one object at one moment.

    Frame: world axes and world scale (Blender units, Z up), origin at the object's origin, so that moving an object
    does not change its snapshot. Triangles wind counter-clockwise as seen from outside, also if the scale is negative.

    Attributes:
        name: the object's name.
        vertices: float32 (V, 3).
        faces: int32 (F, 3), vertex indices of the triangles.
        polygons: int32 (F,), the evaluated mesh's polygon that each triangle is part of.
        corners: int32 (F, 3), the evaluated mesh's corner (loop) at each triangle corner.
        normals: float32 (F, 3, 3), unit shading normal at each triangle corner (flat, smooth or custom).
        uvs: float32 (F, 3, 2), UV coordinates at each triangle corner, from the UV map active for rendering, or None.
        uv_name: that UV map's name, or "".
        materials: int32 (F,), material slot index of each triangle.
        material_names: name of the material in each slot ("" for an empty slot).
        parts: int32 (V,), number of the connected part of each vertex, from 0; a vertex without a triangle is a part of
            its own.
        original: int32 (W,), for each vertex of the object's own (unevaluated) mesh, the corresponding vertex of the
            snapshot. ``values[snapshot.original]`` are the values to write back to the own mesh.
        location: float64 (3,), the object's origin in the world (not part of the key).
        known_as: the key of the shape that this one is but for rounding errors; "" if it is known by its own.
    """

    name: str
    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    polygons: NDArray[np.int32]
    corners: NDArray[np.int32]
    normals: NDArray[np.float32]
    uvs: NDArray[np.float32] | None
    uv_name: str
    materials: NDArray[np.int32]
    material_names: tuple[str, ...]
    parts: NDArray[np.int32]
    original: NDArray[np.int32]
    location: NDArray[np.float64]
    known_as: str = ""

    @staticmethod
    def from_arrays(vertices: ArrayLike, faces: ArrayLike, name: str = "mesh") -> Snapshot:
        """Return a snapshot of plain triangles with flat shading, without UVs and materials.

        Args:
            vertices: (V, 3), positions, Z up; in any unit.
            faces: int (F, 3), vertex indices of the triangles, counter-clockwise seen from outside.
            name: the shape's name in messages.

        Raises:
            InputError: ``mesh-arrays`` (other shapes, or not numbers), ``mesh-faces`` (a triangle has a vertex index
                out of range), and as :meth:`check`.
        """
        points, triangles = _checked_arrays(vertices, faces, name)
        corners = points[triangles].astype(np.float64)
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), np.finfo(np.float64).tiny)
        count = len(triangles)
        return Snapshot(
            name=name,
            vertices=points,
            faces=triangles,
            polygons=np.arange(count, dtype=np.int32),
            corners=np.arange(3 * count, dtype=np.int32).reshape(-1, 3),
            normals=np.repeat(normals[:, None], 3, axis=1).astype(np.float32),
            uvs=None,
            uv_name="",
            materials=np.zeros(count, np.int32),
            material_names=("",),
            parts=connected_parts(len(points), triangles),
            original=np.arange(len(points), dtype=np.int32),
            location=np.zeros(3),
        ).check()

    @staticmethod
    def joined(pieces: Sequence[Snapshot], name: str = "") -> Snapshot:
        """Return the snapshot of several meshes as one, in the frame of the first.

        Vertices, triangles, polygons, corners, material slots, parts and own vertices are those of the first, then
        those of the second and so on. A piece without UVs lies at the origin of the UV map. One piece stays as it is.

        Args:
            pieces: the snapshots, at least one.
            name: what it is called in messages; "" for the first one's name.
        """
        first = pieces[0]
        if len(pieces) == 1:
            return first
        places = [piece.location - first.location for piece in pieces]
        counts = np.array([_counts(piece) for piece in pieces])
        vertex, polygon, corner, slot, part = (np.cumsum(counts, axis=0) - counts).T.astype(np.int32)
        has_uvs = any(piece.uvs is not None for piece in pieces)
        uvs = [np.zeros((len(piece.faces), 3, 2), np.float32) if piece.uvs is None else piece.uvs for piece in pieces]

        def end_to_end(values: list[NDArray[np.int32]], starts: NDArray[np.int32]) -> NDArray[np.int32]:
            return np.concatenate([value + start for value, start in zip(values, starts, strict=True)])

        joined = Snapshot(
            name=name or first.name,
            vertices=np.concatenate(
                [(piece.vertices + place).astype(np.float32) for piece, place in zip(pieces, places, strict=True)]
            ),
            faces=end_to_end([piece.faces for piece in pieces], vertex),
            polygons=end_to_end([piece.polygons for piece in pieces], polygon),
            corners=end_to_end([piece.corners for piece in pieces], corner),
            normals=np.concatenate([piece.normals for piece in pieces]),
            uvs=np.concatenate(uvs) if has_uvs else None,
            uv_name=next((piece.uv_name for piece in pieces if piece.uv_name), ""),
            materials=end_to_end([piece.materials for piece in pieces], slot),
            material_names=tuple(each for piece in pieces for each in piece.material_names or ("",)),
            parts=end_to_end([piece.parts for piece in pieces], part),
            original=end_to_end([piece.original for piece in pieces], vertex),
            location=first.location,
        )
        # A character that is moved stays the same shape, although sums of floating-point numbers do not.
        grid = PLACE_ROUNDING * float(np.ptp(joined.vertices, axis=0).max(initial=0)) or 1.0
        digest = hashlib.blake2b("".join(piece.key for piece in pieces).encode(), digest_size=16)
        digest.update((np.round(np.array(places) / grid) + 0.0).tobytes())
        return replace(joined, known_as=digest.hexdigest())

    @property
    def key(self) -> str:
        """Return the shape's key in the cache: :attr:`known_as`, or its own."""
        return self.known_as or self.own_key

    @cached_property
    def own_key(self) -> str:
        """Return the hash of vertices, triangles and shading normals, 32 hex digits."""
        digest = hashlib.blake2b(digest_size=16)
        for array in (self.vertices, self.faces, self.normals):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def check(self) -> Snapshot:
        """Return this snapshot if features can be computed on it.

        Raises InputError: ``mesh-empty`` (no vertices or no faces), ``mesh-nan`` (a coordinate, or where the object
        is, is not a finite number), ``mesh-far`` (stray vertices), ``mesh-no-area`` (every face has zero area).
        """
        if len(self.vertices) == 0 or len(self.faces) == 0:
            raise InputError("mesh-empty", f"“{self.name}” has no faces.", "Choose an object with a surface.")
        if not np.isfinite(self.location).all():
            raise InputError(
                "mesh-nan",
                f"The location of “{self.name}” in the world is not a finite number.",
                "Choose Object > Clear > Location, also of its parents.",
            )
        wrong = np.flatnonzero(~np.isfinite(self.vertices).all(axis=1))
        if len(wrong):
            raise InputError(
                "mesh-nan",
                f"The position of {_listed(wrong)} of “{self.name}” is not a finite number.",
                "Delete them, or run Mesh > Clean Up, or Mesh.validate() from a script.",
            )
        vertices = self.vertices.astype(np.float64)
        extent = float(np.ptp(vertices, axis=0).max())
        corners = vertices[self.faces]
        areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
        if extent == 0 or float(areas.max()) <= MIN_AREA * extent * extent:
            distance = np.abs(vertices - np.median(vertices, axis=0)).max(axis=1)
            far = np.flatnonzero(distance > STRAY * np.median(distance))
            if np.median(distance) > 0 and len(far):
                raise InputError(
                    "mesh-far",
                    f"“{self.name}” has stray vertices, beside which the others are one point ({_listed(far)}).",
                    "Delete them.",
                )
            raise InputError(
                "mesh-no-area", f"Every face of “{self.name}” has zero area.", "Check the object's scale and its mesh."
            )
        return self

    def polygon_materials(self) -> NDArray[np.int32]:
        """Return the material slot index of each polygon, int32 (P,); 0 for a polygon without a triangle."""
        slots = np.zeros(int(self.polygons.max(initial=-1)) + 1, np.int32)
        slots[self.polygons] = self.materials
        return slots

    def save(self, path: Path) -> Path:
        """Write the snapshot as an .npz file and return the path; raises StorageError."""
        fields: dict[str, Any] = {name: getattr(self, name) for name in self.__dataclass_fields__}
        if fields["uvs"] is None:
            del fields["uvs"]
        fields["material_names"] = np.array(self.material_names, dtype=np.str_)
        write_arrays(path, fields)
        return path

    @staticmethod
    def load(path: Path) -> Snapshot:
        """Return the snapshot that :meth:`save` wrote; raises StorageError if the file is missing or damaged."""
        fields = read_arrays(path, "The snapshot", "Run the job again.")
        fields["name"] = str(fields["name"])
        fields["uv_name"], fields["known_as"] = str(fields["uv_name"]), str(fields.get("known_as", ""))
        fields["material_names"] = tuple(str(name) for name in fields["material_names"])
        return Snapshot(**{"uvs": None, **fields})


def _counts(piece: Snapshot) -> tuple[int, int, int, int, int]:
    """Return how many vertices, polygons, corners, material slots and parts a snapshot has."""
    polygons, corners, parts = (
        int(array.max(initial=-1)) + 1 for array in (piece.polygons, piece.corners, piece.parts)
    )
    return len(piece.vertices), polygons, corners, max(len(piece.material_names), 1), parts


def _listed(chosen: NDArray[np.integer]) -> str:
    """Vertices, by their numbers, in words."""
    listed = ", ".join(map(str, chosen[:_NAMED].tolist())) + (" and others" if len(chosen) > _NAMED else "")
    return f"{'vertex' if len(chosen) == 1 else f'{len(chosen)} vertices:'} {listed}"


def _checked_arrays(vertices: ArrayLike, faces: ArrayLike, name: str) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return vertices, float32 (V, 3), and faces, int32 (F, 3); raises as :meth:`Snapshot.from_arrays`."""
    try:
        points, triangles = np.asarray(vertices, np.float32), np.asarray(faces)
    except (TypeError, ValueError) as error:
        raise InputError("mesh-arrays", f"The arrays of “{name}” cannot be read: {error}.", _ARRAYS_FIX) from error
    is_whole = np.issubdtype(triangles.dtype, np.integer) or triangles.size == 0
    if points.ndim != 2 or points.shape[1] != 3 or triangles.ndim != 2 or triangles.shape[1] != 3 or not is_whole:
        raise InputError(
            "mesh-arrays",
            f"The vertices of “{name}” have the shape {points.shape}, its faces {triangles.shape} of "
            f"{triangles.dtype} numbers.",
            _ARRAYS_FIX,
        )
    wrong = triangles[(triangles < 0) | (triangles >= len(points))]
    if len(wrong):
        raise InputError(
            "mesh-faces",
            f"A triangle of “{name}” names vertex {wrong[0]}, but there are {len(points)} vertices.",
            "Count vertices from 0.",
        )
    return points, triangles.astype(np.int32)
