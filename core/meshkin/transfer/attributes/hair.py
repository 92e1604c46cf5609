"""Hair carried through a map: each strand stands where its root is mapped, turned and scaled as the surface is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...data.snapshot import Snapshot
from ...data.surface_map import SurfaceMap
from ...geometry.arrays import Singles
from ...geometry.closest_points import closest_points, nearest_on_triangles
from .displacements import local_frames
from .lookup import MappedMesh


@dataclass(frozen=True)
class TransferredHair:
    """Strands of hair on the target.

    Attributes:
        points: float32 (P, 3), strand after strand, in the target's frame.
        root_uvs: float32 (N, 2), the roots' UVs on the target, 0 if it has none.
    """

    points: Singles
    root_uvs: Singles


def transfer_hair(
    source: Snapshot, target: Snapshot, to_target: SurfaceMap, points: NDArray[np.floating], first: NDArray[np.integer]
) -> TransferredHair:
    """Strands of the source's hair, on the target.

    A root goes from the nearest point of the source's surface to where that is mapped, and stands off the target's
    surface as far as before; a strand keeps its shape.

    Args:
        source, target: the two surfaces.
        to_target: every source vertex's point on the target.
        points: (P, 3), strand after strand, in the source's frame.
        first: (N,), the number of each strand's first point, its root.
    """
    points = np.asarray(points, np.float64)
    vertices = source.vertices.astype(np.float64)
    nearest = closest_points(points[first], vertices, source.faces)
    root_barycentric, _ = nearest_on_triangles(nearest.point, vertices[source.faces[nearest.face]])
    # The source is the mesh that is mapped here: its frames on the target are asked for.
    mapped = MappedMesh(target, source, to_target)
    face, barycentric = mapped.carrier.carry(nearest.face, root_barycentric.astype(np.float32))
    roots = np.einsum("nk,nkd->nd", barycentric, target.vertices.astype(np.float64)[target.faces[face]])
    frames = local_frames(mapped)
    corner = root_barycentric.argmax(axis=1)[:, None]
    vertex = np.take_along_axis(source.faces[nearest.face], corner, axis=1)[:, 0]
    turning = (frames.rotation * frames.scale[:, None, None])[vertex]
    strand = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(points))))
    offsets = np.einsum("pij,pj->pi", turning[strand], points - nearest.point[strand])
    uvs = np.zeros((len(first), 2), np.float32)
    if target.uvs is not None:
        uvs = np.einsum("nk,nkd->nd", barycentric, target.uvs[face])
    return TransferredHair((roots[strand] + offsets).astype(np.float32), uvs)
