"""Where the cells of a photograph lie in the view of a surface that it fits best: a smooth field of displacements.

One cell's features tell near from far weakly, and parts that look alike not at all. Cells near each other are displaced
alike, so each displacement is judged by all cells around: where these show what the view shows there, outlines too.
"""

from __future__ import annotations

import itertools

import numpy as np
from scipy import ndimage

from ...geometry.arrays import Floats
from .settings import DisplacementSettings
from .shown_surface import FramedObject


def displacements(photo: FramedObject, view: FramedObject, settings: DisplacementSettings) -> Floats:
    """How far the places of a photograph are displaced in a view.

    Args:
        photo, view: the object in both, each filling its picture, in equally many cells.
        settings: how far is looked, and how smooth the field is.

    Returns:
        (P, 2), x and y in widths, for each cell of the photograph's object, in order.
    """
    count = settings.cells
    features, filled = photo.reduced(count)
    view_features, view_filled = view.reduced(count)
    row, column = np.mgrid[:count, :count]
    steps = range(-settings.reach, settings.reach + 1)
    ways = np.array(list(itertools.product(steps, steps)), np.float64)
    scores = []
    for right, down in ways.astype(int):
        at = (row + down).clip(0, count - 1), (column + right).clip(0, count - 1)
        is_within = (at[0] == row + down) & (at[1] == column + right)
        share = np.where(is_within, view_filled[at], 0)
        cosine = np.einsum("hwc,hwc->hw", features, view_features[at]) * filled * share
        agreement = cosine + settings.background * (1 - filled) * (1 - share)
        scores.append(ndimage.gaussian_filter(agreement, settings.smoothness))
    fit = np.array(scores) - settings.stiffness * ((ways / count) ** 2).sum(axis=1)[:, None, None]
    weight = np.exp((fit - fit.max(axis=0)) / settings.sharpness)
    field = np.einsum("khw,kc->chw", weight / weight.sum(axis=0), ways) / count
    x, y = photo.places.T * count - 0.5
    return np.stack([ndimage.map_coordinates(each, (y, x), order=1, mode="nearest") for each in field], axis=1)
