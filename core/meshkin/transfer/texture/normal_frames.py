"""The tangent frames that normal maps of source and target are in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...data.snapshot import Snapshot
from ...geometry.arrays import Singles
from ..carrier import Correspondence
from .tangents import corner_frames, corner_tangents, interpolated, turned_normals


@dataclass(frozen=True)
class NormalFrames:
    """Tangent frames at the corners of all triangles.

    Attributes:
        target: float32 (G, 3, 6), tangent and normal of the target.
        handedness: float32 (G,), 1 or -1: the bitangent is ``handedness * normal x tangent``.
        carried: float32 (G, 3, 6), the vectors on the source that the map carries these tangents and bitangents to.
        source: for each UV layout of the source float32 (F, 3, 6), tangent and bitangent.
    """

    target: Singles
    handedness: Singles
    carried: Singles
    source: Sequence[Singles]

    def of_target(self, face: NDArray[np.integer], weights: Singles) -> Singles:
        """Tangent, bitangent and normal at points of the target, float32 (N, 9), as renderers interpolate them.

        Args:
            face: (N,), triangles of the target.
            weights: (N, 3), barycentric coordinates in them.
        """
        mixed = interpolated(self.target, face, weights)
        bitangent = self.handedness[face, None] * np.cross(mixed[:, 3:], mixed[:, :3])
        return np.concatenate([mixed[:, :3], bitangent, mixed[:, 3:]], axis=1)

    def carry_normals(self, normals: Singles, uv_layout: int, points: Correspondence) -> Singles:
        """Tangent-space normals (N, 3) of one UV layout of the source, in the target's tangent space."""
        source = interpolated(self.source[uv_layout], points.source_face, points.source_weights)
        target = interpolated(self.carried, points.target_face, points.target_weights)
        return turned_normals(normals, source, target)


def normal_frames(
    source: Snapshot,
    uv_layouts: Sequence[Singles],
    target: Snapshot,
    target_uvs: Singles,
    differential: Singles,
) -> NormalFrames:
    """The frames of two shapes.

    Args:
        source: the source.
        uv_layouts: (F, 3, 2) each, of its triangle corners.
        target: the target.
        target_uvs: (G, 3, 2).
        differential: (G, 3, 3), of :func:`meshkin.transfer.texture.footprints.map_differential`.
    """
    tangents = corner_tangents(target.vertices, target.faces, target.normals, target_uvs)
    own = corner_frames(target.normals, tangents)
    return NormalFrames(
        target=np.concatenate([tangents[..., :3], target.normals], axis=2),
        handedness=tangents[:, 0, 3],
        carried=(own.reshape(-1, 6, 3) @ differential.transpose(0, 2, 1)).reshape(own.shape),
        source=[
            corner_frames(source.normals, corner_tangents(source.vertices, source.faces, source.normals, uvs))
            for uvs in uv_layouts
        ],
    )
