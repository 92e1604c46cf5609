"""Which point of a surface each texel of its UV layout shows: the layout rasterized."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError
from ...base.progress import ProgressCallback, silent
from ...base.threads import in_order
from ...geometry.adjacency import opposite_triangles
from ...geometry.arrays import Floats, Integers, Singles, blocks, expand
from ...geometry.closest_points import nearest_on_triangles
from .options import LARGEST_TEXTURE
from .usable_uvs import MOST_TILES, doubled_areas

TEXEL_BLOCK = 1 << 18
"""Most texels looked at at a time. Chosen, to bound memory."""
REACH = np.sqrt(0.5)
"""Half a texel's diagonal, in texels: whatever touches a texel lies within this distance of its center."""


@dataclass(frozen=True)
class TexelMap:
    """A picture's texels on the surface. Row 0 is the top of the picture, where v = 1.

    Attributes:
        face: int32 (H, W), the triangle that the texel shows, -1 for none.
        barycentric: float32 (H, W, 3), where in that triangle; non-negative, rows sum to 1; 0 for none.
    """

    face: NDArray[np.int32]
    barycentric: Singles

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
    """Rasterize a UV layout.

    A texel shows the triangle that its center lies in (of several, the first), else the nearest point of the nearest
    triangle that touches it, so that islands are covered up to and including their borders. UVs outside [0, 1] come in
    at the other side. Triangles without area in the layout only show where they touch a texel whose center no other one
    covers; those with UVs that are not finite numbers show nowhere.

    Args:
        uvs: (F, 3, 2), corner UVs of each triangle, v up.
        size: width and height of the picture, or its (height, width), pixels.
        report: called with the share done; may raise Cancelled.
        wrap: False leaves out what lies outside [0, 1] (one tile of several).
        faces_only: leave ``barycentric`` at 0 where a center is covered, which saves time.

    Raises:
        InputError: ``texture-size`` (not within 1 .. 16384), ``uvs-range`` (a triangle spans more than 64 tiles).
    """
    height, width = (size, size) if isinstance(size, int) else size
    if not (1 <= height <= LARGEST_TEXTURE and 1 <= width <= LARGEST_TEXTURE):
        raise InputError(
            "texture-size", f"A texture cannot be {width} pixels wide.", f"Choose a size from 1 to {LARGEST_TEXTURE}."
        )
    triangles = _Triangles.of(uvs, height, width)
    placed = np.concatenate((triangles.shown, triangles.flat))
    if len(placed):
        spans = np.ptp(triangles.corners[placed], axis=1)
        if (spans > MOST_TILES * np.array([width, height])).any():
            raise InputError(
                "uvs-range", f"A face spans more than {MOST_TILES} tiles of the UV map.", "Scale its UVs down."
            )
    canvas = _Canvas(height, width, wrap)
    _cover_centers(canvas, triangles, faces_only, report)
    outer = triangles.shown[_at_borders(uvs, triangles.doubled)[triangles.shown]]
    # Whoever unwraps for a palette lays whole pieces onto one of its colors: a point, or a line.
    _cover_touched(canvas, triangles, np.concatenate((outer, triangles.flat)), report)
    return TexelMap(canvas.face.reshape(height, width), canvas.barycentric.reshape(height, width, 3))


@dataclass(frozen=True)
class _Triangles:
    """A layout's triangles in texels: the texel of row i and column j has its center at (x, y) = (j, i).

    Attributes:
        corners: float64 (F, 3, 2).
        doubled: float64 (F,), twice the signed areas; 0 where they are not finite.
        shown: int64 (S,), the triangles with an area.
        flat: int64 (L,), those that lie on a line or a point.
    """

    corners: Floats
    doubled: Floats
    shown: Integers
    flat: Integers

    @staticmethod
    def of(uvs: NDArray[np.floating], height: int, width: int) -> _Triangles:
        corners = np.asarray(uvs, np.float64) * (width, -height) + (-0.5, height - 0.5)
        doubled = np.nan_to_num(doubled_areas(corners), nan=0, posinf=0, neginf=0)
        has_area = np.abs(doubled) > 1e-9
        finite = np.isfinite(corners).all(axis=(1, 2))
        return _Triangles(corners, doubled, np.flatnonzero(has_area), np.flatnonzero(finite & ~has_area))


