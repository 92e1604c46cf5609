"""What is a step over a seam of the target's layout, and none on the source, made to vanish."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from ...data.snapshot import Snapshot
from ...geometry.adjacency import opposite_triangles, triangle_components
from ...geometry.arrays import unit_rows
from ...geometry.welding import place_numbers, uv_corners
from ..carrier import Carrier, Kin
from .pixels import quantized, to_float
from .seams import TOLERANCE, Seams, cuts, join, on_edges, seams, spaced, unmixed
from .tangents import leaning, upright
from .texels import TexelMap

BESIDE = 0.25
"""How strongly a texel of the margin keeps its value, against one that is covered."""
STRAY = 0.02
"""And one that shows no island, or another one than it is seen with."""
PASSES = 24
"""Most solutions, each of the steps that the one before has left, or made beside those that it took away."""
SHARED = 0.1
"""The largest step that is taken away where texels are shared with another island, which may be of another color."""
FEW = 3
"""Solutions that take part of them away: more would wear the other island's colors down."""
FAINT = 6 / 255
"""A step of the source's own is kept where it is larger than this and what its colors change by beside it."""
SLOPES = 3
"""In such changes: how far texels about one place may be apart."""
NEAR, FAR = 0.25, 5.0
"""In texels of the target: the source's borders within this distance show at a spot; where texels come from several of
the source's islands, those within the second one."""
SMOOTH = 0.999
"""Cosine: normal maps are not joined where the surface itself has an edge that is sharper."""
AROUND = 8
"""How many places along the source's seams are looked at for each spot."""

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
Frames = Callable[[Any, Singles], Singles]
"""Tangent, bitangent and normal, float32 (N, 9), at points of the target: triangles (N,), barycentric (N, 3)."""
Values = Callable[[Any, Singles, Any, Singles], Singles]
"""All pictures side by side, float32 (N, C), at points of the source that are the kin of points of the target: the
target's triangles (N,) and barycentric coordinates (N, 3), and the source's."""


@dataclass(frozen=True)
class Borders:
    """Places along the source's own seams and its materials' borders, seen from both sides.

    Attributes:
        faces: int64 (2, M), the triangles that meet there.
        barycentric: float32 (2, M, 3), the place in each.
        beside: float32 (2, M, 3), a place farther from the border.
        points: float64 (M, 3).
    """

    faces: Integers
    barycentric: Singles
    beside: Singles
    points: Floats


def borders(source: Snapshot, layouts: Sequence[NDArray[np.floating]], spacing: float, depth: Singles) -> Borders:
    """The source's borders.

    Args:
        source: the surface.
        layouts: (F, 3, 2) UVs of its triangles.
        spacing: how far the places are apart.
        depth: float32 (F,), how far beside the border to look, at most to the triangle's middle.
    """
    place = place_numbers(source.vertices)
    corners = [uv_corners(place, source.faces, one).ravel() for one in layouts]
    label = np.stack([*corners, np.repeat(source.materials, 3)])
    corner = np.unique(label, axis=1, return_inverse=True)[1].reshape(-1, 3) if corners else place[source.faces]
    whose = np.stack(cuts(place[source.faces], corner))
    vertices = source.vertices.astype(np.float64)
    ends = vertices[source.faces].reshape(-1, 3)
    length = np.linalg.norm(ends[whose[0]] - vertices[np.roll(source.faces, -1, axis=1).ravel()[whose[0]]], axis=1)
    edge, along = spaced(np.clip(np.ceil(length / max(spacing, 1e-30)), 1, 256).astype(np.int64))
    whose = whose[:, edge]
    faces, weights = whose // 3, on_edges(whose, along)
    points = np.einsum("nk,nkd->nd", weights[0], vertices[source.faces[faces[0]]])
    inward = np.linalg.norm(vertices[source.faces[faces]].mean(axis=2) - points, axis=2)
    share = np.minimum(depth[faces] / np.maximum(inward, 1e-30), 1).astype(np.float32)
    return Borders(faces, weights, weights + share[..., None] * (np.float32(1 / 3) - weights), points)


