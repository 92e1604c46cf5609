"""Textures, carried through a map: sampled from the source's images, baked into the target's UV layout."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...base.color import linear_to_srgb, srgb_to_linear
from ...base.errors import InputError
from ...base.progress import ProgressCallback, silent
from ...base.threads import in_order
from ...data.snapshot import Snapshot
from ...data.surface_map import Match
from ...geometry.adjacency import opposite_triangles, triangle_components
from ...geometry.closest_points import nearest_on_triangles
from ...geometry.gradients import barycentric_gradients
from ...geometry.welding import place_numbers, uv_corners
from ..carrier import Carrier, Kin, Walker, check_match
from .channels import BakedTile, BakeSettings, Channel, Picture, SlotTexture, SourceTextures, TexelShares
from .inpainting import Fill, fill
from .joining import Borders, Joiner, borders
from .layouts import repeats, target_uvs, uv_steps
from .pixels import DTYPES, quantized
from .sampling import Sampler, apply
from .tangents import blend, frames, leaning, stretch, tangents, turned, upright
from .texels import TexelMap, beyond, margin_of, texel_map

BLOCK = 1 << 16
"""Most texels sampled at a time."""
SOFT = 0.1
"""Over this much confidence above the threshold a filled texture fades into the copied one."""
SAME = 0.06
"""Values no farther apart than this, across a seam, are one picture."""
PIECE = 6
"""A filled region is solved in pieces about this many texels long."""

Singles = NDArray[np.float32]


def bake(
    textures: SourceTextures,
    source: Snapshot,
    target: Snapshot,
    match: Match,
    settings: BakeSettings,
    report: ProgressCallback = silent,
    memory: dict[Any, Any] | None = None,
) -> Iterator[BakedTile]:
    """Bake channels of the source's materials into the target's UV layout, tile by tile.

    Each texel's point on the target is carried to the source once (:class:`meshkin.transfer.carrier.Carrier`), and all
    channels sampled there, at the UV inside that one triangle and from its own island's texels only, filtered to the
    texel's footprint (:class:`meshkin.transfer.texture.sampling.Sampler`).

    Args:
        textures: the source's.
        source, target: the two shapes; the target with UVs.
        match: their map.
        settings: size, margin, tiles, threshold.
        report: told what is being done; may raise Cancelled.
        memory: where to keep, and to look for, what depends on the two shapes, the map, size and tiles alone: the
            texels' kin, which other channels, margins and thresholds can use again.

    Raises:
        InputError: ``image-empty``, ``map-other-mesh`` (the map is not of these two), and as
            :func:`meshkin.transfer.texture.layouts.target_uvs` and :func:`meshkin.transfer.texture.texels.texel_map`.
    """
    uvs = target_uvs(target)
    for picture in textures.pictures:
        if picture.pixels.ndim != 3 or picture.pixels.size == 0:
            raise InputError("image-empty", "An image of the source has no pixels.", "Reload or replace the image.")
    check_match(source, target, match)
    kept = {} if memory is None else memory
    if "carrier" not in kept:
        kept["carrier"] = Carrier(source, target, match.to_source)
    work = _Bake(textures, source, target, kept["carrier"], uvs, settings)
    waiting: dict[int, BakedTile] = {}
    with ThreadPoolExecutor(1) as beside:
        joining = beside.submit(work.joiner)
        for number in range(len(settings.tiles or (0,))):
            waiting[number] = work.tile(number, joining, kept if memory is not None else dict(kept), report)
            joiner = joining.result()
            if joiner is None or joiner.apart or number + 1 == len(settings.tiles or (0,)):
                if joiner is not None:
                    work.join(joiner, waiting)
                yield from waiting.values()
                waiting.clear()


class _Bake:
    """What all tiles share."""

    def __init__(
        self,
        textures: SourceTextures,
        source: Snapshot,
        target: Snapshot,
        carrier: Carrier,
        uvs: Singles,
        settings: BakeSettings,
    ) -> None:
        self.pictures, self.channels, self.settings, self.carrier = (
            textures.pictures,
            textures.channels,
            settings,
            carrier,
        )
        self.source, self.target, self.uvs = source, target, uvs
        self.repeat = settings.tiles is None and repeats(uvs)
        self.layouts = [np.nan_to_num(one, nan=0, posinf=0, neginf=0).astype(np.float32) for one in textures.uv_layouts]
        self.carried = stretch(target.vertices, target.faces, carrier.points)
        self.carried[carrier.torn] = 0
        # On the target, from texel to texel; on the source, from place to UV.
        self.from_texels = self.carried @ uv_steps(target, uvs, settings.size)
        corners = source.vertices.astype(np.float64)[source.faces]
        rises = np.stack(barycentric_gradients(corners), axis=1)
        self.to_uvs = [
            np.einsum("fku,fkd->fud", one[:, 1:] - one[:, :1], rises).astype(np.float32) for one in self.layouts
        ]
        self.center = target.vertices.astype(np.float64).mean(axis=0)
        self.walker = Walker(target.vertices.astype(np.float64) - self.center, target.faces)
        self.samplers: dict[tuple[Any, ...], Sampler] = {}
        self.pyramids: dict[int, NDArray[Any]] = {}
        self.source_frames: list[Singles] = []

    def tile(
        self, number: int, joining: Future[Joiner | None], memory: dict[Any, Any], report: ProgressCallback
    ) -> BakedTile:
        """One tile's pictures, whose seams are not yet joined."""
        tile = (self.settings.tiles or ((0, 0),))[number]
        size, margin = self.settings.size, self.settings.margin
        pool = ThreadPoolExecutor(1)  # beside what has its own threads
        laying = pool.submit(self._lay_out)
        if tile not in memory:
            texels = texel_map(self.uvs - np.array(tile, np.float32), size, report, self.settings.tiles is None)
            memory[tile] = texels, self.carrier.texels(texels, report)
        texels, kin = memory[tile]
        weights = texels.barycentric.reshape(-1, 3)
        growing = pool.submit(margin_of, texels.covered, max(margin, 2) if margin else 0)
        pool.shutdown(wait=False)
        laying.result()
        self._prepare(kin, report)
        filling = self._filling(kin, report)
        result = [np.zeros((size * size, one.width), DTYPES[one.depth]) for one in self.channels]
        filled = np.zeros(size * size, np.uint8)
        total = len(kin.texel)

        def work(start: int) -> int:
            part = slice(start, start + BLOCK)
            texel, face = kin.texel[part], kin.target_face[part]
            values = self._values(face, weights[texel], kin.face[part], kin.barycentric[part])
            if filling is not None:
                share = self._distrust(kin.confidence[part])
                rows = np.flatnonzero(share > 0)
                mixed = weights[texel[rows]]
                copied = self._in_space(values[rows], face[rows], mixed)
                new = copied + share[rows, None] * (filling.at(face[rows], mixed) - copied)
                values[rows] = self._in_picture(new, face[rows], mixed)
                filled[texel] = np.rint(share * 255)
            start_column = 0
            for picture, channel in zip(result, self.channels, strict=True):
                columns = values[:, start_column : start_column + channel.width]
                picture[texel] = quantized(_unit(columns) if channel.normal else columns, channel.depth)
                start_column += channel.width
            return start

        for start in in_order(work, range(0, total, BLOCK)):
            report("Sampling the texture", start / total)
        report("Growing the islands", 0)
        border, nearest, squares = growing.result()
        within, close = squares <= margin * margin, squares <= 4
        for values in (*result, filled):
            values[border[within]] = values[nearest[within]]
        self._continue(result, filled, tile, texels, (border[close], nearest[close]), report)
        torn = float(self.carrier.torn[kin.target_face].mean()) if total else 0.0
        repaired = float((filled[kin.texel] > 127).mean()) if total else 0.0
        shares = TexelShares(total / size**2, repaired, torn)
        joiner = joining.result()
        if joiner is not None:
            joiner.note(number, texels, kin, (border, nearest))
        return BakedTile(tile, [one.reshape(size, size, -1) for one in result], filled.reshape(size, size), shares)

    def _continue(
        self,
        result: list[NDArray[Any]],
        filled: NDArray[np.uint8],
        tile: tuple[int, int],
        texels: TexelMap,
        around: tuple[Any, Any],
        report: ProgressCallback,
    ) -> None:
        """Let texels beside the islands, from which renderers mix at a seam, show what lies across the seam.

        Where that is another color altogether (the source has an edge there), they stay as they are.
        """
        report("Joining the seams", 0)
        texel, own, weights = beyond(texels, self.uvs, tile, self.settings.size, around)
        inside = np.maximum(weights, 0) / np.maximum(weights, 0).sum(axis=1, keepdims=True)
        kept, face, weights = self._across(own, weights)
        texel, own, inside = texel[kept], own[kept], inside[kept].astype(np.float32)
        free = np.flatnonzero(filled[texel] == 0)
        for start in range(0, len(free), BLOCK):
            rows = free[start : start + BLOCK]
            there, mixed = self.carrier.carry(face[rows], weights[rows])
            values = self._spatial(face[rows], weights[rows], there, mixed)
            values = self._in_picture(values, own[rows], inside[rows])
            column = 0
            for picture, channel in zip(result, self.channels, strict=True):
                new = quantized(values[:, column : column + channel.width], channel.depth)
                scale = np.float32(1 if channel.depth == 32 else np.iinfo(DTYPES[channel.depth]).max)
                step = np.abs(new.astype(np.float32) - picture[texel[rows]]).max(axis=1) / scale
                near = np.flatnonzero(step <= SAME)
                picture[texel[rows[near]]] = new[near]
                column += channel.width

    def joiner(self) -> Joiner | None:
        """The seams whose two sides can be made one; None where there are none to see."""
        if self.settings.margin <= 0:
            return None
        length = np.linalg.norm(self.from_texels, axis=1).max(axis=1)
        tiles = self.settings.tiles
        return Joiner(self.target, self.uvs, self.settings.size, tiles, self.repeat, self.carrier, length)

    def join(self, joiner: Joiner, tiles: Mapping[int, BakedTile]) -> None:
        """Let what is still a step across seams within some tiles, and none on the source, vanish."""
        groups = [self.source.materials, *(sampler.island for sampler in self.samplers.values())]
        ends = np.cumsum([0, *(channel.width for channel in self.channels)]).tolist()
        joiner.join(
            {
                number: [picture.reshape(-1, picture.shape[2]) for picture in baked.pictures]
                for number, baked in tiles.items()
            },
            {number: baked.filled.ravel() for number, baked in tiles.items()},
            self._borders,
            self._spatial,
            [slice(*pair) for pair in itertools.pairwise(ends)],
            [self._frames if channel.normal else None for channel in self.channels],
            np.unique(np.stack(groups), axis=1, return_inverse=True)[1].reshape(-1),
        )

    def _borders(self, spacing: float) -> Borders:
        """The source's, and how far beside them its pictures can change."""
        texel = float(np.median(np.linalg.norm(self.from_texels, axis=1).max(axis=1)))
        depth = np.full(len(self.source.faces), texel, np.float32)
        for number, shape, *_ in self.samplers:
            rise = np.linalg.norm(self.to_uvs[number], axis=(1, 2)) * max(shape)
            depth = np.maximum(depth, texel + 1.5 / np.maximum(rise, 1e-12))
        return borders(self.source, self.layouts, spacing, depth)

    def _across(self, face: Any, weights: Any) -> tuple[Any, Any, Any]:
        """Points in the planes of triangles, which may lie outside them, brought back to the target's surface: those
        for which that can be done, and their triangles and barycentric coordinates."""
        vertices = self.target.vertices.astype(np.float64)
        corners = vertices[self.target.faces[face]]
        points = np.einsum("nk,nkd->nd", weights, corners)
        edges = self.uvs[face].astype(np.float64)
        edges = edges[:, 1:] - edges[:, :1]
        flat = np.abs(edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0])
        real = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
        length = np.sqrt(real / np.maximum(flat, 1e-300)) / self.settings.size
        _, squares = nearest_on_triangles(points, corners)
        found, mixed, height = self.walker.walk((points - self.center).astype(np.float32), face.astype(np.int32))
        good = (np.sqrt(squares) <= 3 * length) & (np.abs(height) <= length)
        return np.flatnonzero(good), found[good], mixed[good]

    def _spatial(self, target_face: Any, target_weights: Singles, face: Any, weights: Singles) -> Singles:
        """As :meth:`_values`, in space."""
        values = self._values(target_face, target_weights, face, weights)
        return self._in_space(values, target_face, target_weights)

    def _in_space(self, values: Singles, face: Any, weights: Singles) -> Singles:
        """Values at points of the target that can be compared, and mixed, across seams of its layout: normals as
        :func:`meshkin.transfer.texture.tangents.leaning`."""
        return self._framed(values, face, weights, leaning)

    def _in_picture(self, values: Singles, face: Any, weights: Singles) -> Singles:
        """What :meth:`_in_space` gave, as pictures have it."""
        return self._framed(values, face, weights, upright)

    def _framed(
        self, values: Singles, face: Any, weights: Singles, change: Callable[[Singles, Singles], Singles]
    ) -> Singles:
        if not any(channel.normal for channel in self.channels):
            return values
        result, frame, column = values.copy(), self._frames(face, weights), 0
        for channel in self.channels:
            if channel.normal:
                result[:, column : column + 3] = change(values[:, column : column + 3], frame)
            column += channel.width
        return result

    def _frames(self, face: Any, weights: Singles) -> Singles:
        """Tangent, bitangent and normal at points of the target, float32 (N, 9), as renderers have them."""
        mixed = blend(self.target_frames, face, weights)
        bitangent = self.hands[face, None] * np.cross(mixed[:, 3:], mixed[:, :3])
        return np.concatenate([mixed[:, :3], bitangent, mixed[:, 3:]], axis=1)

    def _lay_out(self) -> None:
        """A sampler for each size and layout of the source's pictures, and the frames of normals, once."""
        if any(channel.normal for channel in self.channels) and not self.source_frames:
            source, target = self.source, self.target
            along = tangents(target.vertices, target.faces, target.normals, self.uvs)
            self.target_frames = np.concatenate([along[..., :3], target.normals], axis=2)
            self.hands = along[:, 0, 3]
            own = frames(target.normals, along)
            self.carried_frames = (own.reshape(-1, 6, 3) @ self.carried.transpose(0, 2, 1)).reshape(own.shape)
            self.source_frames = [
                frames(source.normals, tangents(source.vertices, source.faces, source.normals, one))
                for one in self.layouts
            ]
        place = place_numbers(self.source.vertices)
        for key, slots in self._groups().items():
            if key not in self.samplers:
                number, shape, address, closest, tile = key
                corners = uv_corners(place, self.source.faces, self.layouts[number])
                shown = np.isin(self.source.materials, list(slots))
                self.samplers[key] = Sampler(
                    self.layouts[number],
                    triangle_components(opposite_triangles(corners)),
                    shown,
                    shape,
                    address,
                    closest,
                    tile or (0, 0),
                )

    def _prepare(self, kin: Kin, report: ProgressCallback) -> None:
        """Pyramids as deep as the texels need."""
        bound = np.linalg.norm(self.from_texels, axis=(1, 2))[kin.target_face]
        for key, sampler in self.samplers.items():
            number, shape, *_ = key
            reach = np.linalg.norm(self.to_uvs[number], axis=(1, 2)) * max(shape)
            sampler.deepen(float((reach[kin.face] * bound).max(initial=1)))
        indices = [index for index, one in enumerate(self.pictures) if _key(one) in self.samplers]

        def work(index: int) -> tuple[int, NDArray[Any]]:
            sampler, there = self.samplers[_key(self.pictures[index])], self.pyramids.get(index)
            if there is not None and len(there) == sampler.texels:
                return index, there
            return index, sampler.pyramid(self.pictures[index].pixels)

        for done, (index, flat) in enumerate(in_order(work, indices)):
            report("Shrinking the images", done / len(indices))
            self.pyramids[index] = flat

    def _groups(self) -> dict[tuple[Any, ...], set[int]]:
        """Pictures' sizes and layouts with the slots that use them."""
        groups: dict[tuple[Any, ...], set[int]] = {}
        for channel in self.channels:
            for slot, one in channel.slots.items():
                for number in one.pictures:
                    groups.setdefault(_key(self.pictures[number]), set()).add(slot)
        return groups

    def _values(self, target_face: Any, target_weights: Singles, face: Any, weights: Singles) -> Singles:
        """All channels side by side at points, float32 (N, sum of widths)."""
        result = np.zeros((len(face), sum(one.width for one in self.channels)), np.float32)
        slots = self.source.materials[face]
        found = np.flatnonzero(np.bincount(slots)).tolist()
        for slot in found:
            rows = np.flatnonzero(slots == slot) if len(found) > 1 else slice(None)
            points = _Points(self, target_face[rows], target_weights[rows], face[rows], weights[rows])
            column = 0
            for channel in self.channels:
                if slot in channel.slots:
                    result[rows, column : column + channel.width] = points.values(channel.slots[slot], channel)
                column += channel.width
        return result

    def _distrust(self, confidence: Singles) -> Singles:
        """How far to fill in rather than to copy."""
        share = np.clip((self.settings.threshold + SOFT - confidence) / SOFT, 0, 1)
        return np.asarray(share * share * (3 - 2 * share), np.float32)

    def _filling(self, kin: Kin, report: ProgressCallback) -> Fill | None:
        """What untrusted triangles are filled with; None where there is nothing to fill."""
        if self.settings.threshold <= 0:
            return None
        limit = self.settings.threshold + SOFT
        trust = self.carrier.map.confidence[self.target.faces]
        chosen = (trust.min(axis=1) < limit) | self.carrier.torn
        if not chosen.any():
            return None
        report("Filling in what is not trusted", 0)
        touched = np.zeros(len(self.target.vertices), bool)
        touched[self.target.faces[chosen]] = True
        place = place_numbers(self.target.vertices)
        near = np.zeros(place.max() + 1, bool)
        near[place[touched]] = True
        around = np.asarray(near[place[self.target.faces]].any(axis=1))
        edges = self.uvs - np.roll(self.uvs, 1, axis=1)
        length = float(np.median(np.linalg.norm(edges[around], axis=2).max(axis=1))) * self.settings.size
        cuts = max(1, round(length / PIECE))

        def sample(face: Any, weights: Singles) -> Any:
            there, mixed = self.carrier.carry(face, weights)
            return self._spatial(face, weights, there, mixed)

        def known(face: Any, weights: Singles) -> NDArray[np.bool_]:
            return np.asarray(self.carrier.trust(face, weights) >= self.settings.threshold)

        return fill(self.target.vertices, self.target.faces, around, known, sample, cuts)


