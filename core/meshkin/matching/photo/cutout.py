"""Cut the object out of a photograph: where its features agree with the surface, up to a border of colors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...geometry.arrays import Floats, unit_rows
from .color_mixture import fit_mixture, log_likelihood
from .image_filters import guided_filter, otsu_threshold, remove_specks
from .photograph import Cells
from .settings import CutoutSettings


def cut_out(
    grid: NDArray[np.float32],
    cells: Cells,
    references: NDArray[np.float32],
    pixels: NDArray[np.uint8],
    settings: CutoutSettings = CutoutSettings(),
    background: NDArray[np.float32] | None = None,
) -> NDArray[np.bool_]:
    """Return where in a photograph the object is, bool (H, W).

    A cell agrees with the surface by the cosine to its most similar vertex, and with the background by the mean cosine
    to the most similar cells at the edge of the frame. The object is where the first exceeds the second by more than
    Otsu's threshold; where the background is known, where the first is larger. Its border is moved to the edges of the
    picture by a guided filter. Then, in a band along the border, it is moved to where the colors of the object inside
    the band give way to those of the background outside (as in GrabCut: Rother, Kolmogorov and Blake 2004,
    https://doi.org/10.1145/1015706.1015720). Pieces much smaller than the largest are removed, holes are filled.

    Args:
        grid: float32 (n, n, C), features of the cells.
        cells: the frame.
        references: float32 (R, C), features of vertices, or of cells of another photograph of the object, unit rows.
        pixels: uint8 (H, W, 3), the photograph.
        settings: thresholds and weights.
        background: float32 (S, C), features of cells that show what is around the object, unit rows; None for the
            cells at the edge of the frame.
    """
    size = pixels.shape[0], pixels.shape[1]
    picture = pixels / 255.0
    scores = _cell_scores(grid, cells.inside(np.ones(size, bool)), references, settings, background)
    positions = cells.at_pixels(size)
    score = ndimage.map_coordinates(scores, positions, order=1, mode="nearest")
    outside = np.asarray((positions < -0.5).any(axis=0) | (positions > cells.count - 0.5).any(axis=0))
    probability = np.where(outside, 0, 1 / (1 + np.exp(-np.clip(score / settings.softness, -30, 30))))
    smooth = guided_filter(picture, probability, max(2, cells.side // 16), settings.filter_softness)
    mask = remove_specks(smooth > 0.5, settings.smallest_piece)
    for _ in range(settings.rounds):
        mask = _move_border_by_color(mask, score, outside, picture, cells.width, settings)
    return mask


def _cell_scores(
    grid: NDArray[np.float32],
    is_pictured: NDArray[np.bool_],
    references: NDArray[np.float32],
    settings: CutoutSettings,
    background: NDArray[np.float32] | None,
) -> NDArray[np.floating]:
    """Return how much better each cell agrees with the surface than with the background, (n, n).

    In standard deviations above Otsu's threshold, or, where the background is known, above what is as near to both; so
    the object is where the score is above 0.

    Args:
        grid: (n, n, C), features of the cells.
        is_pictured: (n, n), which cells lie on the photograph.
        references: (R, C), of the object, unit rows.
        settings: of cutting out.
        background: (S, C), of what is around it, unit rows; None for the cells at the edge.
    """
    count = len(grid)
    queries = unit_rows(grid.reshape(-1, grid.shape[-1]))
    nearest = settings.background_cells
    if background is None:
        edge = max(2, round(settings.edge_width * count))
        is_edge = is_pictured & ~ndimage.binary_erosion(is_pictured, iterations=edge)
        difference = _mean_of_largest_cosines(queries, references, 1)
        difference -= _mean_of_largest_cosines(queries, queries[is_edge.ravel()], nearest)
        threshold = otsu_threshold(difference[is_pictured.ravel()])
    else:  # both are seen in pictures alike: what is nearer to the object is the object
        difference = _mean_of_largest_cosines(queries, references, nearest)
        difference -= _mean_of_largest_cosines(queries, background, nearest)
        threshold = 0.0
    scores = (difference - threshold) / max(float(difference[is_pictured.ravel()].std()), 1e-9)
    return scores.reshape(count, count)


def _move_border_by_color(
    mask: NDArray[np.bool_],
    score: Floats,
    outside: NDArray[np.bool_],
    picture: Floats,
    cell: float,
    settings: CutoutSettings,
) -> NDArray[np.bool_]:
    """Return the object's mask (H, W) with its border moved to where the picture's colors change.

    Args:
        mask: bool (H, W).
        score: (H, W), above 0 where features say that the object is.
        outside: bool (H, W), where there are no features.
        picture: (H, W, 3), in [0, 1].
        cell: width of a cell, pixels.
        settings: of cutting out.
    """
    if not mask.any() or mask.all():
        return mask
    inwards, outwards = ndimage.distance_transform_edt(mask), ndimage.distance_transform_edt(~mask)
    band = (inwards <= settings.band * cell) & (outwards <= settings.band * cell)
    inner = mask & ~band
    outer = ~mask & ~band & ~outside & (outwards < settings.surroundings * cell)
    if min(inner.sum(), outer.sum()) < settings.fewest_pixels:
        return mask
    smooth = ndimage.gaussian_filter(picture, (1, 1, 0))
    ratio = log_likelihood(smooth[band], fit_mixture(smooth[inner], settings.gaussians))
    ratio -= log_likelihood(smooth[band], fit_mixture(smooth[outer], settings.gaussians))
    certain = settings.certain
    log_odds = np.where(mask, certain, -certain)
    log_odds[band] = settings.color_weight * np.clip(ratio, -certain, certain)
    log_odds[band] += (1 - settings.color_weight) / 2 * np.clip(score[band] / settings.softness, -certain, certain)
    log_odds[outside] = -certain
    probability = guided_filter(picture, 1 / (1 + np.exp(-log_odds)), max(2, int(cell / 2)), settings.filter_softness)
    return remove_specks(probability > 0.5, settings.smallest_piece)


def _mean_of_largest_cosines(
    queries: NDArray[np.float32], references: NDArray[np.float32], count: int
) -> NDArray[np.float32]:
    """Return the mean of each query's ``count`` largest cosines, (Q,)."""
    count = min(count, len(references))
    similarity = queries @ references.T
    return np.partition(similarity, -count, axis=1)[:, -count:].mean(axis=1)