class _Canvas:
    """A picture whose texels are taken by triangles; those of texel numbers ``row * width + column``."""

    def __init__(self, height: int, width: int, wrap: bool) -> None:
        self.height, self.width, self.wrap = height, width, wrap
        self.face = np.full(height * width, -1, np.int32)
        self.barycentric = np.zeros((height * width, 3), np.float32)

    def texels(self, x: Integers, y: Integers) -> tuple[Integers, NDArray[np.bool_] | slice]:
        """The texels' numbers, and which of them are in the picture."""
        if self.wrap:
            return y % self.height * self.width + x % self.width, slice(None)
        return y * self.width + x, (x >= 0) & (x < self.width) & (y >= 0) & (y < self.height)


def _cover_centers(canvas: _Canvas, triangles: _Triangles, faces_only: bool, report: ProgressCallback) -> None:
    """Let triangles take the texels whose centers lie in them; of several, the first triangle."""

    def free_texels(block: tuple[float, _Runs]) -> tuple[float, Integers, Integers, Singles | None]:
        share, runs = block
        run, along = expand(runs.width)
        texel, here = canvas.texels(runs.x[run] + along, runs.y[run])
        run, along, texel = run[here], along[here], texel[here]
        free = np.flatnonzero(canvas.face[texel] < 0)
        if len(free) < len(texel):
            run, along, texel = run[free], along[free], texel[free]
        weights = None if faces_only else _weights_along(triangles, runs, run, along)
        return share, texel, runs.face[run], weights

    for share, texel, face, weights in in_order(free_texels, _runs(triangles.corners, triangles.shown, 0.0)):
        report("Laying out texels", share / 2)
        # Blocks that were computed ahead may bring texels that have been taken meanwhile.
        taken = canvas.face[texel]
        if (taken >= 0).any():
            free = np.flatnonzero(taken < 0)
            texel, face = texel[free], face[free]
            weights = None if weights is None else weights[free]
        # Of several values for one texel NumPy keeps the last: backwards, that is the first triangle's.
        canvas.face[texel[::-1]] = face[::-1]
        if weights is not None:
            canvas.barycentric[texel[::-1]] = weights[::-1]


def _cover_touched(canvas: _Canvas, triangles: _Triangles, outer: Integers, report: ProgressCallback) -> None:
    """Let the triangles ``outer`` take the texels that they touch and whose centers nothing covers; the nearest one."""
    touched: list[tuple[Integers, Floats, Integers, Floats]] = []
    for share, runs in _runs(triangles.corners, outer, REACH):
        report("Laying out texels", 0.5 + share / 2)
        run, along = expand(runs.width)
        x, y = runs.x[run] + along, runs.y[run]
        texel, here = canvas.texels(x, y)
        free = np.zeros(len(texel), bool)
        free[here] = True
        free[free] = canvas.face[texel[free]] < 0
        centers = np.stack([x[free], y[free]], axis=1).astype(np.float64)
        face = runs.face[run[free]]
        weights, squares = nearest_on_triangles(centers, triangles.corners[face])
        near = squares <= REACH**2
        touched.append((texel[free][near], squares[near], face[near], weights[near]))
    if touched:
        texel, squares, face, weights = (np.concatenate(parts) for parts in zip(*touched, strict=True))
        order = np.lexsort((face, squares, texel))[::-1]  # backwards: of several values for one texel the nearest stays
        canvas.face[texel[order]] = face[order]
        canvas.barycentric[texel[order]] = weights[order]


