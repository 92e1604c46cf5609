"""Areas, normals, edges and normalizing of triangle meshes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .arrays import AnyIntegers, Floats, unit_rows


def face_vectors(vertices: NDArray[np.floating], faces: AnyIntegers) -> Floats:
    """Twice each face's area times its unit normal, float64 (F, 3)."""
    corners = np.asarray(vertices, np.float64)[faces]
    return np.asarray(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))


def face_areas(vertices: NDArray[np.floating], faces: AnyIntegers) -> Floats:
    """Area of each face, float64 (F,)."""
    areas: Floats = np.linalg.norm(face_vectors(vertices, faces), axis=1) / 2
    return areas


def surface_area(vertices: NDArray[np.floating], faces: AnyIntegers) -> float:
    """Area of the whole surface, in the vertices' unit squared."""
    return float(face_areas(vertices, faces).sum())


def bounding_diagonal(vertices: NDArray[np.floating]) -> float:
    """Length of the bounding box's diagonal, in the vertices' unit."""
    return float(np.linalg.norm(np.ptp(vertices, axis=0)))


def bounding_center(vertices: NDArray[np.floating]) -> Floats:
    """Middle of the bounding box, float64 (3,)."""
    return np.asarray((vertices.min(axis=0) + vertices.max(axis=0)) / 2, np.float64)


def vertex_areas(vertices: NDArray[np.floating], faces: AnyIntegers) -> Floats:
    """A third of the area of each vertex's faces, float64 (V,)."""
    third = np.repeat(face_areas(vertices, faces) / 3, 3)
    areas: Floats = np.bincount(np.ravel(faces), weights=third, minlength=len(vertices)).astype(np.float64)
    return areas


def vertex_normals(vertices: NDArray[np.floating], faces: AnyIntegers) -> Floats:
    """Unit normals of the vertices, float64 (V, 3), zero where there is no face.

    The mean of the faces' normals, weighted by the angle at the vertex. It does not depend on how a surface is cut into
    triangles (Thürmer and Wüthrich, "Computing Vertex Normals from Polygonal Facets", 1998).
    """
    corners = np.asarray(vertices, np.float64)[faces]
    normals = unit_rows(face_vectors(vertices, faces))
    total = np.zeros((len(vertices), 3))
    for corner in range(3):
        to_next = unit_rows(corners[:, (corner + 1) % 3] - corners[:, corner])
        to_previous = unit_rows(corners[:, (corner + 2) % 3] - corners[:, corner])
        angle = np.arccos(np.clip(np.einsum("fk,fk->f", to_next, to_previous), -1, 1))
        for axis in range(3):
            total[:, axis] += np.bincount(faces[:, corner], weights=angle * normals[:, axis], minlength=len(vertices))
    return np.asarray(unit_rows(total))


def normalize(vertices: NDArray[np.floating], faces: AnyIntegers) -> Floats:
    """Move and scale the vertices so that the surface has its centroid at the origin and an area of 1.

    A surface without area is only moved.
    """
    points = np.asarray(vertices, np.float64)
    areas = face_areas(points, faces)
    total = float(areas.sum())
    if total <= 0:
        return np.asarray(points - points.mean(axis=0))
    centroid = areas @ points[faces].mean(axis=1) / total
    moved: Floats = (points - centroid) / np.sqrt(total)
    return moved


def proper_faces(faces: AnyIntegers) -> AnyIntegers:
    """The faces with three different vertices, in the order given."""
    first, second, third = faces.T
    return faces[(first != second) & (second != third) & (third != first)]


def clean_faces(faces: AnyIntegers) -> AnyIntegers:
    """The faces with three different vertices, each set of vertices once, in the order given."""
    proper = proper_faces(faces)
    _, first = np.unique(np.sort(proper, axis=1), axis=0, return_index=True)
    kept: AnyIntegers = proper[np.sort(first)]
    return kept


def edges(faces: AnyIntegers) -> AnyIntegers:
    """Every edge once, int (E, 2), the smaller vertex first."""
    both = np.sort(np.concatenate((faces[:, :2], faces[:, 1:], faces[:, ::2])), axis=1)
    both = both[both[:, 0] != both[:, 1]]
    # Sorting each edge as one number is twenty times as fast as sorting rows of two vertices.
    count = int(both.max(initial=0)) + 1
    keys = np.sort(both[:, 0].astype(np.int64) * count + both[:, 1])
    keys = keys[np.diff(keys, prepend=-1) > 0]
    return np.stack((keys // count, keys % count), axis=1).astype(faces.dtype)
