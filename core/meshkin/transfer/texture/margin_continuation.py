"""The bake margin across seams: beside an island it shows what lies across the seam, as renderers interpolate there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.snapshot import Snapshot
from ...geometry.arrays import Flags, Floats, Integers, Singles
from ...geometry.closest_points import nearest_on_triangles
from ...geometry.walking import SurfaceWalker
from ..carrier import PointCarrier
from .channel_sampling import SAMPLE_BLOCK, ChannelSampler
from .margin import Margin, outside_islands
from .pixels import DTYPES, quantized
from .settings import BakeSettings
from .texels import TexelMap


class MarginContinuation:
    """Continues the surface beyond the borders of its UV islands."""

    def __init__(self, target: Snapshot, uvs: Singles, carrier: PointCarrier, settings: BakeSettings) -> None:
        """Prepare a walk over the target.

        Args:
            target: the surface.
            uvs: (G, 3, 2) of its triangles.
            carrier: carries its points to the source.
            settings: of the bake.
        """
        self._vertices = target.vertices.astype(np.float64)
        self._faces, self._uvs, self._carrier, self._settings = target.faces, uvs, carrier, settings
        self._center = self._vertices.mean(axis=0)
        self._walker = SurfaceWalker(self._vertices - self._center, target.faces)

    def paint(
        self,
        pictures: Sequence[NDArray[Any]],
        filled: NDArray[np.uint8],
        tile: tuple[int, int],
        texels: TexelMap,
        margin: Margin,
        is_own: Flags,
        sampler: ChannelSampler,
    ) -> None:
        """Let texels just outside of the islands show the surface that goes on across the seam.

        Where that has another color altogether (the source has an edge there), they stay as they are.

        Args:
            pictures: of each channel (texels, C), changed.
            filled: (texels,), above 0 where a texel was filled in; these stay as they are.
            tile: the corner of the unit square of UVs that the pictures fill.
            texels: of the pictures.
            margin: the texels that no island touches, near the islands.
            is_own: bool (G,), triangles beside which texels stay as they are: the layout there is the source's own.
            sampler: the values of the source's channels.
        """
        outside = outside_islands(texels, self._uvs, tile, margin)
        rows = np.flatnonzero(~is_own[outside[1]])
        texel, own, weights = outside[0][rows], outside[1][rows], outside[2][rows]
        inside = np.maximum(weights, 0) / np.maximum(weights, 0).sum(axis=1, keepdims=True)
        kept, face, on_surface = self._onto_surface(own, weights)
        texel, own, inside = texel[kept], own[kept], inside[kept].astype(np.float32)
        free = np.flatnonzero(filled[texel] == 0)
        for start in range(0, len(free), SAMPLE_BLOCK):
            rows = free[start : start + SAMPLE_BLOCK]
            values = sampler.surface_values(self._carrier.correspondence(face[rows], on_surface[rows]))
            values = sampler.to_picture(values, own[rows], inside[rows])
            for picture, channel, columns in zip(pictures, sampler.channels, sampler.columns, strict=True):
                new = quantized(values[:, columns], channel.depth)
                scale = np.float32(1 if channel.depth == 32 else np.iinfo(DTYPES[channel.depth]).max)
                step = np.abs(new.astype(np.float32) - picture[texel[rows]]).max(axis=1) / scale
                near = np.flatnonzero(step <= self._settings.continuation.same_picture)
                picture[texel[rows[near]]] = new[near]

    def _onto_surface(self, face: Integers, weights: Floats) -> tuple[Integers, NDArray[np.int32], Singles]:
        """Bring points in the planes of triangles, which may lie outside of these, back to the target's surface.

        Args:
            face: (N,), triangles of the target.
            weights: (N, 3), barycentric coordinates, of which some may be negative.

        Returns:
            the rows of the points that lie near enough, and their triangles and barycentric coordinates.
        """
        corners = self._vertices[self._faces[face]]
        points = np.einsum("nk,nkd->nd", weights, corners)
        edges = self._uvs[face].astype(np.float64)
        edges = edges[:, 1:] - edges[:, :1]
        flat = np.abs(edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0])
        solid = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
        texel = np.sqrt(solid / np.maximum(flat, 1e-300)) / self._settings.size
        _, squares = nearest_on_triangles(points, corners)
        there, mixed, height = self._walker.walk((points - self._center).astype(np.float32), face.astype(np.int32))
        limits = self._settings.continuation
        good = (np.sqrt(squares) <= limits.reach * texel) & (np.abs(height) <= limits.height * texel)
        return np.flatnonzero(good), there[good], mixed[good]