class _Points:
    """Points of one material slot: samples of its pictures, sharing what they can."""

    def __init__(self, bake: _Bake, target_face: Any, target_weights: Singles, face: Any, weights: Singles) -> None:
        self.bake, self.target_face, self.target_weights = bake, target_face, target_weights
        self.face, self.weights, self.count = face, weights, len(face)
        self.found: dict[Any, Any] = {}
        # Neighbors in a row mostly lie in the same two triangles: they have one footprint.
        change = (face[1:] != face[:-1]) | (target_face[1:] != target_face[:-1])
        self.runs = np.flatnonzero(np.concatenate([np.ones(min(len(face), 1), bool), change]))
        self.run = np.repeat(np.arange(len(self.runs)), np.diff(self.runs, append=len(face)))

    def values(self, source: SlotTexture, channel: Channel) -> Singles:
        """A channel's values, float32 (N, width)."""
        result = np.empty((self.count, channel.width), np.float32)
        result[:] = source.value[: channel.width]
        for number in source.pictures:
            picture = self.bake.pictures[number]
            taps = self._taps(picture)
            here: Any = slice(None)
            if picture.tile is not None:
                here = (self._tile(picture.uv_layout) == picture.tile).all(axis=1)
            samples = _converted(apply(taps, self.bake.pyramids[number], self.count), source)
            result[here] = samples[here, : channel.width]
        if channel.normal:
            return self._turned(result, source)
        return result

    def _taps(self, picture: Picture) -> Any:
        key = _key(picture)
        if key not in self.found:
            sampler = self.bake.samplers[key]
            footprints = None
            if len(sampler.levels) > 1:
                footprints = (
                    self.bake.to_uvs[picture.uv_layout][self.face[self.runs]]
                    @ self.bake.from_texels[self.target_face[self.runs]]
                )
            self.found[key] = sampler.taps(self.face, self.weights, footprints, self.run)
        return self.found[key]

    def _tile(self, layout: int) -> Any:
        """The unit square that each point's UV lies in, whole numbers (N, 2)."""
        corners = self.bake.layouts[layout][self.face]
        return np.floor(np.einsum("nk,nkd->nd", self.weights, corners)).astype(np.int64)

    def _turned(self, values: Singles, source: SlotTexture) -> Singles:
        """Normals in [0, 1], turned into the target's frames."""
        normals = values * 2 - 1
        strength = np.array((source.strength, source.strength, min(source.strength, 1)), np.float32)
        normals = (normals - (0, 0, 1)) * strength + (0, 0, 1)  # as Blender's Normal Map node
        if source.pictures:
            layout = self.bake.pictures[source.pictures[0]].uv_layout
            bake = self.bake
            here = blend(bake.source_frames[layout], self.face, self.weights)
            there = blend(bake.carried_frames, self.target_face, self.target_weights)
            normals = turned(normals.astype(np.float32, copy=False), here, there)
        return np.asarray(normals * 0.5 + 0.5, np.float32)


def _converted(samples: Singles, source: SlotTexture) -> Singles:
    if source.from_srgb:
        samples[:, :3] = srgb_to_linear(samples[:, :3])
    if source.weights is not None:
        samples = samples @ np.array(source.weights, np.float32)
    if source.offset:
        samples = samples + np.array(source.offset, np.float32)
    if source.to_srgb:
        samples[:, :3] = linear_to_srgb(samples[:, :3])
    return samples


def _unit(values: Singles) -> Singles:
    """Normals in [0, 1], made unit."""
    normals = values * 2 - 1
    length = np.maximum(np.sqrt(np.einsum("nd,nd->n", normals, normals)), 1e-6)
    return np.asarray(normals / length[:, None] * 0.5 + 0.5)


def _key(picture: Picture) -> tuple[Any, ...]:
    address = "extend" if picture.tile is not None else picture.extension
    return (picture.uv_layout, picture.pixels.shape[:2], address, picture.closest, picture.tile)
