"""Seams of a baked texture stitched: a step over a seam of the target that is none on the source is made to vanish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ...data.snapshot import Snapshot
from ...geometry.arrays import Flags, Integers, Singles, unit_rows
from ..carrier import PointCarrier
from .channel_sampling import ChannelSampler
from .continuity import ContrastLimits, SpotsOnSource
from .margin import Margin
from .normal_frames import NormalFrames
from .pixels import quantized, to_float
from .seam_solver import remove_steps
from .seams import SeamSpots, seam_spots, unshared
from .settings import BakeSettings
from .tangents import from_deviation, to_deviation
from .texel_correspondence import TexelCorrespondence
from .texels import TexelMap
from .uv_layouts import leaves_unit_square, uv_islands

Pictures = Mapping[int, Sequence[NDArray[Any]]]
"""By tile, its channels' pictures (texels, C)."""


class SeamStitcher:
    """The seams of the target's UV layout, over all its tiles.

    Only texels that show at seams matter: those of all tiles together have consecutive rows here, (P,).
    """

    def __init__(
        self,
        target: Snapshot,
        uvs: Singles,
        carrier: PointCarrier,
        texel_length: Singles,
        kept: Flags,
        settings: BakeSettings,
    ) -> None:
        """Find the seams.

        Args:
            target: the surface.
            uvs: (G, 3, 2) of its triangles.
            carrier: carries its points to the source.
            texel_length: float32 (G,), how long a texel is on the source.
            kept: bool (G,), triangles between which seams stay as they are.
            settings: size and tiles of the pictures, and how to stitch.
        """
        self._size, self._settings = settings.size, settings.stitching
        repeat = settings.tiles is None and leaves_unit_square(uvs)
        spots = seam_spots(target.vertices, target.faces, uvs, self._size, settings.tiles, repeat)
        sides = np.einsum("snk,snkd->snd", spots.weights, carrier.mapped_vertices[target.faces[spots.faces]])
        apart = np.linalg.norm(sides[0] - sides[1], axis=1)
        is_kept = kept[spots.faces].all(axis=0)
        same = np.flatnonzero((apart < self._settings.same_place * carrier.source_extent) & ~is_kept)
        self._texel, rows = np.unique(spots.texels[:, same], return_inverse=True)
        self._spots = replace(spots.chosen(same), texels=rows.reshape(2, -1, 4))
        self._position = sides.mean(axis=0)[same]
        self._torn = carrier.torn[self._spots.faces].any(axis=0)
        self._length = texel_length[self._spots.faces].max(axis=0, initial=0)
        self._island = uv_islands(target, uvs)
        count = len(self._texel)
        self._shows = np.full(count, -1, np.int32)  # the target's triangle that a texel shows
        self._origin = np.full(count, -1, np.int32)  # the source's triangle that it comes from
        self._hold = np.ones(count, np.float32)
        self._seen_at = np.zeros(count, np.int64)  # a triangle of the target that it is seen at
        self._seen_at[self._spots.texels] = self._spots.faces[..., None]

    @property
    def within_tiles(self) -> bool:
        """Whether no seam leads from one tile to another."""
        tile = self._texel[self._spots.texels[:, :, 0]] // self._size**2
        return bool((tile[0] == tile[1]).all())

    def add_tile(self, tile: int, texels: TexelMap, correspondence: TexelCorrespondence, margin: Margin) -> None:
        """Remember which triangles of both surfaces a tile's texels show.

        Args:
            tile: its index.
            texels: of the tile.
            correspondence: of its covered texels.
            margin: its bake margin.
        """
        part, texel = self._rows_of(tile), self._texels_of(tile)
        self._shows[part] = texels.face.ravel()[texel]
        shown = margin.shown_texel(texel)
        at = np.minimum(np.searchsorted(correspondence.texel, shown), max(len(correspondence.texel) - 1, 0))
        own = np.zeros(len(texel), bool)
        if len(correspondence.texel):
            island = self._island[correspondence.target_face[at]]
            own = (correspondence.texel[at] == shown) & (island == self._island[self._seen_at[part]])
            self._origin[part] = np.where(own, correspondence.source_face[at], -1)
        in_margin = np.where(own, self._settings.margin_hold, self._settings.stray_hold)
        self._hold[part] = np.where(self._shows[part] >= 0, 1, in_margin)

    def stitch(
        self, pictures: Pictures, filled: Mapping[int, NDArray[np.uint8]], sampler: ChannelSampler, source: Snapshot
    ) -> None:
        """Change texels of some tiles' pictures as little as it takes.

        Args:
            pictures: changed: whole numbers of 8 or 16 bits, or float32.
            filled: by tile, (texels,), 255 where the picture does not come from the source.
            sampler: the values of the source's channels.
            source: the source.
        """
        here, free = np.zeros(len(self._texel), bool), np.zeros(len(self._texel), bool)
        for tile, share in filled.items():
            here[self._rows_of(tile)] = True
            free[self._rows_of(tile)] = share[self._texels_of(tile)] == 255
        chosen = np.flatnonzero(here[self._spots.texels[:, :, 0]].all(axis=0))
        if not len(chosen):
            return
        spots = self._spots.chosen(chosen)
        alone = self._alone(spots) & ~self._torn[chosen]
        on_source = SpotsOnSource(
            spots=spots,
            positions=self._position[chosen],
            texel_length=self._length[chosen],
            one_island=self._from_one_island(sampler.islands_and_materials())[chosen],
            filled=np.asarray(free[spots.texels].all(axis=(0, 2))),
        )
        limits = ContrastLimits(on_source, sampler, source, self._settings)
        for channel in range(len(sampler.columns)):
            self._stitch_channel(pictures, channel, spots, alone, limits, sampler)

    def _stitch_channel(
        self,
        pictures: Pictures,
        channel: int,
        spots: SeamSpots,
        alone: Flags,
        limits: ContrastLimits,
        sampler: ChannelSampler,
    ) -> None:
        """Stitch one channel's pictures at some spots; ``alone`` (N,) are those that no other island has a part in."""
        settings = self._settings
        columns = sampler.columns[channel]
        values = np.zeros((len(self._texel), columns.stop - columns.start), np.float32)
        for tile, layers in pictures.items():
            values[self._rows_of(tile)] = to_float(layers[channel][self._texels_of(tile)])
        ones = np.ones(values.shape[1], np.float32)
        range_of_values = 0 * ones, ones
        if next(iter(pictures.values()))[channel].dtype == np.float32:
            range_of_values = values.min(axis=0), values.max(axis=0)
        smooth, frame = np.ones(len(alone), bool), None
        if sampler.frames is not None and sampler.channels[channel].normal:
            smooth, frame = self._frames_at(spots, sampler.frames)
            values, range_of_values = to_deviation(values, frame), (-ones, ones)
        touched = self._give_strays(values, spots.chosen(np.flatnonzero(alone)))
        for turn in range(settings.most_solutions):
            steps = np.abs(spots.steps(values)).max(axis=1)
            small = (steps <= settings.shared_step) & (turn < settings.shared_solutions)
            rows = np.flatnonzero((steps > settings.visible_step) & smooth & (alone | small))
            rows = rows[spots.chosen(rows).contrast(values) <= limits.of(rows, channel)]
            if not len(rows):
                break
            changed = remove_steps(values, spots, rows, self._hold, range_of_values, turn, settings.solver)
            touched[changed] = True
        if frame is not None:
            values = from_deviation(values, frame)
        for tile, layers in pictures.items():
            rows = np.flatnonzero(touched[self._rows_of(tile)])
            picture = layers[channel]
            picture[self._texels_of(tile)[rows]] = quantized(values[self._rows_of(tile)][rows], 8 * picture.itemsize)

    def _frames_at(self, spots: SeamSpots, frames: NormalFrames) -> tuple[Flags, Singles]:
        """At which spots (N,) the surface has no edge, and the frame in which each texel is seen there, the mean over
        the spots, float32 (P, 9)."""
        at_spots = [frames.of_target(face, weights) for face, weights in zip(spots.faces, spots.weights, strict=True)]
        first, second = (unit_rows(frame[:, 6:]) for frame in at_spots)
        count = spots.faces.shape[1]
        column = np.repeat(np.arange(2 * count), 4)
        shape = (len(self._texel), 2 * count)
        seen = csr_array((spots.shares.ravel(), (spots.texels.ravel(), column)), shape=shape, dtype=np.float32)
        total = np.maximum(seen.sum(axis=1), 1e-6)[:, None]
        frame = np.asarray(seen @ np.concatenate(at_spots) / total, np.float32)
        return np.asarray(np.einsum("nd,nd->n", first, second) > self._settings.smooth_edge), frame

    def _give_strays(self, values: Singles, spots: SeamSpots) -> Flags:
        """Give texels that show no island, or another one, the values of the texels beside them at the spots.

        Args:
            values: float32 (P, C), changed in place.
            spots: those that share no texel with another island.

        Returns:
            bool (P,), the texels that were changed.
        """
        stray = (self._hold == np.float32(self._settings.stray_hold))[spots.texels]
        count = (~stray).sum(axis=2)
        mean = np.einsum("snk,snkc->snc", (~stray).astype(np.float32), values[spots.texels])
        mean /= np.maximum(count, 1)[..., None]
        side, spot, corner = np.nonzero(stray & (count > 0)[..., None])
        texel = spots.texels[side, spot, corner]
        changed = np.zeros(len(values), bool)
        changed[texel] = True
        values[changed] = 0
        np.add.at(values, texel, mean[side, spot])
        values[changed] /= np.bincount(texel, minlength=len(values))[changed, None]
        return changed

    def _from_one_island(self, label: Integers) -> Flags:
        """At which of all spots all texels come from one island and material of the source; ``label`` is a number of
        both for each triangle of the source (F,)."""
        spots = self._spots
        labels = np.where(self._origin >= 0, label[self._origin], -1)[spots.texels]
        high = labels.max(axis=(0, 2))
        low = np.where(labels >= 0, labels, high[None, :, None]).min(axis=(0, 2))
        lowest, highest = (np.broadcast_to(bound[None, :, None], labels.shape) for bound in (low, high))
        return unshared(spots.texels, lowest, highest, len(self._texel))

    def _alone(self, spots: SeamSpots) -> Flags:
        """At which spots no other island of the target shows, or is shown by, any of their texels."""
        shown = np.where(self._shows >= 0, self._island[self._shows], -1)[spots.texels]
        here = np.broadcast_to(self._island[spots.faces][..., None], shown.shape)
        low, high = np.where(shown >= 0, np.minimum(shown, here), here), np.maximum(shown, here)
        return unshared(spots.texels, low, high, len(self._texel))

    def _rows_of(self, tile: int) -> slice:
        """The rows of a tile's texels."""
        first, last = np.searchsorted(self._texel, (tile * self._size**2, (tile + 1) * self._size**2))
        return slice(int(first), int(last))

    def _texels_of(self, tile: int) -> Integers:
        """The numbers, in a tile's picture, of its texels that show at seams."""
        return np.asarray(self._texel[self._rows_of(tile)] - tile * self._size**2)