class Joiner:
    """The seams of a layout, over all its tiles."""

    def __init__(
        self,
        target: Snapshot,
        uvs: Singles,
        size: int,
        tiles: Sequence[tuple[int, int]] | None,
        repeat: bool,
        carrier: Carrier,
        texel: Singles,
    ) -> None:
        """Find them.

        Args:
            target: the surface.
            uvs: (F, 3, 2) of its triangles.
            size, tiles, repeat: as :func:`meshkin.transfer.texture.seams.seams`.
            carrier: of its points.
            texel: float32 (F,), how long a texel is on the source.
        """
        found = seams(target.vertices, target.faces, uvs, size, tiles, repeat)
        sides = np.einsum("snk,snkd->snd", found.barycentric, carrier.points[target.faces[found.faces]])
        apart = np.linalg.norm(sides[0] - sides[1], axis=1)
        same = np.flatnonzero(apart < 1e-4 * np.ptp(carrier.vertices, axis=0).max())
        self.used, numbers = np.unique(found.texels[:, same], return_inverse=True)
        self.size, self.found = size, replace(found.chosen(same), texels=numbers.reshape(2, -1, 4))
        self.points = sides.mean(axis=0)[same]
        self.torn = carrier.torn[self.found.faces].any(axis=0)
        self.texel = texel[self.found.faces].max(axis=0, initial=0)
        self.island = triangle_components(
            opposite_triangles(uv_corners(place_numbers(target.vertices), target.faces, uvs))
        )
        self.shows = np.full(len(self.used), -1, np.int32)
        self.origin = np.full(len(self.used), -1, np.int32)
        self.hold = np.ones(len(self.used), np.float32)
        self.shown_by = np.zeros(len(self.used), np.int64)
        self.shown_by[self.found.texels] = self.found.faces[..., None]

    @property
    def apart(self) -> bool:
        """Whether no seam leads from one tile to another."""
        tile = self.used[self.found.texels[:, :, 0]] // self.size**2
        return bool((tile[0] == tile[1]).all())

    def note(self, tile: int, texels: TexelMap, kin: Kin, grown: tuple[Integers, Integers]) -> None:
        """Remember which triangles of both surfaces a tile's texels show.

        Args:
            tile: its number.
            texels: its texels on the target.
            kin: and on the source.
            grown: the texels of the margin, and the covered one whose picture each has.
        """
        part, used = self._part(tile), self._texels(tile)
        self.shows[part] = texels.face.ravel()[used]
        border, nearest = grown
        at = np.minimum(np.searchsorted(border, used), max(len(border) - 1, 0))
        shown = np.where(border[at] == used, nearest[at], used) if len(border) else used
        at = np.minimum(np.searchsorted(kin.texel, shown), max(len(kin.texel) - 1, 0))
        own = np.zeros(len(used), bool)
        if len(kin.texel):
            own = (kin.texel[at] == shown) & (self.island[kin.target_face[at]] == self.island[self.shown_by[part]])
            self.origin[part] = np.where(own, kin.face[at], -1)
        self.hold[part] = np.where(self.shows[part] >= 0, 1, np.where(own, BESIDE, STRAY))

    def join(
        self,
        pictures: Mapping[int, Sequence[NDArray[Any]]],
        filled: Mapping[int, NDArray[np.uint8]],
        source: Callable[[float], Borders],
        values: Values,
        columns: Sequence[slice],
        frames: Sequence[Frames | None],
        label: NDArray[np.integer],
    ) -> None:
        """Change texels of some tiles' pictures as little as it takes.

        Args:
            pictures: by tile, each (P, C), changed: whole numbers of 8 or 16 bits, or float32.
            filled: by tile, (P,), 255 where the picture does not come from the source.
            source: its borders, places so far apart.
            values: of the source.
            columns: which of them are each picture's.
            frames: for each picture that holds tangent-space normals, the target's frames; they are joined as
                ``values`` has them, as :func:`meshkin.transfer.texture.tangents.leaning`.
            label: (F,), the island and material of each triangle of the source.
        """
        here, free = np.zeros(len(self.used), bool), np.zeros(len(self.used), bool)
        for tile, share in filled.items():
            here[self._part(tile)] = True
            free[self._part(tile)] = share[self._texels(tile)] == 255
        spots = np.flatnonzero(here[self.found.texels[:, :, 0]].all(axis=0))
        if not len(spots):
            return
        found = self.found.chosen(spots)
        lone = self._alone(found) & ~self.torn[spots]
        asked: Flags = np.asarray(free[found.texels].all(axis=(0, 2)))
        room = np.full((len(spots), len(columns)), np.inf, np.float32)
        spacing = NEAR * float(np.median(self.texel[spots]))
        one = self._of_one(label)
        ask = _Question(self, source(spacing), values, columns, one)
        for number in range(len(columns)):
            flat = np.zeros((len(self.used), columns[number].stop - columns[number].start), np.float32)
            for tile, layers in pictures.items():
                flat[self._part(tile)] = to_float(layers[number][self._texels(tile)])
            ones = np.ones(flat.shape[1], np.float32)
            limits = 0 * ones, ones
            if next(iter(pictures.values()))[number].dtype == np.float32:
                limits = flat.min(axis=0), flat.max(axis=0)
            frame, smooth = self._framed(found, frames[number])
            if frame is not None:
                flat, limits = leaning(flat, frame), (-ones, ones)
            touched = self._reclaim(flat, found.chosen(np.flatnonzero(lone)))
            for turn in range(PASSES):
                steps = np.abs(found.steps(flat)).max(axis=1)
                rows = np.flatnonzero((steps > TOLERANCE) & smooth & (lone | ((steps <= SHARED) & (turn < FEW))))
                new = rows[~asked[rows]]
                room[new], asked[new] = ask.room(spots[new]), True
                rows = rows[found.chosen(rows).spread(flat) <= room[rows, number]]
                if not len(rows):
                    break
                touched[join(flat, found, rows, self.hold, limits, turn)] = True
            if frame is not None:
                flat = upright(flat, frame)
            for tile, layers in pictures.items():
                rows = np.flatnonzero(touched[self._part(tile)])
                picture = layers[number]
                picture[self._texels(tile)[rows]] = quantized(flat[self._part(tile)][rows], 8 * picture.itemsize)

    def _framed(self, found: Seams, frames: Frames | None) -> tuple[Singles | None, Flags]:
        """The frame in which each texel of a normal map is seen at some spots, float32 (U, 9), and at which of these
        the surface has no edge, bool (N,); None and everywhere for other pictures."""
        count = found.faces.shape[1]
        if frames is None:
            return None, np.ones(count, bool)
        at_spots = [frames(face, weights) for face, weights in zip(found.faces, found.barycentric, strict=True)]
        one, other = (unit_rows(frame[:, 6:]) for frame in at_spots)
        spot = np.repeat(np.arange(2 * count), 4)
        seen = csr_array(
            (found.weights.ravel(), (found.texels.ravel(), spot)), shape=(len(self.used), 2 * count), dtype=np.float32
        )
        mean = np.asarray(seen @ np.concatenate(at_spots) / np.maximum(seen.sum(axis=1), 1e-6)[:, None], np.float32)
        return mean, np.asarray(np.einsum("nd,nd->n", one, other) > SMOOTH)

    def _reclaim(self, flat: Singles, found: Seams) -> Flags:
        """Give texels that show no island, or a strange one, what is beside them at the spots; which texels those are.

        Args:
            flat: float32 (P, C), changed.
            found: spots that share no texel with another island.
        """
        stray = (self.hold == np.float32(STRAY))[found.texels]
        count = (~stray).sum(axis=2)
        mean = np.einsum("snk,snkc->snc", (~stray).astype(np.float32), flat[found.texels])
        mean /= np.maximum(count, 1)[..., None]
        side, spot, corner = np.nonzero(stray & (count > 0)[..., None])
        texel = found.texels[side, spot, corner]
        changed = np.zeros(len(flat), bool)
        changed[texel] = True
        flat[changed] = 0
        np.add.at(flat, texel, mean[side, spot])
        flat[changed] /= np.bincount(texel, minlength=len(flat))[changed, None]
        return changed

    def _of_one(self, label: NDArray[np.integer]) -> Flags:
        """At which spots all texels come from one island and material of the source."""
        shows = np.where(self.origin >= 0, label[self.origin], -1)[self.found.texels]
        high = shows.max(axis=(0, 2))
        low = np.where(shows >= 0, shows, high[None, :, None]).min(axis=(0, 2))
        labels = [np.broadcast_to(each[None, :, None], shows.shape) for each in (low, high)]
        return unmixed(self.found.texels, labels[0], labels[1], len(self.used))

    def _alone(self, found: Seams) -> Flags:
        """At which spots no other island shows, or is shown by, any of their texels."""
        shown = np.where(self.shows >= 0, self.island[self.shows], -1)[found.texels]
        here = np.broadcast_to(self.island[found.faces][..., None], shown.shape)
        low, high = np.where(shown >= 0, np.minimum(shown, here), here), np.maximum(shown, here)
        return unmixed(found.texels, low, high, len(self.used))

    def _part(self, tile: int) -> slice:
        first, last = np.searchsorted(self.used, (tile * self.size**2, (tile + 1) * self.size**2))
        return slice(int(first), int(last))

    def _texels(self, tile: int) -> Integers:
        """Numbers, in a tile's picture, of its texels that show at seams."""
        return np.asarray(self.used[self._part(tile)] - tile * self.size**2)


