"""Maps between two surfaces: for every vertex of one, its corresponding point on the other."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base.errors import StorageError
from ..base.storage import UNREADABLE, read_arrays, write_arrays


@dataclass(frozen=True)
class SurfaceMap:
    """For every vertex of one surface (the domain), a point on another (the range).

    Attributes:
        face: int32 (V,), triangle of the range.
        barycentric: float32 (V, 3), non-negative, rows sum to 1: the point's coordinates in that triangle.
        vertex: int32 (V,), the corner of that triangle that is nearest to the point.
        confidence: float32 (V,) in [0, 1].
    """

    face: NDArray[np.int32]
    barycentric: NDArray[np.float32]
    vertex: NDArray[np.int32]
    confidence: NDArray[np.float32]

    @staticmethod
    def at_points(
        face: NDArray[np.integer],
        barycentric: NDArray[np.floating],
        confidence: NDArray[np.floating],
        vertices: NDArray[np.floating],
        faces: NDArray[np.integer],
    ) -> SurfaceMap:
        """Build the map to points of a surface; ``vertex`` is found from the points.

        Args:
            face: int (V,), triangle of each point.
            barycentric: float (V, 3), its coordinates in that triangle.
            confidence: float (V,) in [0, 1].
            vertices: (U, 3) of the range.
            faces: (F, 3) of the range.
        """
        corners = faces[face]
        points = np.einsum("vk,vkd->vd", barycentric, np.asarray(vertices, np.float64)[corners])
        nearest = np.linalg.norm(vertices[corners] - points[:, None], axis=2).argmin(axis=1)[:, None]
        return SurfaceMap(
            face.astype(np.int32),
            barycentric.astype(np.float32),
            np.take_along_axis(corners, nearest, axis=1)[:, 0].astype(np.int32),
            confidence.astype(np.float32),
        )

    def at(self, vertices: NDArray[np.integer]) -> SurfaceMap:
        """The map of these vertices alone, int (W,), in their order."""
        return SurfaceMap(
            self.face[vertices], self.barycentric[vertices], self.vertex[vertices], self.confidence[vertices]
        )

    def with_rows(self, vertices: NDArray[np.integer], others: SurfaceMap) -> SurfaceMap:
        """The map in which these vertices, int (W,), have the rows of another map, of W rows."""
        result = SurfaceMap(**{name: getattr(self, name).copy() for name in self.__dataclass_fields__})
        for name in self.__dataclass_fields__:
            getattr(result, name)[vertices] = getattr(others, name)
        return result

    def lies_on(self, faces: NDArray[np.integer], count: int) -> bool:
        """Whether the map's points can lie on a surface with these triangles, int (F, 3), of ``count`` vertices."""
        rows = len(self.face)
        shapes = (self.face.shape, self.barycentric.shape, self.vertex.shape, self.confidence.shape, faces.shape[1:])
        if shapes != ((rows,), (rows, 3), (rows,), (rows,), (3,)):
            return False
        return (
            _within(self.face, len(faces))
            and _within(self.vertex, count)
            and _within(faces, count)
            and bool(np.isfinite(self.barycentric).all())
            and bool(np.isfinite(self.confidence).all())
        )

    def pull(self, values: NDArray[np.floating], faces: NDArray[np.integer]) -> NDArray[np.float64]:
        """Carry values of the range's vertices to the domain's vertices.

        Args:
            values: (U,) or (U, C), one row for each vertex of the range.
            faces: int32 (F, 3), the range's triangles.

        Returns:
            float64 (V,) or (V, C), interpolated barycentrically.
        """
        corners = np.asarray(values, np.float64)[faces[self.face]]
        return np.einsum("vk,vk...->v...", self.barycentric.astype(np.float64), corners)


def _within(indices: NDArray[np.integer], count: int) -> bool:
    """Whether indices count something of which there are ``count``."""
    return bool(np.issubdtype(indices.dtype, np.integer) and ((indices >= 0) & (indices < count)).all())


@dataclass(frozen=True)
class Match:
    """Two shapes matched both ways.

    Attributes:
        to_source: for every target vertex, its point on the source.
        to_target: for every source vertex, its point on the target.
        source_faces: int32 (F, 3), the triangles that the indices in ``to_source.face`` refer to.
        target_faces: int32 (G, 3), the triangles that the indices in ``to_target.face`` refer to.
        notes: JSON values, what the matcher reports: ``orientation`` (share of triangles that keep their orientation),
            ``sided`` (whether left and right were told apart), ``ambiguous``, ``form_distance`` (how far the surfaces
            lie apart if they were laid on each other by their form, else None), ``warnings`` (``code`` and ``message``
            of each guess), ``sentences`` (for people, those of the warnings first).
    """

    to_source: SurfaceMap
    to_target: SurfaceMap
    source_faces: NDArray[np.int32]
    target_faces: NDArray[np.int32]
    notes: dict[str, Any] = field(default_factory=dict)

    def swapped(self) -> Match:
        """Return the same match with source and target exchanged."""
        return Match(self.to_target, self.to_source, self.target_faces, self.source_faces, self.notes)

    def save(self, path: Path) -> None:
        """Write MAP.npz: ``face``, ``barycentric``, ``vertex``, ``confidence`` for each target vertex, the same for
        each source vertex with the prefix ``inverse_``, ``source_faces``, ``target_faces`` and ``notes`` (JSON).

        Raises StorageError.
        """
        arrays: dict[str, Any] = {
            prefix + name: getattr(surface_map, name)
            for prefix, surface_map in (("", self.to_source), ("inverse_", self.to_target))
            for name in SurfaceMap.__dataclass_fields__
        }
        arrays |= {"source_faces": self.source_faces, "target_faces": self.target_faces}
        arrays["notes"] = np.array(json.dumps(self.notes), np.str_)
        write_arrays(path, arrays)

    @staticmethod
    def load(path: Path) -> Match:
        """Read what :meth:`save` wrote; raises StorageError if the file is missing or damaged, or no map."""
        what, fix = "The map", "Match the objects again."
        arrays = read_arrays(path, what, fix)
        try:
            to_source, to_target = (
                SurfaceMap(**{name: arrays[prefix + name] for name in SurfaceMap.__dataclass_fields__})
                for prefix in ("", "inverse_")
            )
            match = Match(
                to_source, to_target, arrays["source_faces"], arrays["target_faces"], json.loads(str(arrays["notes"]))
            )
            possible = to_source.lies_on(match.source_faces, len(to_target.face)) and to_target.lies_on(
                match.target_faces, len(to_source.face)
            )
        except UNREADABLE:
            possible = False
        if not possible:
            raise StorageError("file-damaged", f"{what} {path} holds what cannot be.", fix)
        return match
