"""Hair carried through a map: each strand stands at its root's kin, turned and scaled as the surface there is."""

from __future__ import annotations

import igl
import numpy as np
from numpy.typing import NDArray

from ...data.snapshot import Snapshot
from ...data.surface_map import SurfaceMap
from ...geometry.closest_points import nearest_on_triangles
from .domains import Domains

Singles = NDArray[np.float32]


def carry_strands(
    source: Snapshot, target: Snapshot, to_target: SurfaceMap, points: NDArray[np.floating], first: NDArray[np.integer]
) -> tuple[Singles, Singles]:
    """Strands of hair of the source, on the target.

    A root goes from the nearest point of the source's surface to its kin on the target, and stands off it as far as
    before; a strand keeps its shape.

    Args:
        source, target: the two surfaces.
        to_target: every source vertex's point on the target.
        points: (P, 3), strand after strand, in the source's frame.
        first: (N,), the number of each strand's first point, its root.

    Returns:
        points float32 (P, 3) in the target's frame; and the roots' UVs on the target, float32 (N, 2), 0 without any.
    """
    vertices = source.vertices.astype(np.float64)
    roots = np.asarray(points, np.float64)[first]
    _, face, near = igl.point_mesh_squared_distance(roots, vertices, source.faces.astype(np.int64))
    weights, _ = nearest_on_triangles(near, vertices[source.faces[face]])
    edges = np.zeros((0, 2), np.int32)
    domains = Domains(target, source, to_target, edges, edges)
    there, mixed = domains.carrier.carry(face, weights.astype(np.float32))
    places = np.einsum("nk,nkd->nd", mixed, target.vertices.astype(np.float64)[target.faces[there]])
    turn, scale = domains.frames()
    vertex = np.take_along_axis(source.faces[face], weights.argmax(axis=1)[:, None], axis=1)[:, 0]
    strand = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(points))))
    offsets = np.asarray(points, np.float64) - near[strand]
    moved = np.einsum("pij,pj->pi", (turn * scale[:, None, None])[vertex][strand], offsets)
    uvs = np.zeros((len(first), 2), np.float32)
    if target.uvs is not None:
        uvs = np.einsum("nk,nkd->nd", mixed, target.uvs[there])
    return (places[strand] + moved).astype(np.float32), uvs
