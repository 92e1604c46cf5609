"""Maps between surfaces for tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from meshkin.data.surface_map import SurfaceMap

Array = NDArray[Any]


def vertex_map(vertex: Array, faces: Array, confidence: Array | float = 1.0) -> SurfaceMap:
    """A map onto vertices.

    Args:
        vertex: (V,), the vertex that each vertex of the domain is mapped to.
        faces: (F, 3), of the surface that it is mapped to; each of these vertices must have one.
        confidence: (V,), or one number for all.
    """
    corner = np.full(int(faces.max()) + 1, -1)
    corner[faces.ravel()[::-1]] = np.arange(faces.size)[::-1]
    face, side = np.divmod(corner[vertex], 3)
    return SurfaceMap(
        face.astype(np.int32),
        np.eye(3, dtype=np.float32)[side],
        np.asarray(vertex, np.int32),
        np.broadcast_to(np.float32(confidence), len(vertex)).copy(),
    )
