"""Values on points, edges, faces and corners, carried through a map."""

from __future__ import annotations

from dataclasses import dataclass

import igl
import numpy as np
from numpy.typing import NDArray

from ...geometry.arrays import unit_rows
from ..carrier import vertices_met
from .labels import majority_labels
from .lookup import Array, MappedMesh, MeshWithEdges, SourcePoints, corner_points, sample_polygons


@dataclass(frozen=True)
class EdgeSettings:
    """When edge values are lines, such as seams and creases, and which edges belong to a line. All values are chosen.

    Attributes:
        line_share: values that fewer than this share of the edges have are lines.
        distance: how far from a line an edge may lie to belong to it, in lengths of the edge.
        cosine: least cosine of the angle between the line and such an edge (32 degrees).
    """

    line_share: float = 0.5
    distance: float = 0.25
    cosine: float = 0.85


def transfer_point_values(mapped: MappedMesh, values: Array, labels: bool) -> Array:
    """Values (V, C) of the target's vertices, of the type of the given ones (U, C)."""
    points = SourcePoints(mapped.to_source.face, mapped.to_source.barycentric)
    return _interpolate(values, mapped.source.faces, points, labels)


def transfer_corner_values(mapped: MappedMesh, values: Array, labels: bool) -> Array:
    """Values of the target's corners, of the type of the given ones, which are of the source's corners (rows)."""
    return _interpolate(values, mapped.source.corners, corner_points(mapped), labels)


def transfer_face_values(mapped: MappedMesh, values: Array, labels: bool) -> Array:
    """Values (P, C) of the target's polygons, of the type of the given ones, which are of the source's polygons.

    Means over each polygon; of labels the majority, with straight borders.
    """
    if labels:
        distinct, number = np.unique(values, axis=0, return_inverse=True)
        return distinct[majority_labels(mapped, number.reshape(-1)[mapped.source.polygons])]
    samples = sample_polygons(mapped)
    sampled = values[mapped.source.polygons[samples.face]].astype(np.float64)
    sums = [np.bincount(samples.polygon, samples.area * column, mapped.polygons) for column in sampled.T]
    total = np.bincount(samples.polygon, samples.area, mapped.polygons)
    return (np.stack(sums, axis=1) / np.maximum(total, 1e-300)[:, None]).astype(values.dtype)


def transfer_edge_values(
    source: MeshWithEdges,
    target: MeshWithEdges,
    mapped: MappedMesh,
    values: Array,
    settings: EdgeSettings = EdgeSettings(),
) -> Array:
    """Values (E, C) of the target's edges: each takes that of the nearest edge of the source.

    Values that most edges do not have (that are 0 there) are lines, such as seams and creases. They go only to edges
    that lie on them and run along them; the others are 0. An edge whose ends are mapped to those of one of the source
    takes that one's values in any case.
    """
    result = np.zeros((len(target.edges), values.shape[1]), values.dtype)
    marked = np.flatnonzero((values != 0).any(axis=1))
    if not len(marked) or not len(target.edges):
        return result
    are_lines = len(marked) < settings.line_share * len(values)
    candidates = marked if are_lines else np.arange(len(values))
    vertices = source.shape.vertices.astype(np.float64)
    ends = mapped.carrier.mapped_vertices[target.edges]
    middle, along = ends.mean(axis=1), ends[:, 1] - ends[:, 0]
    segments = source.edges[candidates].astype(np.int64)
    thin_triangles = np.column_stack([segments, segments[:, 1]])
    squares, nearest, _ = igl.point_mesh_squared_distance(middle, vertices, thin_triangles)
    same = _same_edges(mapped, source.edges, target.edges)
    if not are_lines:
        return np.asarray(values[np.where(same >= 0, same, candidates[nearest])])
    direction = unit_rows(vertices[segments[nearest, 1]] - vertices[segments[nearest, 0]])
    parallel = np.abs(np.einsum("ed,ed->e", unit_rows(along), direction)) > settings.cosine
    close = np.sqrt(np.maximum(squares, 0)) <= settings.distance * np.linalg.norm(along, axis=1) + 1e-9
    result[close & parallel] = values[candidates[nearest[close & parallel]]]
    result[same >= 0] = values[same[same >= 0]]
    return result


def _same_edges(
    mapped: MappedMesh, source_edges: NDArray[np.integer], target_edges: NDArray[np.integer]
) -> NDArray[np.int64]:
    """The edge of the source whose ends those of each of the target's edges are mapped to, int64 (E,); -1 for none."""
    vertex, count = vertices_met(mapped.to_source, mapped.source.faces), len(mapped.source.vertices)
    ends, edges = np.sort(vertex[target_edges], axis=1), np.sort(source_edges.astype(np.int64), axis=1)
    keys, wanted = edges @ (count, 1), ends @ (count, 1)
    order = np.argsort(keys, kind="stable")
    found = order[np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)]
    return np.where((keys[found] == wanted) & (ends >= 0).all(axis=1), found, -1)


def _interpolate(values: Array, triangles: Array, points: SourcePoints, labels: bool) -> Array:
    """Values at points of triangles: interpolated, or of labels the one that has most of the barycentric weight.

    Args:
        values: (N, C).
        triangles: int (F, 3), the rows of ``values`` at each triangle's corners.
        points: where.
        labels: whether they are labels.
    """
    corners, weights = values[triangles[points.face]], points.barycentric
    if not labels:
        mixed = np.einsum("nk,nkc->nc", weights.astype(np.float64), corners.astype(np.float64))
        return mixed.astype(values.dtype)
    same = (corners[:, :, None] == corners[:, None]).all(axis=3)
    best = np.einsum("nkj,nj->nk", same, weights).argmax(axis=1)
    return np.asarray(np.take_along_axis(corners, best[:, None, None], axis=1)[:, 0])
