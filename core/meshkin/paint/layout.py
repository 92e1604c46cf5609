"""The texels of a shape's UV layout, over all its tiles, as rows of one array."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from ..base.progress import ProgressCallback, silent
from ..data.snapshot import Snapshot
from ..geometry.arrays import Floats, Integers, Singles
from ..geometry.mesh import face_vectors
from ..transfer.texture.texels import texel_map


@dataclass(frozen=True)
class TextureLayout:
    """The K texels that show a surface. A texel's number is ``(tile * size + row) * size + column``.

    Attributes:
        shape: the surface, with the UVs that the layout is of.
        size: width and height of each tile's picture, texels.
        tiles: the corners of the unit squares that have a picture; None for one that is repeated.
        texel: int64 (K,), the number of each, ascending.
        face: int32 (K,), the triangle that it shows.
        barycentric: float32 (K, 3), where in it.
        nearest: int32 (tiles * size * size,), the row of each texel, or of the nearest that has one.
    """

    shape: Snapshot
    size: int
    tiles: tuple[tuple[int, int], ...] | None
    texel: Integers
    face: NDArray[np.int32]
    barycentric: Singles
    nearest: NDArray[np.int32]

    @property
    def count(self) -> int:
        """How many pictures the layout has."""
        return len(self.tiles or ((0, 0),))

    @cached_property
    def positions(self) -> Singles:
        """The texels' points, float32 (K, 3), snapshot frame."""
        corners = self.shape.vertices[self.shape.faces[self.face]]
        return np.asarray(np.einsum("tk,tkd->td", self.barycentric, corners), np.float32)

    @cached_property
    def normals(self) -> Singles:
        """Unit normals of the texels' triangles, float32 (K, 3); 0 for triangles without area."""
        return np.asarray(face_normals(self.shape)[self.face], np.float32)

    def rows_at(self, face: NDArray[np.integer], weights: NDArray[np.floating]) -> tuple[Integers, Singles]:
        """The rows of the four texels around points of the surface, int64 (P, 4), and their bilinear shares, float32.

        Texels that show nothing are replaced by the nearest one that does.

        Args:
            face: (P,), triangles.
            weights: (P, 3), barycentric coordinates in them.
        """
        assert self.shape.uvs is not None
        corners = self.shape.uvs[face].astype(np.float64)
        uvs = np.einsum("pk,pkd->pd", weights, corners)
        square = np.floor(corners.mean(axis=1)).astype(np.int64)
        tile = np.zeros(len(face), np.int64)
        if self.tiles is None:
            uvs = uvs - np.floor(uvs)
        else:
            uvs = uvs - square
            for number, corner in enumerate(self.tiles):
                tile[(square == corner).all(axis=1)] = number
        x, y = uvs[:, 0] * self.size - 0.5, (1 - uvs[:, 1]) * self.size - 0.5
        left, top = np.floor(x), np.floor(y)
        shares = [(x - left if i else 1 - x + left) * (y - top if j else 1 - y + top) for j in (0, 1) for i in (0, 1)]
        wrap = self.tiles is None
        columns, rows = ([self._inside(low + i, wrap) for i in (0, 1)] for low in (left, top))
        numbers = [(tile * self.size + rows[j]) * self.size + columns[i] for j in (0, 1) for i in (0, 1)]
        return self.nearest[np.stack(numbers, axis=1)].astype(np.int64), np.stack(shares, axis=1).astype(np.float32)

    def picture(self, values: Singles) -> Singles:
        """Values (K, C) of the texels as pictures (tiles, S, S, C); texels that show nothing have their nearest's."""
        return np.asarray(values[self.nearest]).reshape(self.count, self.size, self.size, -1)

    def values_of(self, pictures: NDArray[np.floating]) -> Singles:
        """The texels' values (K, C) in pictures (tiles, S, S, C)."""
        return np.asarray(pictures.reshape(-1, pictures.shape[-1])[self.texel], np.float32)

    def _inside(self, numbers: Floats, wrap: bool) -> Integers:
        whole = numbers.astype(np.int64)
        return whole % self.size if wrap else np.clip(whole, 0, self.size - 1)


def texture_layout(
    shape: Snapshot,
    size: int,
    tiles: tuple[tuple[int, int], ...] | None = None,
    report: ProgressCallback = silent,
) -> TextureLayout:
    """Lay out the texels of a shape with UVs.

    Raises InputError as :func:`meshkin.transfer.texture.texels.texel_map`.
    """
    assert shape.uvs is not None
    maps = [
        texel_map(shape.uvs - np.array(tile, np.float32), size, report, tiles is None) for tile in tiles or ((0, 0),)
    ]
    face, weights = (np.stack([getattr(each, name) for each in maps]) for name in ("face", "barycentric"))
    covered = face >= 0
    row = np.full(face.shape, -1, np.int32)
    row[covered] = np.arange(covered.sum())
    nearest = np.zeros(face.shape, np.int32)
    for number, own in enumerate(covered):
        if own.any():
            away = distance_transform_edt(~own, return_distances=False, return_indices=True)
            nearest[number] = row[number][tuple(away)]
    texel = np.flatnonzero(covered.reshape(-1))
    return TextureLayout(shape, size, tiles, texel, face[covered], weights[covered], nearest.reshape(-1))


def face_normals(shape: Snapshot) -> Floats:
    """Unit normals of the triangles, float64 (F, 3); 0 for those without area."""
    normals = face_vectors(shape.vertices, shape.faces).astype(np.float64)
    return np.asarray(normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30))
