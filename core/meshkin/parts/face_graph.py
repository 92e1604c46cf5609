"""The faces of a mesh as a graph: what lies beside what, over how long a border, across what crease."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.adjacency import opposite_triangles
from ..geometry.arrays import AnyIntegers, Floats, Integers, unit_rows
from ..geometry.mesh import face_areas, face_vectors
from ..geometry.welding import weld


@dataclass(frozen=True)
class FaceGraph:
    """Faces and the borders between them.

    Attributes:
        areas: float64 (F,), sum to 1; above 0.
        links: int64 (E, 2), pairs of faces that share an edge.
        lengths: float64 (E,), of these edges, in square roots of the surface's area.
        bends: float64 (E,), the angle between the normals, radians: above 0 in a concave crease, below 0 on a ridge.
    """

    areas: Floats
    links: Integers
    lengths: Floats
    bends: Floats

    @staticmethod
    def of(vertices: NDArray[np.floating], faces: AnyIntegers) -> FaceGraph:
        """Build it from a mesh, vertices (V, 3) and faces (F, 3); vertices at the same place are one."""
        points = np.asarray(vertices, np.float64)
        areas = face_areas(points, faces)
        areas = np.maximum(areas, np.finfo(np.float32).eps * (areas.mean() or 1.0))
        total = areas.sum()
        corners = weld(vertices)[1][faces]
        across = opposite_triangles(corners)
        face, corner = np.nonzero(across > np.arange(len(faces))[:, None])
        other = across[face, corner]
        start, end = (points[faces[face, (corner + step) % 3]] for step in (1, 2))
        lengths = np.linalg.norm(end - start, axis=1)
        links = np.stack((face, other), axis=1).astype(np.int64)
        return FaceGraph(areas / total, links, lengths / np.sqrt(total), _bends(points, faces, links))


def _bends(points: Floats, faces: AnyIntegers, links: Integers) -> Floats:
    """The angle at which each pair of faces (E, 2) meets, as :attr:`FaceGraph.bends`."""
    normals = unit_rows(face_vectors(points, faces))
    middles = points[faces].mean(axis=1)
    one, other = links.T
    angles = np.arccos(np.clip(np.einsum("ed,ed->e", normals[one], normals[other]), -1, 1))
    rising = np.einsum("ed,ed->e", normals[one], middles[other] - middles[one])
    bends: Floats = np.where(rising > 0, angles, -angles)
    return bends
