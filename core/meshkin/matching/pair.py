"""A pair of surfaces: what is known of their map is kept, the rest is looked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..base.progress import ProgressCallback, silent
from ..data.surface_map import Match
from ..features.joint import IntrinsicColumns
from .base_meshes import match_of_base_mesh, with_parts_of_base_meshes
from .copies import match_copy
from .pipeline import match
from .surfaces import DescribedSurface


def match_pair(
    source: DescribedSurface,
    target: DescribedSurface,
    report: ProgressCallback = silent,
    *,
    pairs: NDArray[np.integer] | None = None,
    flip: bool = False,
    intrinsic: Sequence[IntrinsicColumns] = (),
) -> Match:
    """Match two shapes as :func:`meshkin.matching.pipeline.match`, but exactly what is a copy or of one base mesh.

    Where the user gives point pairs or asks for the other answer, the shapes are matched as any others.
    """
    if flip or (pairs is not None and len(pairs)):
        return match(source, target, report, pairs=pairs, flip=flip, intrinsic=intrinsic)
    shapes = source.snapshot.check(), target.snapshot.check()
    known = match_copy(*shapes) or match_of_base_mesh(*shapes)
    return known or with_parts_of_base_meshes(match(source, target, report, intrinsic=intrinsic), *shapes)