class _Question:
    """Whether the source's pictures go on at spots of the target's seams."""

    def __init__(self, joiner: Joiner, source: Borders, values: Values, columns: Sequence[slice], one: Flags) -> None:
        self.joiner, self.source, self.values, self.columns, self.one = joiner, source, values, columns, one
        self.tree = cKDTree(source.points) if len(source.points) else None

    def room(self, spots: Integers) -> Singles:
        """How far a spot's texels may be apart for them to be one picture, float32 (K, pictures).

        No limit where they come from one island; a limit by what the colors change by beside the source's border
        where they come from several, and what differs from one side of the border to the other does not exceed that;
        :data:`FAINT` where it does, or where no border is near.
        """
        result = np.full((len(spots), len(self.columns)), FAINT, np.float32)
        result[self.one[spots]] = np.inf
        if self.tree is None or not len(spots):
            return result
        count = min(AROUND, len(self.source.points))
        away, near = self.tree.query(self.joiner.points[spots], k=count)
        reach = np.where(self.one[spots], NEAR, FAR) * self.joiner.texel[spots]
        row, column = np.nonzero(away.reshape(-1, count) <= reach[:, None])
        if not len(row):
            return result
        there, first, inverse = np.unique(near.reshape(-1, count)[row, column], return_index=True, return_inverse=True)
        spot = spots[row[first]]
        face, weights = self.joiner.found.faces[0, spot], self.joiner.found.barycentric[0, spot]
        source = self.source
        (one, other), (one_beside, other_beside) = (
            [self.values(face, weights, source.faces[side, there], where[side, there]) for side in (0, 1)]
            for where in (source.barycentric, source.beside)
        )
        step = np.abs(one - other)
        slope = np.abs(one - one_beside) + np.abs(other - other_beside)
        for number, part in enumerate(self.columns):
            change = slope[:, part].max(axis=1)
            broken = np.zeros(len(spots), bool)
            broken[row[(step[:, part].max(axis=1) > FAINT + change)[inverse]]] = True
            most = np.zeros(len(spots), np.float32)
            np.maximum.at(most, row, change[inverse])
            several = ~self.one[spots]
            result[several, number] = FAINT + SLOPES * most[several]
            result[broken, number] = FAINT
        return result
