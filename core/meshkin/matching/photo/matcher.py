"""A photograph matched to a surface by features: the object cut out, and a point of the surface for each of its pixels.

Each cell of the photograph takes the vertex with the most similar features. Features of parts that look alike (left
and right, front and back legs) leave that open, so a camera is fitted to the answers (an affine one, by RANSAC), and
the search is repeated with a preference for vertices that the camera shows there, on the side that faces it. The
preference is bounded: a limb in another pose than the mesh's goes where its features say.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...base.errors import InputError
from ...base.progress import ProgressCallback, silent
from ...cache.store import Features
from ...data.photo_map import PhotoMap
from ...data.snapshot import Snapshot
from ...features import joint
from ...features import photo as photos
from ...geometry.arrays import unit_rows
from ...geometry.closest_points import closest_points
from ...geometry.mesh import vertex_normals
from ..nearest import BLOCK, spread
from . import color_mixture as colors

CANDIDATES = 8000
"""Vertices that each cell is compared with, evenly spread."""
CLOSE = 0.1
"""Distance in the picture, in widths, within which answers agree."""
PREFERENCE = 0.15
"""How much more similar (cosine) a vertex far from where the camera shows it has to be."""
HIDDEN = 0.2
"""How much more similar a vertex has to be that faces away from the camera."""
TRIALS = 400
"""Cameras tried."""
LEAST_FIT = 0.25
"""Share of the answers' weight that has to agree with a camera for it to count."""

VERSION = 2
"""Raised whenever :func:`match` would give another map."""
BAND = 2.0
"""In cells: so far on both sides of the object's border its colors say where it is."""
AROUND = 8.0
"""In cells: the background's colors are those within this distance of the object."""
COLORS = 5
"""Gaussians in a mixture of colors."""
COLOR_SHARE = 0.7
"""How much the colors say in the band, the features the rest."""
CUTS = 2
"""How often the border is moved."""
REFERENCES = 2000
"""Vertices whose features say what the object looks like, when it is cut out."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cells:
    """A square of a photograph in n x n cells.

    Attributes:
        top, left, side: of the square, pixels; it may stand out of the photograph.
        count: n.
    """

    top: int
    left: int
    side: int
    count: int

    def inside(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which cells have their center in a mask (H, W) of the photograph, (n, n)."""
        centers = (np.arange(self.count) + 0.5) / self.count * self.side
        rows, columns = (np.floor(first + centers).astype(np.int64) for first in (self.top, self.left))
        there = np.zeros((self.count, self.count), bool)
        row, column = ((at >= 0) & (at < size) for at, size in zip((rows, columns), mask.shape, strict=True))
        there[np.ix_(row, column)] = mask[np.ix_(rows[row], columns[column])]
        return there

    def places(self, shape: tuple[int, int]) -> Floats:
        """Row and column, in cells, of the pixels' centers of a photograph of this shape, (2, H, W)."""
        rows, columns = np.mgrid[: shape[0], : shape[1]]
        first = np.array((self.top, self.left)).reshape(2, 1, 1)
        places: Floats = (np.stack((rows, columns)) + 0.5 - first) / self.side * self.count - 0.5
        return places


