"""Textures baked through a map: the source's pictures sampled at the texels of the target's UV layout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError
from ...base.progress import ProgressCallback, silent
from ...base.threads import in_order
from ...data.snapshot import Snapshot
from ...data.surface_map import Match
from ...geometry.arrays import Flags, Integers, Singles
from ..carrier import Correspondence, FaceGroups, PointCarrier, check_match
from .channel_sampling import SAMPLE_BLOCK, ChannelSampler
from .channels import BakedTile, SourceTextures, TexelShares
from .footprints import footprints, map_differential
from .inpainting import Lattice, cuts_for, faces_to_fill, filled_share, inpaint
from .margin import margin_of
from .margin_continuation import MarginContinuation
from .normal_frames import normal_frames
from .pixels import DTYPES, quantized
from .settings import BakeSettings
from .stitching import SeamStitcher
from .texel_correspondence import TexelCorrespondence, texel_correspondence
from .texels import TexelMap, texel_map
from .usable_uvs import finite, target_uvs
from .uv_layouts import is_own_layout

SEEN_MARGIN = 2
"""Width of the margin, texels, from which renderers interpolate at a seam."""

Tile = tuple[int, int]


@dataclass
class BakeCache:
    """What one bake can leave to the next one of the same shapes, map, size and tiles, whatever its other settings.

    Attributes:
        carrier: carries points from the target to the source.
        tiles: the texels of each tile and where they come from.
    """

    carrier: PointCarrier | None = None
    tiles: dict[Tile, tuple[TexelMap, TexelCorrespondence]] = field(default_factory=dict)


def bake(  # two shapes, two things between them, and how
    textures: SourceTextures,
    source: Snapshot,
    target: Snapshot,
    match: Match,
    settings: BakeSettings,
    report: ProgressCallback = silent,
    cache: BakeCache | None = None,
    groups: FaceGroups | None = None,
) -> Iterator[BakedTile]:
    """Bake channels of the source's materials into the target's UV layout, tile by tile.

    Each texel's point on the target is carried to the source once (:class:`meshkin.transfer.carrier.PointCarrier`), to
    what lies on top there. All
    channels are sampled there, at the UV inside that one triangle and from its own island's texels only, filtered to
    the texel's footprint (:class:`meshkin.transfer.texture.sampling.Sampler`). Where the map is not trusted, the
    texture is filled in from around (:mod:`meshkin.transfer.texture.inpainting`). Islands get a margin, and seams are
    stitched (:mod:`meshkin.transfer.texture.stitching`), but not those that are the source's own.

    Args:
        textures: the source's.
        source, target: the two shapes; the target with UVs.
        match: their map.
        settings: size, margin, tiles, threshold, and the settings of the stages.
        report: called with the progress; may raise Cancelled.
        cache: what an earlier bake of the same shapes, map, size and tiles has left, and where this one leaves it.
        groups: which triangles of the source may show where; None for all everywhere.

    Raises:
        InputError: ``image-empty``, ``map-other-mesh`` (the map is not of these two), and as
            :func:`meshkin.transfer.texture.usable_uvs.target_uvs` and
            :func:`meshkin.transfer.texture.texels.texel_map`.
    """
    uvs = target_uvs(target)
    for picture in textures.pictures:
        if picture.pixels.ndim != 3 or picture.pixels.size == 0:
            raise InputError("image-empty", "An image of the source has no pixels.", "Reload or replace the image.")
    check_match(source, target, match)
    carrier = cache.carrier if cache is not None else None
    carrier = carrier or PointCarrier(source, target, match.to_source, groups=groups, on_top=True)
    if cache is not None:
        cache.carrier = carrier
    tiles = settings.tiles or ((0, 0),)
    beside = ThreadPoolExecutor(3)  # for what is computed beside work that has its own threads
    try:
        baker = _TileBaker(textures, source, target, uvs, carrier, settings, beside)
        waiting: dict[int, BakedTile] = {}
        for number in range(len(tiles)):
            waiting[number] = baker.bake_tile(number, cache, report)
            stitcher = baker.stitcher.result()
            if stitcher is None or stitcher.within_tiles or number + 1 == len(tiles):
                if stitcher is not None:
                    _stitch(stitcher, waiting, baker.sampler.result(), source)
                yield from waiting.values()
                waiting.clear()
    finally:
        beside.shutdown(wait=False, cancel_futures=True)


class _TileBaker:
    """Bakes tiles with what they share; the sampler and the stitcher are made beside other work."""

    def __init__(
        self,
        textures: SourceTextures,
        source: Snapshot,
        target: Snapshot,
        uvs: Singles,
        carrier: PointCarrier,
        settings: BakeSettings,
        beside: ThreadPoolExecutor,
    ) -> None:
        self.target, self.uvs, self.carrier, self.settings, self.beside = target, uvs, carrier, settings, beside
        uv_layouts = [finite(layout) for layout in textures.uv_layouts]
        differential = map_differential(target, carrier)
        texel_footprints = footprints(source, uv_layouts, target, uvs, settings.size, differential)

        def make_sampler() -> ChannelSampler:
            frames = None
            if any(channel.normal for channel in textures.channels):
                frames = normal_frames(source, uv_layouts, target, uvs, differential)
            return ChannelSampler(textures, uv_layouts, source, texel_footprints, frames, settings.sampling)

        def make_stitcher() -> SeamStitcher | None:
            if settings.margin <= 0:
                return None  # without a margin no seam can be seen whole
            # Where the layout is the source's own, so are its seams.
            return SeamStitcher(target, uvs, carrier, texel_footprints.lengths, self.is_own.result(), settings)

        self.is_own: Future[Flags] = beside.submit(is_own_layout, carrier, uvs, uv_layouts, settings.size)
        self.stitcher: Future[SeamStitcher | None] = beside.submit(make_stitcher)
        self.sampler: Future[ChannelSampler] = beside.submit(make_sampler)
        self.continuation = MarginContinuation(target, uvs, carrier, settings)

    def bake_tile(self, number: int, cache: BakeCache | None, report: ProgressCallback) -> BakedTile:
        """One tile's pictures, whose seams are not yet stitched."""
        settings = self.settings
        tile = (settings.tiles or ((0, 0),))[number]
        texels, correspondence = self._texels(tile, cache, report)
        distance = max(settings.margin, SEEN_MARGIN) if settings.margin else 0
        growing = self.beside.submit(margin_of, texels.covered, distance)
        sampler = self.sampler.result()
        sampler.prepare(correspondence, report)
        lattice = self._inpainted(sampler, report)
        pictures, filled = _sampled(sampler, lattice, texels, correspondence, self.is_own.result(), settings, report)
        report("Growing the islands", 0)
        margin = growing.result()
        grown = margin.within(settings.margin)
        for values in (*pictures, filled):
            values[grown.texel] = values[grown.nearest]
        report("Joining the seams", 0)
        self.continuation.paint(
            pictures, filled, tile, texels, margin.within(SEEN_MARGIN), self.is_own.result(), sampler
        )
        stitcher = self.stitcher.result()
        if stitcher is not None:
            stitcher.add_tile(number, texels, correspondence, margin)
        shares = TexelShares(0.0, 0.0, 0.0)
        if len(correspondence.texel):
            shares = TexelShares(
                covered=len(correspondence.texel) / settings.size**2,
                filled=float((filled[correspondence.texel] > 127).mean()),
                torn=float(self.carrier.torn[correspondence.target_face].mean()),
            )
        square = (settings.size, settings.size)
        return BakedTile(tile, [picture.reshape(*square, -1) for picture in pictures], filled.reshape(square), shares)

    def _texels(
        self, tile: Tile, cache: BakeCache | None, report: ProgressCallback
    ) -> tuple[TexelMap, TexelCorrespondence]:
        """The texels of a tile and where they come from."""
        if cache is not None and tile in cache.tiles:
            return cache.tiles[tile]
        uvs = self.uvs - np.array(tile, np.float32)
        texels = texel_map(uvs, self.settings.size, report, self.settings.tiles is None)
        correspondence = texel_correspondence(texels, self.carrier, report)
        if cache is not None:
            cache.tiles[tile] = texels, correspondence
        return texels, correspondence

    def _inpainted(self, sampler: ChannelSampler, report: ProgressCallback) -> Lattice | None:
        """What triangles where the map is not trusted are filled with; None where there is nothing to fill."""
        settings, target = self.settings, self.target
        chosen = faces_to_fill(target, self.carrier, settings.threshold, settings.inpainting)
        if not chosen.any():
            return None
        report("Filling in what is not trusted", 0)

        def values(face: Integers, weights: Singles) -> Singles:
            return sampler.surface_values(self.carrier.correspondence(face, weights))

        def is_known(face: Integers, weights: Singles) -> NDArray[np.bool_]:
            return np.asarray(self.carrier.confidence(face, weights) >= settings.threshold)

        cuts = cuts_for(self.uvs[chosen], settings.size, settings.inpainting)
        return inpaint(target.vertices, target.faces, chosen, is_known, values, cuts, settings.inpainting)


