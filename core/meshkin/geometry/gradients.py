"""How barycentric coordinates change over triangles."""

from __future__ import annotations

import numpy as np

from .arrays import Floats
from .mesh import face_vectors


def barycentric_gradients(corners: Floats) -> tuple[Floats, Floats]:
    """Gradients of the second and of the third barycentric coordinate over triangles, float64 (F, 3) each.

    The first coordinate's gradient is minus their sum. Triangles without area get zeros.

    Args:
        corners: (F, 3, 3), the corners' positions.
    """
    normals = face_vectors(corners.reshape(-1, 3), np.arange(3 * len(corners)).reshape(-1, 3))
    squares = np.einsum("fd,fd->f", normals, normals)[:, None]
    first, second, third = corners.transpose(1, 0, 2)
    scale = np.divide(1.0, squares, out=np.zeros_like(squares), where=squares > 0)
    return np.cross(third - first, normals) * scale, np.cross(normals, second - first) * scale


def differentials(corners: Floats, image: Floats) -> Floats:
    """The linear map of each triangle's plane that carries its corners to their images, float64 (F, 3, 3).

    It takes vectors in the plane of the triangle to vectors in the plane of its image, and the normal to zero.

    Args:
        corners: (F, 3, 3), the corners' positions.
        image: (F, 3, 3), where they are carried.
    """
    second, third = barycentric_gradients(corners)
    edges = image[:, 1:] - image[:, :1]
    carried: Floats = edges[:, 0, :, None] * second[:, None] + edges[:, 1, :, None] * third[:, None]
    return carried