def match(
    path: Path,
    mask_path: Path | None,
    shape: Snapshot,
    described: Features,
    recipe: dict[str, Any],
    device: str = "auto",
    report: ProgressCallback = silent,
) -> PhotoMap:
    """Match a photograph to a surface.

    Args:
        path: the photograph.
        mask_path: image that is white, or opaque, where the object is. Without it the photograph's own transparency
            says so; without that, the object is cut out by :func:`cut`, first in the whole picture, then closer.
        shape: the surface.
        described: its features.
        recipe: theirs; every part looks at pictures, textured ones.
        device: "auto", "cpu" or a torch device.
        report: told the progress; may raise Cancelled.

    Raises:
        InputError: as :func:`meshkin.features.photo.load`, ``load_mask`` and ``check_mask``; ``photo-no-object`` when
            nothing in it agrees with the surface.
    """
    photo, opaque = photos.load(path)
    size = photo.shape[:2]
    everything = np.ones(size, bool)

    maps = described.metadata.get("maps", [])

    def describe(shown: NDArray[np.bool_], where: photos.Window) -> NDArray[np.float32]:
        return photos.describe(photo, shown, where, recipe, device, report)

    if mask_path is not None:
        mask = photos.check_mask(photos.load_mask(mask_path, (size[0], size[1])), f"The mask {mask_path}")
    elif opaque is not None:
        mask = photos.check_mask(opaque, "The photo's transparency")
    else:
        known = np.flatnonzero(described.confidence > 0)
        references = described.features[known[:: max(1, len(known) // REFERENCES)]]
        side = max(size)
        where = ((size[0] - side) // 2, (size[1] - side) // 2, side)
        for _ in range(2):
            grid = describe(everything, where)
            rows = grid.reshape(-1, grid.shape[-1])
            one, two = joint.reduce([rows, references], recipe, maps)
            mask = cut(one.reshape(*grid.shape[:2], -1), Cells(*where, photos.GRID), unit_rows(two), photo)
            if mask.sum() < photos.SMALLEST:
                raise InputError(
                    "photo-no-object",
                    f"Nothing in {path} looks like “{shape.name}”.",
                    "Give a mask that is white where the object is.",
                )
            where = photos.window(mask, 0.15)
    where = photos.window(mask)
    cells = Cells(*where, photos.GRID)
    inside = cells.inside(mask)
    if not inside.any():  # thinner than a cell
        row, column = np.argwhere(mask)[len(np.argwhere(mask)) // 2]
        inside[tuple(((np.array((row, column)) + 0.5 - where[:2]) / where[2] * cells.count).astype(int))] = True
    places = (np.argwhere(inside)[:, ::-1] + 0.5) / cells.count
    grid = describe(mask, where)
    queries, features = joint.reduce([grid[inside], described.features], recipe, maps)
    vertex, trust, camera = match_cells(queries, places, shape, features, described.confidence, report)
    face, barycentric, confidence = densify(cells, inside, vertex, trust, mask, shape)
    if camera is None:
        camera = np.full((4, 2), np.nan)
    else:
        camera = camera * cells.side
        camera[3] += (cells.left, cells.top)
    return PhotoMap(mask, face, barycentric, confidence, shape.faces, camera, photo)


def cut(
    grid: NDArray[np.float32], cells: Cells, references: NDArray[np.float32], photo: NDArray[np.uint8]
) -> NDArray[np.bool_]:
    """Where in a photograph the object is, by feature agreement: bool (H, W).

    A cell agrees with the surface by the cosine to its most similar vertex, and with the background by the mean cosine
    to the five most similar cells at the edge of the square. Where the first exceeds the second by more than Otsu's
    threshold (1979) is the object. The borders are moved to those of the picture's colors by a guided filter (He et
    al. 2013, https://doi.org/10.1109/TPAMI.2012.213), and then, in a band along them, to where the colors of the
    object inside the band give way to those of the background outside of it (as GrabCut does: Rother et al. 2004,
    https://doi.org/10.1145/1015706.1015720); pieces much smaller than the largest go, holes are filled.

    Args:
        grid: float32 (n, n, C), features of the square's cells.
        cells: the square.
        references: float32 (R, C), features of vertices, unit rows.
        photo: uint8 (H, W, 3).
    """
    height, width = photo.shape[:2]
    queries = unit_rows(grid.reshape(-1, grid.shape[-1]))
    there = cells.inside(np.ones((height, width), bool))
    edge = max(2, round(0.04 * cells.count))
    ring = there & ~ndimage.binary_erosion(there, iterations=edge)
    known = there.ravel()
    to_object = _best(queries, references, 1)
    to_background = _best(queries, queries[ring.ravel()], 5)
    difference = to_object - to_background
    score = (difference - _otsu(difference[known])) / max(float(difference[known].std()), 1e-9)
    places = cells.places((height, width))
    dense = ndimage.map_coordinates(score.reshape(grid.shape[:2]), places, order=1, mode="nearest")
    outside = (places < -0.5).any(axis=0) | (places > cells.count - 0.5).any(axis=0)
    likely = np.where(outside, 0, 1 / (1 + np.exp(-np.clip(dense / 0.3, -30, 30))))
    mask = _tidy(_guided(photo / 255.0, likely, max(2, cells.side // 16)) > 0.5)
    for _ in range(CUTS):
        mask = _by_color(mask, dense, np.asarray(outside), photo / 255.0, cells.side / cells.count)
    return mask


def _by_color(
    mask: NDArray[np.bool_], score: Floats, outside: NDArray[np.bool_], picture: Floats, cell: float
) -> NDArray[np.bool_]:
    """An object's mask (H, W) with its border moved to where the picture's colors change.

    Args:
        mask: bool (H, W).
        score: (H, W), above 0 where features tell the object.
        outside: bool (H, W), where there are no features.
        picture: (H, W, 3), in [0, 1].
        cell: width of a cell, pixels.
    """
    if not mask.any() or mask.all():
        return mask
    inwards, outwards = ndimage.distance_transform_edt(mask), ndimage.distance_transform_edt(~mask)
    band = (inwards <= BAND * cell) & (outwards <= BAND * cell)
    inner, outer = mask & ~band, ~mask & ~band & ~outside & (outwards < AROUND * cell)
    if min(inner.sum(), outer.sum()) < 200:  # too little to know the colors by
        return mask
    smooth = ndimage.gaussian_filter(picture, (1, 1, 0))
    ratio = colors.likelihood(smooth[band], colors.mixture(smooth[inner], COLORS))
    ratio -= colors.likelihood(smooth[band], colors.mixture(smooth[outer], COLORS))
    evidence = np.where(mask, 6.0, -6.0)
    evidence[band] = COLOR_SHARE * np.clip(ratio, -6, 6)
    evidence[band] += (1 - COLOR_SHARE) / 2 * np.clip(score[band] / 0.3, -6, 6)
    evidence[outside] = -6
    return _tidy(_guided(picture, 1 / (1 + np.exp(-evidence)), max(2, int(cell / 2))) > 0.5)


def match_cells(
    queries: NDArray[np.float32],
    places: Floats,
    shape: Snapshot,
    features: NDArray[np.float32],
    confidence: NDArray[np.float32],
    report: ProgressCallback = silent,
) -> tuple[NDArray[np.int64], NDArray[np.float32], Floats | None]:
    """A vertex for each cell of the object.

    Args:
        queries: float32 (Q, C), the cells' features.
        places: (Q, 2), x and y of their centers, in widths of the square.
        shape: the surface.
        features: float32 (V, C), comparable with ``queries``.
        confidence: float32 (V,), of the features; 0 excludes a vertex.
        report: told the progress; may raise Cancelled.

    Returns:
        vertex int64 (Q,); confidence float32 (Q,): the vertex's own, times the cosine, or 0 where negative, times
        exp(-d / 0.1), d being the distance to the cell that is most similar to that vertex; the affine camera (4, 2)
        from the snapshot frame to ``places``, or None where none fits.
    """
    usable = np.zeros(len(shape.vertices), bool)
    usable[shape.faces] = True
    seen = usable & (confidence > 0)
    sample = spread(shape.vertices, shape.faces, np.flatnonzero(seen if seen.any() else usable), CANDIDATES)
    one, two = unit_rows(queries), unit_rows(features[sample])
    points = shape.vertices[sample].astype(np.float64)
    facing = vertex_normals(shape.vertices, shape.faces)[sample]
    homogeneous = np.column_stack((points, np.ones(len(points))))
    camera: Floats | None = None
    for turn in range(3):
        report("Matching the photo", turn / 3)
        index, cosine, back = _search(one, two, places, homogeneous, facing, camera)
        trip = np.linalg.norm(places[back[index]] - places, axis=1)
        if turn < 2:
            camera = fit_camera(homogeneous[index], facing[index], places, np.exp(-((trip / CLOSE) ** 2)) + 1e-3)
            if camera is None and turn == 1:
                break
    trust = np.clip(cosine, 0, 1) * np.exp(-trip / CLOSE) * np.clip(confidence[sample[index]], 0, 1)
    return sample[index], trust.astype(np.float32), camera


def fit_camera(points: Floats, facing: Floats, places: Floats, weights: Floats) -> Floats | None:
    """The affine camera (4, 2) that shows most points where they are wanted, facing it; None where few agree.

    RANSAC (Fischler and Bolles 1981) over :data:`TRIALS` samples of five points, then reweighted least squares.

    Args:
        points: (Q, 4), homogeneous.
        facing: (Q, 3), their normals.
        places: (Q, 2), wanted, y downwards.
        weights: (Q,), how much each counts.
    """
    if len(points) < 8:
        return None
    random = np.random.default_rng(0)
    chance = weights / weights.sum()
    samples = random.choice(len(points), (TRIALS, 5), p=chance)
    center, size = points[:, :3].mean(axis=0), max(float(np.ptp(points[:, :3], axis=0).max()), 1e-12)
    unit = np.column_stack(((points[:, :3] - center) / size, np.ones(len(points))))

    def agreement(camera: Floats) -> Floats:
        away = np.linalg.norm(unit @ camera - places, axis=1)
        shown = facing @ np.cross(camera[:3, 0], camera[:3, 1]) < 0  # right x down is forwards
        return weights * np.exp(-((away / (0.6 * CLOSE)) ** 2)) * shown

    best = max((np.linalg.pinv(unit[rows]) @ places[rows] for rows in samples), key=lambda one: agreement(one).sum())
    for _ in range(10):
        root = np.sqrt(agreement(best))[:, None]
        best = np.linalg.lstsq(unit * root, places * root, rcond=None)[0]
    if agreement(best).sum() < LEAST_FIT * weights.sum():
        return None
    return np.vstack((best[:3] / size, best[3] - center @ best[:3] / size))


def densify(
    cells: Cells,
    inside: NDArray[np.bool_],
    vertex: NDArray[np.int64],
    trust: NDArray[np.float32],
    mask: NDArray[np.bool_],
    shape: Snapshot,
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """From cells to pixels: ``face`` (H, W), ``barycentric`` (H, W, 3) and ``confidence`` (H, W).

    A pixel takes the mean of the points of the four cells around it as far as they lie close together, brought back to
    the surface. Pixels of the object outside its cells take the nearest cell's.

    Args:
        cells: the square.
        inside: bool (n, n), the cells of the object.
        vertex, trust: for each of them in order, from :func:`match_cells`.
        mask: bool (H, W), the object.
        shape: the surface.
    """
    number = np.full(inside.shape, -1)
    number[inside] = np.arange(len(vertex))
    nearest = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
    number = number[tuple(nearest)]
    row, column = cells.places(mask.shape)[:, mask]
    points = shape.vertices[vertex].astype(np.float64)
    last = cells.count - 1
    home = number[np.clip(np.round(row), 0, last).astype(int), np.clip(np.round(column), 0, last).astype(int)]
    far = CLOSE / 2 * float(np.linalg.norm(np.ptp(shape.vertices, axis=0)))
    total, sums, sure = np.zeros(len(row)), np.zeros((len(row), 3)), np.zeros(len(row))
    for down in (0, 1):
        for right in (0, 1):
            above, before = np.floor(row) + down, np.floor(column) + right
            one = number[np.clip(above, 0, last).astype(int), np.clip(before, 0, last).astype(int)]
            share = np.maximum(1 - np.abs(row - above), 0) * np.maximum(1 - np.abs(column - before), 0)
            share = (share + 1e-9) * (np.linalg.norm(points[one] - points[home], axis=1) < far)
            total += share
            sums += share[:, None] * points[one]
            sure += share * trust[one]
    closest = closest_points(sums / total[:, None], shape.vertices, shape.faces)
    faces = np.full(mask.shape, -1, np.int32)
    faces[mask] = closest.face
    barycentric, confidence = np.zeros((*mask.shape, 3), np.float32), np.zeros(mask.shape, np.float32)
    barycentric[mask] = closest.barycentric
    confidence[mask] = np.clip(sure / total, 0, 1)
    return faces, barycentric, confidence


def _search(
    queries: NDArray[np.float32],
    references: NDArray[np.float32],
    places: Floats,
    points: Floats,
    facing: Floats,
    camera: Floats | None,
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """For each query the best reference and its cosine, and for each reference the best query."""
    index, cosine = np.empty(len(queries), np.int64), np.empty(len(queries), np.float32)
    back, most = np.zeros(len(references), np.int64), np.full(len(references), -np.inf, np.float32)
    shown = None if camera is None else (points @ camera).astype(np.float32)
    behind = 0.0 if camera is None else HIDDEN * (facing @ np.cross(camera[:3, 0], camera[:3, 1]) >= 0)
    step = max(1, BLOCK // len(references))
    for start in range(0, len(queries), step):
        rows = slice(start, start + step)
        similarity = queries[rows] @ references.T
        score = similarity
        if shown is not None:
            squares = ((places[rows, None].astype(np.float32) - shown[None]) ** 2).sum(axis=-1)
            score = similarity - PREFERENCE * (1 - np.exp(-squares / (2 * CLOSE**2))) - np.float32(behind)
        found = score.argmax(axis=1)
        index[rows], cosine[rows] = found, np.take_along_axis(similarity, found[:, None], axis=1)[:, 0]
        best = score.argmax(axis=0)
        value = np.take_along_axis(score, best[None], axis=0)[0]
        better = value > most
        back[better], most[better] = start + best[better], value[better]
    return index, cosine, back


def _best(queries: NDArray[np.float32], references: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """The mean of each query's ``count`` largest cosines, (Q,)."""
    count = min(count, len(references))
    similarity = queries @ references.T
    return np.partition(similarity, -count, axis=1)[:, -count:].mean(axis=1)


def _otsu(values: NDArray[np.floating]) -> float:
    counts, edges = np.histogram(values, 256)
    centers = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    mass = np.cumsum(counts * centers)
    gap = mass / np.maximum(below, 1) - (mass[-1] - mass) / np.maximum(above, 1)
    return float(centers[(below * above * gap**2).argmax()])


def _guided(guide: Floats, values: Floats, radius: int) -> Floats:
    """The guided filter with a color guide (H, W, 3), on values (H, W)."""

    def mean(array: NDArray[np.floating]) -> Floats:
        size = (2 * radius + 1, 2 * radius + 1) + (1,) * (array.ndim - 2)
        return ndimage.uniform_filter(array, size)

    center, level = mean(guide), mean(values)
    along = mean(guide * values[..., None]) - center * level[..., None]
    spread_ = mean(guide[..., :, None] * guide[..., None, :]) - center[..., :, None] * center[..., None, :]
    slope = np.linalg.solve(spread_ + 1e-3 * np.eye(3), along[..., None])[..., 0]
    offset = level - (slope * center).sum(axis=-1)
    filtered: Floats = (mean(slope) * guide).sum(axis=-1) + mean(offset)
    return filtered


def _tidy(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without holes and without pieces less than a fifth as large as the largest."""
    pieces, count = ndimage.label(mask)
    if not count:
        return mask
    sizes = np.bincount(pieces.ravel())[1:]
    kept = np.concatenate(([False], sizes >= 0.2 * sizes.max()))
    return np.asarray(ndimage.binary_fill_holes(kept[pieces]), bool)
