"""The values of all channels at points of the source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...base.color import linear_to_srgb, srgb_to_linear
from ...base.progress import ProgressCallback
from ...base.threads import in_order
from ...data.snapshot import Snapshot
from ...geometry.arrays import Integers, Singles
from ..carrier import Correspondence
from .channels import Channel, Picture, SlotTexture, SourceTextures
from .footprints import Footprints
from .mip_pyramid import pyramid
from .normal_frames import NormalFrames
from .pixels import to_float
from .sampling import PictureFormat, Sampler, Taps, sampled
from .settings import SamplingSettings
from .tangents import from_deviation, to_deviation
from .texel_correspondence import TexelCorrespondence
from .uv_layouts import uv_islands

SAMPLE_BLOCK = 1 << 16
"""Most texels sampled at a time. Chosen, to bound memory."""


def channel_columns(channels: Sequence[Channel]) -> list[slice]:
    """The columns of each channel where the values of all channels stand side by side."""
    ends = accumulate((channel.width for channel in channels), initial=0)
    return [slice(start, end) for start, end in pairwise(ends)]


class ChannelSampler:
    """The values of all channels at points of both surfaces, side by side.

    ``picture_values`` are as pictures hold them. ``surface_values`` are the same but for normals, which are deviations
    (:func:`meshkin.transfer.texture.tangents.to_deviation`): they can be compared, and interpolated, across the seams
    of the target's UV layout.

    Attributes:
        channels: what is baked.
        uv_layouts: float32 (F, 3, 2) each, of the source's triangles.
        columns: of each channel.
        frames: of normal maps; None if no channel is one.
    """

    def __init__(
        self,
        textures: SourceTextures,
        uv_layouts: Sequence[Singles],
        source: Snapshot,
        footprints: Footprints,
        frames: NormalFrames | None,
        settings: SamplingSettings = SamplingSettings(),
    ) -> None:
        """Lay out a sampler for each format of the source's pictures.

        Args:
            textures: the source's.
            uv_layouts: its UV layouts, finite.
            source: the source.
            footprints: of the target's texels.
            frames: of normal maps; None if no channel is one.
            settings: how to sample.
        """
        self.channels, self._pictures = textures.channels, textures.pictures
        self.uv_layouts, self._materials, self._footprints = uv_layouts, source.materials, footprints
        self.columns, self.frames = channel_columns(textures.channels), frames
        self._samplers: dict[PictureFormat, Sampler] = {}
        self._pyramids: dict[int, NDArray[Any]] = {}
        for picture_format, slots in _slots_by_format(textures).items():
            uvs = uv_layouts[picture_format.uv_layout]
            shown = np.isin(source.materials, list(slots))
            sampler = Sampler(uvs, uv_islands(source, uvs), shown, picture_format, settings)
            self._samplers[picture_format] = sampler

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.columns[-1].stop if self.columns else 0

    def prepare(self, texels: TexelCorrespondence, report: ProgressCallback) -> None:
        """Make pyramids as deep as these texels need; ``report`` may raise Cancelled."""
        steps = np.linalg.norm(self._footprints.on_source, axis=(1, 2))[texels.target_face]
        for picture_format, sampler in self._samplers.items():
            rises = self._footprints.rises(picture_format.uv_layout) * max(picture_format.shape)
            sampler.deepen(float((rises[texels.source_face] * steps).max(initial=1)))
        used = [number for number, picture in enumerate(self._pictures) if PictureFormat.of(picture) in self._samplers]

        def make_pyramid(number: int) -> tuple[int, NDArray[Any]]:
            levels = self._samplers[PictureFormat.of(self._pictures[number])].levels
            existing = self._pyramids.get(number)
            if existing is not None and len(existing) == levels[-1].end:
                return number, existing
            return number, pyramid(self._pictures[number].pixels, levels)

        for done, (number, flat) in enumerate(in_order(make_pyramid, used)):
            report("Shrinking the images", done / len(used))
            self._pyramids[number] = flat

    def picture_values(self, points: Correspondence) -> Singles:
        """All channels at points, float32 (N, width), as the target's pictures hold them."""
        values = np.zeros((len(points), self.width), np.float32)
        slots = self._materials[points.source_face]
        used = np.flatnonzero(np.bincount(slots)).tolist()
        for slot in used:
            rows = np.flatnonzero(slots == slot) if len(used) > 1 else slice(None)
            block = _SlotPoints.of(points.chosen(rows))
            for channel, columns in zip(self.channels, self.columns, strict=True):
                if slot in channel.slots:
                    values[rows, columns] = self._channel_values(channel, channel.slots[slot], block)
        return values

    def copy_texels(self, values: Singles, points: Correspondence, texel: Integers, size: int) -> None:
        """Replace values (N, width), in place, by the very texels of pictures that are as large as the result.

        For points at which the result's layout is the source's own. Normals stay: they may have to be turned.

        Args:
            values: of :meth:`picture_values`.
            points: (N,).
            texel: (N,), their numbers in the result.
            size: of the result, texels.
        """
        slots = self._materials[points.source_face]
        for slot in np.flatnonzero(np.bincount(slots)).tolist():
            rows = np.flatnonzero(slots == slot)
            for channel, columns in zip(self.channels, self.columns, strict=True):
                texture = channel.slots.get(slot)
                if texture is None or channel.normal or len(texture.pictures) != 1:
                    continue
                picture = self._pictures[texture.pictures[0]]
                is_like_result = picture.tile is None and picture.extension == "repeat"
                if is_like_result and picture.pixels.shape[:2] == (size, size):
                    samples = to_float(picture.pixels.reshape(size * size, -1)[texel[rows]]).copy()
                    values[rows, columns] = _converted(samples, texture)[:, : channel.width]

    def surface_values(self, points: Correspondence) -> Singles:
        """All channels at points, float32 (N, width), comparable across seams."""
        return self.to_surface(self.picture_values(points), points.target_face, points.target_weights)

    def to_surface(self, values: Singles, face: NDArray[np.integer], weights: Singles) -> Singles:
        """What pictures hold (N, width) at points of the target, (N,) and (N, 3), made comparable across seams."""
        return self._normals_changed(values, face, weights, to_deviation)

    def to_picture(self, values: Singles, face: NDArray[np.integer], weights: Singles) -> Singles:
        """What :meth:`to_surface` gave, as pictures hold it."""
        return self._normals_changed(values, face, weights, from_deviation)

    def islands_and_materials(self) -> Integers:
        """A number for each triangle of the source, int64 (F,), equal where the UV islands (in all layouts that
        pictures use) and the material are equal."""
        labels = [self._materials, *(sampler.island for sampler in self._samplers.values())]
        return np.unique(np.stack(labels), axis=1, return_inverse=True)[1].reshape(-1)

    def lengths_of_change(self) -> Singles:
        """For each triangle of the source the length over which its pictures can change, float32 (F,): a texel of the
        target, or one and a half of the source's."""
        texel = float(np.median(self._footprints.lengths))
        length = np.full(len(self._materials), texel, np.float32)
        for picture_format in self._samplers:
            rise = self._footprints.rises(picture_format.uv_layout) * max(picture_format.shape)
            length = np.maximum(length, texel + 1.5 / np.maximum(rise, 1e-12))
        return length

    def _normals_changed(
        self,
        values: Singles,
        face: NDArray[np.integer],
        weights: Singles,
        change: Callable[[Singles, Singles], Singles],
    ) -> Singles:
        if self.frames is None:
            return values
        result, frame = values.copy(), self.frames.of_target(face, weights)
        for channel, columns in zip(self.channels, self.columns, strict=True):
            if channel.normal:
                result[:, columns] = change(values[:, columns], frame)
        return result

    def _channel_values(self, channel: Channel, texture: SlotTexture, block: _SlotPoints) -> Singles:
        """One channel's values at points of one material slot, float32 (N, C)."""
        values = np.empty((len(block.points), channel.width), np.float32)
        values[:] = self._plain_value(channel, texture)
        for number in texture.pictures:
            picture = self._pictures[number]
            samples = sampled(self._taps(picture, block), self._pyramids[number], len(block.points))
            here: Any = slice(None)
            if picture.tile is not None:
                here = (self._uv_tiles(picture.uv_layout, block.points) == picture.tile).all(axis=1)
            values[here] = _converted(samples, texture)[here, : channel.width]
        return self._target_normals(values, texture, block.points) if channel.normal else values

    def _plain_value(self, channel: Channel, texture: SlotTexture) -> Singles:
        """What a channel shows where no picture is, float32 (C,): the mean of its tiles where it has some."""
        pictures = [self._pictures[number] for number in texture.pictures]
        tiles = [picture.pixels for picture in pictures if picture.tile is not None]
        if not tiles:
            return np.array(texture.value[: channel.width], np.float32)
        means = [
            pixels.reshape(-1, pixels.shape[2]).mean(axis=0) / (np.iinfo(pixels.dtype).max if _is_whole(pixels) else 1)
            for pixels in tiles
        ]
        mean = np.stack(means).mean(axis=0, keepdims=True).astype(np.float32)
        return _converted(mean, texture)[0, : channel.width]

    def _taps(self, picture: Picture, block: _SlotPoints) -> Taps:
        picture_format = PictureFormat.of(picture)
        if picture_format not in block.taps:
            sampler, points, first = self._samplers[picture_format], block.points, block.first
            in_uv = None
            if len(sampler.levels) > 1:
                in_uv = (
                    self._footprints.in_uvs[picture.uv_layout][points.source_face[first]]
                    @ self._footprints.on_source[points.target_face[first]]
                )
            taps = sampler.taps(points.source_face, points.source_weights, in_uv, block.footprint)
            block.taps[picture_format] = taps
        return block.taps[picture_format]

    def _uv_tiles(self, uv_layout: int, points: Correspondence) -> Integers:
        """The unit square that each point's UV lies in, int64 (N, 2)."""
        corners = self.uv_layouts[uv_layout][points.source_face]
        return np.floor(np.einsum("nk,nkd->nd", points.source_weights, corners)).astype(np.int64)

    def _target_normals(self, values: Singles, texture: SlotTexture, points: Correspondence) -> Singles:
        """Normals (N, 3) in [0, 1], scaled by their strength and turned into the target's tangent space."""
        strength = np.array((texture.strength, texture.strength, min(texture.strength, 1)), np.float32)
        normals = (values * 2 - 1 - (0, 0, 1)) * strength + (0, 0, 1)  # as Blender's Normal Map node
        if texture.pictures:
            assert self.frames is not None
            uv_layout = self._pictures[texture.pictures[0]].uv_layout
            normals = self.frames.carry_normals(normals.astype(np.float32, copy=False), uv_layout, points)
        return np.asarray(normals * 0.5 + 0.5, np.float32)


@dataclass(frozen=True)
class _SlotPoints:
    """Points of one material slot, and what the channels share when they are sampled.

    Neighbors in a row mostly lie in the same two triangles: they have one footprint.

    Attributes:
        points: the points.
        first: int64 (M,), the first point of each footprint.
        footprint: int64 (N,), the footprint of each point.
        taps: by the pictures' format.
    """

    points: Correspondence
    first: Integers
    footprint: Integers
    taps: dict[PictureFormat, Taps] = field(default_factory=dict)

    @staticmethod
    def of(points: Correspondence) -> _SlotPoints:
        source, target, count = points.source_face, points.target_face, len(points)
        change = (source[1:] != source[:-1]) | (target[1:] != target[:-1])
        first = np.flatnonzero(np.concatenate([np.ones(min(count, 1), bool), change]))
        return _SlotPoints(points, first, np.repeat(np.arange(len(first)), np.diff(first, append=count)))


def _is_whole(pixels: NDArray[Any]) -> bool:
    return bool(np.issubdtype(pixels.dtype, np.integer))


def _slots_by_format(textures: SourceTextures) -> dict[PictureFormat, set[int]]:
    """The formats of the pictures that are used, with the material slots that use them."""
    slots: dict[PictureFormat, set[int]] = {}
    for channel in textures.channels:
        for slot, texture in channel.slots.items():
            for number in texture.pictures:
                slots.setdefault(PictureFormat.of(textures.pictures[number]), set()).add(slot)
    return slots


def _converted(samples: Singles, texture: SlotTexture) -> Singles:
    """Samples (N, D) of a picture as a channel shows them, (N, C); ``samples`` may be changed."""
    if texture.from_srgb:
        samples[:, :3] = srgb_to_linear(samples[:, :3])
    if texture.weights is not None:
        samples = samples @ np.array(texture.weights, np.float32)
    if texture.offset:
        samples = samples + np.array(texture.offset, np.float32)
    if texture.to_srgb:
        samples[:, :3] = linear_to_srgb(samples[:, :3])
    return samples
