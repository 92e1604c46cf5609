"""What one view shows of a surface: its points and their features in the cells of a picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...data.views import Views
from ...features.ray_casting import cast_passes
from ...geometry.arrays import Flags, Floats, Integers, Singles, unit_rows
from ..surfaces import DescribedSurface


@dataclass(frozen=True)
class FramedObject:
    """An object that fills a picture: ``features`` (n, n, C) of its cells, and which show it, bool (n, n)."""

    features: Singles
    inside: Flags

    @property
    def places(self) -> Floats:
        """X and y of the cells that show it, in widths, y pointing down, (P, 2), in order."""
        return np.asarray((np.argwhere(self.inside)[:, ::-1] + 0.5) / len(self.inside))

    @property
    def rows(self) -> Singles:
        """Unit features (P, C) of these cells."""
        return unit_rows(self.features[self.inside])

    def reduced(self, count: int) -> tuple[Singles, Floats]:
        """Unit features (m, m, C) in fewer cells each way, and the share (m, m) of each that shows the object.

        Args:
            count: m; n is a multiple of it.
        """
        step = len(self.inside) // count
        blocks = (self.features * self.inside[..., None]).reshape(count, step, count, step, -1)
        return unit_rows(blocks.sum(axis=(1, 3))), self.inside.reshape(count, step, count, step).mean(axis=(1, 3))


@dataclass(frozen=True)
class ShownSurface:
    """What a view shows of a surface.

    Attributes:
        picture: its cells.
        points: (P, 3), the point of the surface in each cell that shows it, in order.
        vertex: int64 (P,), the vertex nearest to that.
    """

    picture: FramedObject
    points: Floats
    vertex: Integers


def show(surface: DescribedSurface, views: Views, cells: int) -> list[ShownSurface]:
    """Look at a surface.

    Args:
        surface: the shape, with features.
        views: from where; their resolution does not matter.
        cells: of each picture, each way.
    """
    shape, views = surface.snapshot, replace(views, resolution=cells)
    faces = cast_passes(shape, views).face
    assert faces is not None
    shown = []
    for view, face in enumerate(faces):
        inside = face >= 0
        shares = views.barycentric(view, shape.vertices[shape.faces], face)
        corners = shape.faces[face[inside]]
        points = np.einsum("pk,pkd->pd", shares, shape.vertices[corners].astype(np.float64))
        grid = np.zeros((cells, cells, surface.features.shape[1]), np.float32)
        grid[inside] = np.einsum("pk,pkc->pc", shares.astype(np.float32), surface.features[corners])
        vertex = np.take_along_axis(corners, shares.argmax(axis=1)[:, None], axis=1)[:, 0].astype(np.int64)
        shown.append(ShownSurface(FramedObject(grid, inside), points, vertex))
    return shown
