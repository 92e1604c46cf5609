"""Which point of a surface each texel of its UV layout shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from ..errors import InputError
from ..matching.geometry import blocks, expand, nearest_on_triangles
from ..progress import Report, silent

LARGEST = 16_384
"""Largest width of a picture, pixels."""
TILES = 64
"""Most tiles that one triangle may span in the UV layout."""
BLOCK = 1 << 20
"""Most texels looked at at a time."""
REACH = np.sqrt(0.5)
"""Half a texel's diagonal: within this distance of a texel's centre lies whatever touches the texel."""
FREE = np.uint64(2**64 - 1)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class TexelMap:
    """A square picture's texels on the surface. Row 0 is the top of the picture, where v = 1.

    Attributes:
        face: int32 (S, S), the triangle that the texel shows, -1 for none.
        barycentric: float32 (S, S, 3), where in that triangle; non-negative, rows sum to 1; 0 for none.
    """

    face: NDArray[np.int32]
    barycentric: NDArray[np.float32]

    @property
    def covered(self) -> NDArray[np.bool_]:
        """Where a triangle is shown, bool (S, S)."""
        covered: NDArray[np.bool_] = self.face >= 0
        return covered


def texel_map(uvs: NDArray[np.floating], size: int, report: Report = silent) -> TexelMap:
    """Lay a UV layout over a square picture.

    A texel shows the triangle that its centre lies in (of several, the first), else the nearest point of the nearest
    triangle that touches it, so that islands are covered up to and including their borders. UVs outside [0, 1] come in
    at the other side. Triangles without an area in the layout, or with UVs that are not numbers, show nowhere.

    Args:
        uvs: (F, 3, 2), corner UVs of each triangle, v up.
        size: width and height of the picture, pixels.
        report: told the share done; may raise Cancelled.

    Raises:
        InputError: ``texture-size`` (not within 1 .. 16384), ``uvs-range`` (a triangle spans more than 64 tiles).
    """
    if not 1 <= size <= LARGEST:
        raise InputError(
            "texture-size", f"A texture cannot be {size} pixels wide.", f"Choose a size from 1 to {LARGEST}."
        )
    # Texel (row i, column j) has its centre at (x, y) = (j, i).
    corners = np.asarray(uvs, np.float64) * (size, -size) + (-0.5, size - 0.5)
    edges = corners[:, 1:] - corners[:, :1]
    doubled = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
    triangles = np.flatnonzero(np.abs(np.nan_to_num(doubled, nan=0, posinf=0, neginf=0)) > 1e-9)
    if len(triangles) and np.ptp(corners[triangles], axis=1).max() > TILES * size:
        raise InputError("uvs-range", f"A face spans more than {TILES} tiles of the UV map.", "Scale its UVs down.")
    # The nearest triangle's squared distance in the upper half, its number in the lower: the least key wins a texel.
    keys = np.full(size * size, FREE)
    barycentric = np.zeros((size * size, 3), np.float32)

    def claim(texel: Integers, face: Integers, distance: NDArray[np.float32], weights: NDArray[np.floating]) -> None:
        key = distance.view(np.uint32).astype(np.uint64) << np.uint64(32) | face.astype(np.uint64)
        np.minimum.at(keys, texel, key)
        won = keys[texel] == key
        barycentric[texel[won]] = weights[won]

    for share, spans in _spans(corners, triangles, 0.0):
        report("Laying out texels", share / 2)
        span, along = expand(spans.width)
        texel = (spans.y % size * size)[span] + (spans.x[span] + along) % size
        face = spans.face[span]
        claim(texel, face, np.zeros(len(face), np.float32), _inside(corners, doubled, spans, span, along))
    for share, spans in _spans(corners, triangles, REACH):
        report("Laying out texels", 0.5 + share / 2)
        span, along = expand(spans.width)
        x = spans.x[span] + along
        texel = (spans.y % size * size)[span] + x % size
        left = np.flatnonzero(keys[texel] >> np.uint64(32) > 0)
        points = np.stack([x[left], spans.y[span[left]]], axis=1).astype(np.float64)
        face = spans.face[span[left]]
        weights, squares = nearest_on_triangles(points, corners[face])
        touching = squares <= REACH**2
        # Not below the least positive number: a distance of 0 is a centre inside.
        distance = np.maximum(squares[touching], 1e-30).astype(np.float32)
        claim(texel[left[touching]], face[touching], distance, weights[touching])
    face_of = np.where(keys == FREE, -1, (keys & np.uint64(2**32 - 1)).astype(np.int64)).astype(np.int32)
    return TexelMap(face_of.reshape(size, size), barycentric.reshape(size, size, 3))


def dilate(pixels: NDArray[np.float32], covered: NDArray[np.bool_], margin: int) -> None:
    """Grow the covered texels of a picture by ``margin`` pixels, in place: each takes the nearest covered one's value.

    Args:
        pixels: float32 (S, S, C), changed.
        covered: bool (S, S).
        margin: pixels, 0 or more.
    """
    if margin <= 0 or covered.all() or not covered.any():
        return
    rows, columns = distance_transform_edt(~covered, return_distances=False, return_indices=True)
    width = covered.shape[1]
    step = max(1, BLOCK // width)
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        y, x = np.ogrid[start : start + len(rows[part]), :width]
        near = (rows[part] - y) ** 2 + (columns[part] - x) ** 2 <= margin * margin
        near &= ~covered[part]
        pixels[part][near] = pixels[rows[part][near], columns[part][near]]


@dataclass(frozen=True)
class _Spans:
    """Runs of texels, each in one row of one triangle, int64 (N,): its number, the first x, the y, how many."""

    face: Integers
    x: Integers
    y: Integers
    width: Integers


def _spans(corners: Floats, triangles: Integers, reach: float) -> Iterator[tuple[float, _Spans]]:
    """The runs of texels whose centres lie in a triangle, or within about ``reach`` of it; in blocks, each after the
    share done by then.

    Row by row, what is looked at stays close to what is covered, however thin and slanted the triangles.
    """
    heights = corners[triangles, :, 1]
    low = np.ceil(heights.min(axis=1) - reach).astype(np.int64)
    counts = np.floor(heights.max(axis=1) + reach).astype(np.int64) - low + 1
    for part in blocks(counts, BLOCK // 4):
        row, number = expand(counts[part])
        face = triangles[part][row]
        y = low[part][row] + number
        left, right = _extent(corners[face], y - reach, y + reach)
        x = np.ceil(left - reach)
        # Nothing of the triangle in this row: left is inf and right is -inf.
        width = np.maximum(np.floor(right + reach) - x + 1, 0)
        met = width > 0
        face, x, y, width = face[met], x[met].astype(np.int64), y[met], width[met].astype(np.int64)
        for piece in blocks(width, BLOCK):
            done = (part.start + (part.stop - part.start) * piece.stop / len(width)) / len(triangles)
            yield done, _Spans(face[piece], x[piece], y[piece], width[piece])


def _extent(corners: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Least and greatest x of each triangle between the heights ``low`` and ``high``; (inf, -inf) where it has none."""
    left, right = np.full(len(corners), np.inf), np.full(len(corners), -np.inf)
    for a in range(3):
        start, end = corners[:, a], corners[:, (a + 1) % 3]
        rise = end[:, 1] - start[:, 1]
        rise = np.where(rise == 0, 1e-300, rise)
        with np.errstate(over="ignore"):
            one, two = (low - start[:, 1]) / rise, (high - start[:, 1]) / rise
        enter, leave = np.clip(np.minimum(one, two), 0, None), np.clip(np.maximum(one, two), None, 1)
        met = enter <= leave
        for along in (enter, leave):
            x = start[:, 0] + np.where(met, along, 0) * (end[:, 0] - start[:, 0])
            left = np.where(met, np.minimum(left, x), left)
            right = np.where(met, np.maximum(right, x), right)
    return left, right


def _inside(corners: Floats, doubled: Floats, spans: _Spans, span: Integers, along: Integers) -> NDArray[np.float32]:
    """Barycentric coordinates float32 (N, 3) of texel centres that lie in their triangles.

    Straight along each run, from its first texel. ``doubled`` is twice each triangle's signed area.
    """
    a, b, c = corners[spans.face].transpose(1, 2, 0)
    scale = 1 / doubled[spans.face]
    weights = np.empty((len(span), 3), np.float32)
    for column, (p, q) in ((1, (c, a)), (2, (a, b))):
        start = ((q[0] - p[0]) * (spans.y - p[1]) - (q[1] - p[1]) * (spans.x - p[0])) * scale
        slope = (p[1] - q[1]) * scale
        weights[:, column] = start.astype(np.float32)[span] + slope.astype(np.float32)[span] * along
    weights[:, 0] = 1 - weights[:, 1] - weights[:, 2]
    np.maximum(weights, 0, out=weights)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights
