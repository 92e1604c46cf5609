"""What one view shows of a surface: its points and their features in the cells of a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...data.views import Views, frame
from ...features.ray_casting import SurfaceRays
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


class ShownViews:
    """A surface that is looked at from many sides.

    Args:
        surface: the shape, with features.
    """

    def __init__(self, surface: DescribedSurface) -> None:
        self.surface = surface
        self._rays = SurfaceRays(surface.snapshot)

    def framed(self, directions: Floats, cells: int) -> Views:
        """The cameras in directions (N, 3) whose pictures of so many cells the surface fills."""
        shape = self.surface.snapshot
        return frame(shape.vertices[np.unique(shape.faces)], directions, cells)

    def show(self, views: Views, view: int = 0) -> ShownSurface:
        """What one of some cameras shows."""
        shape, features = self.surface.snapshot, self.surface.features
        face, _ = self._rays.seen(views, view)
        inside = face >= 0
        shares = views.barycentric(view, shape.vertices[shape.faces], face)
        corners = shape.faces[face[inside]]
        points = np.einsum("pk,pkd->pd", shares, shape.vertices[corners].astype(np.float64))
        grid = np.zeros((*inside.shape, features.shape[1]), np.float32)
        grid[inside] = np.einsum("pk,pkc->pc", shares.astype(np.float32), features[corners])
        vertex = np.take_along_axis(corners, shares.argmax(axis=1)[:, None], axis=1)[:, 0].astype(np.int64)
        return ShownSurface(FramedObject(grid, inside), points, vertex)