def _sampled(
    sampler: ChannelSampler,
    lattice: Lattice | None,
    texels: TexelMap,
    correspondence: TexelCorrespondence,
    is_own: Flags,
    settings: BakeSettings,
    report: ProgressCallback,
) -> tuple[list[NDArray[Any]], NDArray[np.uint8]]:
    """Each channel's picture (texels, C), without a margin, and how far each texel was filled in (texels,).

    The texels of triangles that keep the source's layout, of ``is_own`` (G,), are copied.
    """
    count, total = settings.size**2, len(correspondence.texel)
    pictures = [np.zeros((count, channel.width), DTYPES[channel.depth]) for channel in sampler.channels]
    filled = np.zeros(count, np.uint8)

    def sample_block(start: int) -> int:
        part = slice(start, start + SAMPLE_BLOCK)
        texel, points = correspondence.texel[part], correspondence.points(part, texels)
        values = sampler.picture_values(points)
        own = np.flatnonzero(is_own[points.target_face])
        if len(own):
            copied = values[own]
            sampler.copy_texels(copied, points.chosen(own), texel[own], settings.size)
            values[own] = copied
        if lattice is not None:
            share = filled_share(correspondence.confidence[part], settings.threshold, settings.inpainting)
            rows = np.flatnonzero(share > 0)
            values[rows] = _mixed(values[rows], share[rows], points.chosen(rows), lattice, sampler)
            filled[texel] = np.rint(share * 255)
        for picture, channel, columns in zip(pictures, sampler.channels, sampler.columns, strict=True):
            column = values[:, columns]
            picture[texel] = quantized(_unit_normals(column) if channel.normal else column, channel.depth)
        return start

    for start in in_order(sample_block, range(0, total, SAMPLE_BLOCK)):
        report("Sampling the texture", start / total)
    return pictures, filled


def _mixed(
    copied: Singles, share: Singles, points: Correspondence, lattice: Lattice, sampler: ChannelSampler
) -> Singles:
    """Copied values (N, C) mixed with filled ones, of which there is a ``share`` (N,)."""
    face, weights = points.target_face, points.target_weights
    values = sampler.to_surface(copied, face, weights)
    values = values + share[:, None] * (lattice.at(face, weights) - values)
    return sampler.to_picture(values, face, weights)


def _unit_normals(values: Singles) -> Singles:
    """Normals in [0, 1], as pictures hold them, made unit."""
    normals = values * 2 - 1
    length = np.maximum(np.sqrt(np.einsum("nd,nd->n", normals, normals)), 1e-6)
    return np.asarray(normals / length[:, None] * 0.5 + 0.5)


def _stitch(stitcher: SeamStitcher, tiles: Mapping[int, BakedTile], sampler: ChannelSampler, source: Snapshot) -> None:
    """Stitch the seams within and between some tiles, in place."""
    pictures = {
        number: [picture.reshape(-1, picture.shape[2]) for picture in baked.pictures] for number, baked in tiles.items()
    }
    stitcher.stitch(pictures, {number: baked.filled.ravel() for number, baked in tiles.items()}, sampler, source)
