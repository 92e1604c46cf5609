"""How large a surface is shown in a view, and where, such that it lies on what a photograph shows.

Pictures are framed by what fills them. Where the photograph shows another individual, with a longer tail or shorter
legs, or another pose, what both have in common is then shown smaller or aside, farther than a place is looked for.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...data.views import Views
from ...geometry.arrays import Floats, Integers, Singles
from .settings import FramingSettings
from .shown_surface import FramedObject, ShownViews

CELLS_FINER = 2
"""Cells of a rendered view for each that is compared, each way. Chosen: outlines are counted by shares."""


def reframed(
    photo: FramedObject, views: ShownViews, view: Views, settings: FramingSettings = FramingSettings()
) -> Views:
    """A view of a surface zoomed and shifted such that most of it shows what a photograph shows there.

    What is compared is the sum of the cosines of all cells, as a share of what both show.

    Args:
        photo: the object, which fills its picture.
        views: the surface, with features comparable with the photograph's.
        view: one camera.
        settings: what is tried.
    """
    count = settings.cells
    features, filled = photo.reduced(count)
    shown = _flat(features, filled)
    pairs = [_shifted(count, across, down) for across, down in _shifts(settings.reach)]
    best, found, unmoved = -np.inf, view, -np.inf
    for zoom in settings.zooms:
        zoomed = replace(view, zoom=view.zoom * zoom, shift=view.shift * zoom)
        picture = views.show(replace(zoomed, resolution=count * CELLS_FINER)).picture
        other, share = picture.reduced(count)
        cosines = shown @ _flat(other, share).T
        sums = np.array([cosines[of, to].sum() for of, to in pairs]) * 2 / (filled.sum() + share.sum())
        if zoom == 1:
            unmoved = float(sums[_shifts(settings.reach).index((0, 0))])
        if sums.max() > best:
            best = float(sums.max())
            across, down = _shifts(settings.reach)[int(sums.argmax())]
            found = replace(zoomed, shift=zoomed.shift + np.array((-across, down)) / count)
    return found if best > unmoved + settings.margin else view


def _flat(features: Singles, filled: Floats) -> Floats:
    return np.asarray((features * filled[..., None]).reshape(filled.size, -1), np.float64)


def _shifts(reach: int) -> list[tuple[int, int]]:
    steps = range(-reach, reach + 1)
    return [(across, down) for down in steps for across in steps]


def _shifted(count: int, across: int, down: int) -> tuple[Integers, Integers]:
    """The numbers of cells of a picture, and of those of another one that lie there when it is shifted."""
    row, column = np.mgrid[:count, :count]
    is_within = (row >= down) & (row < count + down) & (column >= across) & (column < count + across)
    rows, columns = row[is_within], column[is_within]
    return rows * count + columns, (rows - down) * count + columns - across
