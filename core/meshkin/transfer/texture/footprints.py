"""Footprints: what one texel of the target covers on the source and in the source's UV layouts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...data.snapshot import Snapshot
from ...geometry.arrays import Singles
from ...geometry.gradients import barycentric_gradients, differentials
from ..carrier import PointCarrier


@dataclass(frozen=True)
class Footprints:
    """How places change from one texel of the target to the next.

    Attributes:
        on_source: float32 (G, 3, 2), for each triangle of the target, how the place on the source changes (rows) from
            texel to texel in the directions of u and v (columns).
        in_uvs: for each UV layout of the source float32 (F, 2, 3), for each triangle of the source, how the UV changes
            (rows) with the place (columns).
    """

    on_source: Singles
    in_uvs: Sequence[Singles]

    @property
    def lengths(self) -> Singles:
        """How far apart neighboring texels are on the source, the larger of both directions: float32 (G,)."""
        return np.asarray(np.linalg.norm(self.on_source, axis=1).max(axis=1))

    def rises(self, uv_layout: int) -> Singles:
        """The most that a UV of one layout changes with the place on the source: float32 (F,)."""
        return np.asarray(np.linalg.norm(self.in_uvs[uv_layout], axis=(1, 2)))


def footprints(
    source: Snapshot,
    uv_layouts: Sequence[Singles],
    target: Snapshot,
    target_uvs: Singles,
    size: int,
    differential: Singles,
) -> Footprints:
    """The footprints of the target's texels.

    Args:
        source: the source.
        uv_layouts: (F, 3, 2) each, of its triangle corners.
        target: the target.
        target_uvs: (G, 3, 2).
        size: of the picture to bake, texels.
        differential: (G, 3, 3), of :func:`map_differential`.
    """
    gradients = np.stack(barycentric_gradients(source.vertices.astype(np.float64)[source.faces]), axis=1)
    in_uvs = [np.einsum("fku,fkd->fud", uvs[:, 1:] - uvs[:, :1], gradients).astype(np.float32) for uvs in uv_layouts]
    return Footprints(differential @ _texel_steps(target, target_uvs, size), in_uvs)


def map_differential(target: Snapshot, carrier: PointCarrier) -> Singles:
    """How the map carries vectors in the plane of each triangle of the target to the source, float32 (G, 3, 3); zero
    for triangles that it tears apart."""
    corners = target.vertices.astype(np.float64)[target.faces]
    differential = differentials(corners, carrier.mapped_vertices[target.faces]).astype(np.float32)
    differential[carrier.torn] = 0
    return differential


def _texel_steps(target: Snapshot, uvs: Singles, size: int) -> Singles:
    """How the place on the target changes from texel to texel in the directions of u and v, float32 (G, 3, 2); zero
    for triangles without area in the layout."""
    corners = target.vertices.astype(np.float64)[target.faces]
    edges = corners[:, 1:] - corners[:, :1]
    steps = (uvs[:, 1:] - uvs[:, :1]).astype(np.float64) * size
    turn = steps[:, 0, 0] * steps[:, 1, 1] - steps[:, 0, 1] * steps[:, 1, 0]
    scale = np.divide(1.0, turn, out=np.zeros_like(turn), where=np.abs(turn) > 1e-9)
    inverse = np.stack(
        [np.stack([steps[:, 1, 1], -steps[:, 0, 1]], 1), np.stack([-steps[:, 1, 0], steps[:, 0, 0]], 1)], 1
    )
    # The rows of steps are edges, its columns u and v: edges^T = A steps^T, so A = edges^T steps^-T.
    return np.asarray(np.einsum("fkd,fuk->fdu", edges, inverse) * scale[:, None, None], np.float32)
