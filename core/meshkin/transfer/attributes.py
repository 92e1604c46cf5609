"""Numbers, vectors and colours on vertices, carried through a map."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..surface_map import SurfaceMap


def transfer_attribute(
    values: NDArray[Any],
    source_faces: NDArray[np.int32],
    to_source: SurfaceMap,
    limits: tuple[float, float] | None = None,
) -> NDArray[Any]:
    """Carry per-vertex values of the source to the target's vertices, interpolated barycentrically.

    Args:
        values: (U,) or (U, C) of any real, integer or boolean type, one row for each source vertex.
        source_faces: int32 (F, 3), the source's triangles.
        to_source: every target vertex's point on the source.
        limits: the lowest and highest value that may come out, or None.

    Returns:
        (V,) or (V, C) of the type of ``values``; whole numbers are rounded, truth values come from the majority.

    Raises:
        InputError: ``attribute-size`` (not one row for each source vertex).
    """
    values = np.asarray(values)
    if values.ndim not in (1, 2) or len(values) <= int(source_faces.max(initial=-1)):
        raise InputError(
            "attribute-size", "The attribute does not have a value for each vertex of the source.", "Read it again."
        )
    carried = to_source.pull(values, source_faces)
    if limits is not None:
        carried = np.clip(carried, *limits)
    if values.dtype == np.bool_:
        return carried > 0.5
    if np.issubdtype(values.dtype, np.integer):
        return np.rint(carried).astype(values.dtype)
    return carried.astype(values.dtype)
