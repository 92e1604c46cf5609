"""Which point of a surface each texel of its UV layout shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from ...base.errors import InputError
from ...base.progress import ProgressCallback, silent
from ...base.threads import in_order
from ...geometry.adjacency import opposite_triangles
from ...geometry.arrays import blocks, expand
from ...geometry.closest_points import nearest_on_triangles

LARGEST = 16_384
"""Largest width of a picture, pixels."""
TILES = 64
"""Most tiles that one triangle may span in the UV layout."""
BLOCK = 1 << 18
"""Most texels looked at at a time."""
REACH = np.sqrt(0.5)
"""Half a texel's diagonal: within this distance of a texel's center lies whatever touches the texel."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class TexelMap:
    """A picture's texels on the surface. Row 0 is the top of the picture, where v = 1.

    Attributes:
        face: int32 (H, W), the triangle that the texel shows, -1 for none.
        barycentric: float32 (H, W, 3), where in that triangle; non-negative, rows sum to 1; 0 for none.
    """

    face: NDArray[np.int32]
    barycentric: NDArray[np.float32]

    @property
    def covered(self) -> NDArray[np.bool_]:
        """Where a triangle is shown, bool (H, W)."""
        covered: NDArray[np.bool_] = self.face >= 0
        return covered


def texel_map(
    uvs: NDArray[np.floating],
    size: int | tuple[int, int],
    report: ProgressCallback = silent,
    wrap: bool = True,
    faces_only: bool = False,
) -> TexelMap:
    """Lay a UV layout over a picture.

    A texel shows the triangle that its center lies in (of several, the first), else the nearest point of the nearest
    triangle that touches it, so that islands are covered up to and including their borders. UVs outside [0, 1] come in
    at the other side. Triangles without an area in the layout, or with UVs that are not numbers, show nowhere.

    Args:
        uvs: (F, 3, 2), corner UVs of each triangle, v up.
        size: width and height of the picture, or its (height, width), pixels.
        report: told the share done; may raise Cancelled.
        wrap: False leaves out what lies outside [0, 1] (one tile of several).
        faces_only: leave ``barycentric`` at 0 where a center is covered, which saves time.

    Raises:
        InputError: ``texture-size`` (not within 1 .. 16384), ``uvs-range`` (a triangle spans more than 64 tiles).
    """
    height, width = (size, size) if isinstance(size, int) else size
    if not (1 <= height <= LARGEST and 1 <= width <= LARGEST):
        raise InputError(
            "texture-size", f"A texture cannot be {width} pixels wide.", f"Choose a size from 1 to {LARGEST}."
        )
    # Texel (row i, column j) has its center at (x, y) = (j, i).
    corners = np.asarray(uvs, np.float64) * (width, -height) + (-0.5, height - 0.5)
    edges = corners[:, 1:] - corners[:, :1]
    doubled = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
    doubled = np.nan_to_num(doubled, nan=0, posinf=0, neginf=0)
    shown = np.abs(doubled) > 1e-9
    triangles = np.flatnonzero(shown)
    if len(triangles) and (np.ptp(corners[triangles], axis=1) > TILES * np.array([width, height])).any():
        raise InputError("uvs-range", f"A face spans more than {TILES} tiles of the UV map.", "Scale its UVs down.")
    face_of = np.full(height * width, -1, np.int32)
    barycentric = np.zeros((height * width, 3), np.float32)

    def texels_of(x: Integers, y: Integers) -> tuple[Integers, NDArray[np.bool_] | slice]:
        """The texels' numbers, and which of them are in the picture."""
        if wrap:
            return y % height * width + x % width, slice(None)
        return y * width + x, (x >= 0) & (x < width) & (y >= 0) & (y < height)

    def laid(block: tuple[float, _Spans]) -> tuple[float, Integers, Integers, NDArray[np.float32] | None]:
        share, spans = block
        span, along = expand(spans.width)
        texel, here = texels_of(spans.x[span] + along, spans.y[span])
        span, along, texel = span[here], along[here], texel[here]
        free = np.flatnonzero(face_of[texel] < 0)
        if len(free) < len(texel):
            span, along, texel = span[free], along[free], texel[free]
        weights = None if faces_only else _inside(corners, doubled, spans, span, along)
        return share, texel, spans.face[span], weights

    for share, texel, face, weights in in_order(laid, _spans(corners, triangles, 0.0)):
        report("Laying out texels", share / 2)
        # Of several values for one texel the last stays: backwards, that is the first triangle's. Blocks that were
        # computed ahead may bring texels that have been taken meanwhile.
        taken = face_of[texel]
        if (taken >= 0).any():
            free = np.flatnonzero(taken < 0)
            texel, face = texel[free], face[free]
            weights = None if weights is None else weights[free]
        face_of[texel[::-1]] = face[::-1]
        if weights is not None:
            barycentric[texel[::-1]] = weights[::-1]
    found: list[tuple[Integers, Floats, Integers, Floats]] = []
    outer = np.flatnonzero(shown & _bordering(uvs, doubled))
    for share, spans in _spans(corners, outer, REACH):
        report("Laying out texels", 0.5 + share / 2)
        span, along = expand(spans.width)
        x, y = spans.x[span] + along, spans.y[span]
        texel, here = texels_of(x, y)
        left = np.zeros(len(texel), bool)
        left[here] = True
        left[left] = face_of[texel[left]] < 0
        points = np.stack([x[left], y[left]], axis=1).astype(np.float64)
        face = spans.face[span[left]]
        near, squares = nearest_on_triangles(points, corners[face])
        touching = squares <= REACH**2
        found.append((texel[left][touching], squares[touching], face[touching], near[touching]))
    if found:
        texel, squares, face, near = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.lexsort((face, squares, texel))[::-1]  # backwards: the nearest stays
        face_of[texel[order]] = face[order]
        barycentric[texel[order]] = near[order]
    return TexelMap(face_of.reshape(height, width), barycentric.reshape(height, width, 3))


def _bordering(uvs: NDArray[np.floating], doubled: Floats) -> NDArray[np.bool_]:
    """Which triangles have an edge at the border of their island or at a fold, bool (F,): only they reach out of it.

    ``doubled`` is twice each triangle's signed area.
    """
    places = np.nan_to_num(np.asarray(uvs, np.float32)) + np.float32(0)  # no minus zeros
    point = np.unique(places.reshape(-1, 2).copy().view(np.uint64), return_inverse=True)[1].reshape(-1, 3)
    across = opposite_triangles(point)
    inner = (across >= 0) & (np.sign(doubled)[across] == np.sign(doubled)[:, None])
    return np.asarray(~inner.all(axis=1))


def dilate(pixels: NDArray[np.float32], covered: NDArray[np.bool_], margin: int) -> None:
    """Grow the covered texels of a picture by ``margin`` pixels, in place: each takes the nearest covered one's value.

    Args:
        pixels: float32 (H, W, C), changed.
        covered: bool (H, W).
        margin: pixels, 0 or more.
    """
    border, nearest, _ = margin_of(covered, margin)
    flat = pixels.reshape(-1, pixels.shape[2])
    flat[border] = flat[nearest]
    if not np.shares_memory(flat, pixels):
        pixels[...] = flat.reshape(pixels.shape)


def margin_of(covered: NDArray[np.bool_], margin: int) -> tuple[Integers, Integers, Integers]:
    """The texels within ``margin`` pixels of the covered ones, the nearest covered one of each, and the square of how
    far that is: int64 (M,) each.

    Args:
        covered: bool (H, W).
        margin: pixels, 0 or more.
    """
    if margin <= 0 or covered.all() or not covered.any():
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64)
    rows, columns = distance_transform_edt(~covered, return_distances=False, return_indices=True)
    width = covered.shape[1]
    step = max(1, BLOCK // width)
    border, nearest, squares = [], [], []
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        y, x = np.ogrid[start : start + len(rows[part]), :width]
        far = (rows[part] - y) ** 2 + (columns[part] - x) ** 2
        near = (far <= margin * margin) & ~covered[part]
        border.append(np.flatnonzero(near) + start * width)
        nearest.append(rows[part][near].astype(np.int64) * width + columns[part][near])
        squares.append(far[near].astype(np.int64))
    return np.concatenate(border), np.concatenate(nearest), np.concatenate(squares)


def beyond(
    texels: TexelMap,
    uvs: NDArray[np.floating],
    tile: tuple[int, int],
    size: int,
    around: tuple[Integers, Integers],
) -> tuple[Integers, Integers, Floats]:
    """Texels whose centers lie just outside the islands, as points in the plane of the triangle that they lie at.

    Args:
        texels: of a square picture.
        uvs: (F, 3, 2), as they were laid out.
        tile: the corner of the unit square of UVs that the picture fills.
        size: of the picture.
        around: texels that no island touches to look at too, and the nearest covered one of each.

    Returns:
        their numbers int64 (N,), triangles int64 (N,), and barycentric coordinates float64 (N, 3), of which some are
        below 0.
    """
    face = texels.face.ravel()
    mixed = texels.barycentric.reshape(-1, 3)
    touched = np.flatnonzero((face >= 0) & ((mixed[:, 0] <= 0) | (mixed[:, 1] <= 0) | (mixed[:, 2] <= 0)))
    texel = np.concatenate([touched, around[0]])
    whose = face[np.concatenate([touched, around[1]])].astype(np.int64)
    row, column = np.divmod(texel, size)
    spots = np.stack([(column + 0.5) / size, 1 - (row + 0.5) / size], axis=1) + np.asarray(tile)
    corners = np.asarray(uvs, np.float64)[whose]
    spots += np.round(corners.mean(axis=1) - spots)  # repeated outside the unit square
    edges, offset = corners[:, 1:] - corners[:, :1], spots - corners[:, 0]
    turn = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
    sound = np.abs(turn) * size * size > 1e-6
    scale = np.divide(1.0, turn, out=np.zeros_like(turn), where=sound)
    second = (offset[:, 0] * edges[:, 1, 1] - offset[:, 1] * edges[:, 1, 0]) * scale
    third = (edges[:, 0, 0] * offset[:, 1] - edges[:, 0, 1] * offset[:, 0]) * scale
    weights = np.stack([1 - second - third, second, third], axis=1)
    kept = np.flatnonzero(sound & (weights.min(axis=1) < 0))
    return texel[kept], whose[kept], weights[kept]


@dataclass(frozen=True)
class _Spans:
    """Runs of texels, each in one row of one triangle, int64 (N,): its number, the first x, the y, how many."""

    face: Integers
    x: Integers
    y: Integers
    width: Integers


def _spans(corners: Floats, triangles: Integers, reach: float) -> Iterator[tuple[float, _Spans]]:
    """The runs of texels whose centers lie in a triangle, or within about ``reach`` of it; in blocks, each after the
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
    """Barycentric coordinates float32 (N, 3) of texel centers that lie in their triangles.

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