def _at_borders(uvs: NDArray[np.floating], doubled: Floats) -> NDArray[np.bool_]:
    """Which triangles have an edge at the border of their island or at a fold, bool (F,): only they reach out of it.

    ``doubled`` is twice each triangle's signed area.
    """
    rows = np.nan_to_num(np.asarray(uvs, np.float32)) + np.float32(0)  # no minus zeros
    point = np.unique(rows.reshape(-1, 2).copy().view(np.uint64), return_inverse=True)[1].reshape(-1, 3)
    across = opposite_triangles(point)
    inner = (across >= 0) & (np.sign(doubled)[across] == np.sign(doubled)[:, None])
    return np.asarray(~inner.all(axis=1))


@dataclass(frozen=True)
class _Runs:
    """Runs of texels, each in one row of one triangle.

    Attributes:
        face: int64 (N,), the triangle.
        x, y: int64 (N,), the first texel's column and row.
        width: int64 (N,), how many texels.
    """

    face: Integers
    x: Integers
    y: Integers
    width: Integers


def _runs(corners: Floats, triangles: Integers, reach: float) -> Iterator[tuple[float, _Runs]]:
    """The runs of texels whose centers lie in a triangle, or within about ``reach`` texels of it.

    Row by row, what is looked at stays close to what is covered, however thin and slanted the triangles are.

    Yields blocks, each with the share that is done with it.
    """
    heights = corners[triangles, :, 1]
    low = np.ceil(heights.min(axis=1) - reach).astype(np.int64)
    counts = np.floor(heights.max(axis=1) + reach).astype(np.int64) - low + 1
    for part in blocks(counts, TEXEL_BLOCK // 4):
        row, number = expand(counts[part])
        face = triangles[part][row]
        y = low[part][row] + number
        left, right = _extent(corners[face], y - reach, y + reach)
        x = np.ceil(left - reach)
        # Nothing of the triangle in this row: left is inf and right is -inf.
        width = np.maximum(np.floor(right + reach) - x + 1, 0)
        met = width > 0
        face, x, y, width = face[met], x[met].astype(np.int64), y[met], width[met].astype(np.int64)
        for piece in blocks(width, TEXEL_BLOCK):
            done = (part.start + (part.stop - part.start) * piece.stop / len(width)) / len(triangles)
            yield done, _Runs(face[piece], x[piece], y[piece], width[piece])


def _extent(corners: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Least and greatest x of each triangle between the heights ``low`` and ``high``; (inf, -inf) where it has none."""
    left, right = np.full(len(corners), np.inf), np.full(len(corners), -np.inf)
    for corner in range(3):
        start, end = corners[:, corner], corners[:, (corner + 1) % 3]
        rise = end[:, 1] - start[:, 1]
        rise = np.where(rise == 0, 1e-300, rise)
        with np.errstate(over="ignore"):
            at_low, at_high = (low - start[:, 1]) / rise, (high - start[:, 1]) / rise
        enter, leave = np.clip(np.minimum(at_low, at_high), 0, None), np.clip(np.maximum(at_low, at_high), None, 1)
        met = enter <= leave
        for along in (enter, leave):
            x = start[:, 0] + np.where(met, along, 0) * (end[:, 0] - start[:, 0])
            left = np.where(met, np.minimum(left, x), left)
            right = np.where(met, np.maximum(right, x), right)
    return left, right


def _weights_along(triangles: _Triangles, runs: _Runs, run: Integers, along: Integers) -> Singles:
    """Barycentric coordinates float32 (N, 3) of texel centers that lie in their triangles.

    They are linear along each run: texel ``along[n]`` of the run ``run[n]``, counted from its first texel.
    """
    a, b, c = triangles.corners[runs.face].transpose(1, 2, 0)
    scale = 1 / triangles.doubled[runs.face]
    weights = np.empty((len(run), 3), np.float32)
    for column, (p, q) in ((1, (c, a)), (2, (a, b))):
        start = ((q[0] - p[0]) * (runs.y - p[1]) - (q[1] - p[1]) * (runs.x - p[0])) * scale
        slope = (p[1] - q[1]) * scale
        weights[:, column] = start.astype(np.float32)[run] + slope.astype(np.float32)[run] * along
    weights[:, 0] = 1 - weights[:, 1] - weights[:, 2]
    np.maximum(weights, 0, out=weights)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights
