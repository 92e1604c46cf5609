"""From pixels to texels and back: which texels each view's pixels show, and in which pixels each texel is seen.

The geometry does not change while a texture is painted. So both directions are found once, from the views' passes, and
rendering and baking become weighted sums of rows, through which gradients flow. They interpolate bilinearly, as
``torch.nn.functional.grid_sample`` does, but only between texels of the surface, and between pixels of the surface
that a texel lies on: neither the background nor what lies before it has a part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ..base.progress import ProgressCallback, silent
from ..data.views import Views
from ..features.ray_casting import cast_passes
from ..geometry.arrays import Floats, Integers
from .layout import TextureLayout, face_normals

OFF_PLANE = 0.5
"""In pixels: how far a pixel's point may lie off the plane of a texel that it shows. Chosen."""
AWAY = 1.5
"""In pixels, along a surface seen squarely: how far a pixel's point may lie from a texel that it shows. Chosen: the
farthest of the four around it is at most a pixel's diagonal away."""
GRAZING = 0.1
"""Cosine between the normal and the direction to the camera below which a texel is not seen. Chosen: 84 degrees."""
LEAST_VISIBLE = 0.2
"""A texel is seen if the pixels that show it have at least this share of the bilinear weights. Chosen."""


@dataclass(frozen=True)
class PixelTexels:
    """Which texels the pixels of N views show.

    Attributes:
        shown: bool (N, H, W), where the surface is.
        rows: int64 (P, 4), for each pixel that shows it, in order, the rows of the texels around its point.
        shares: float32 (P, 4), how much of each; rows sum to 1.
    """

    shown: torch.Tensor
    rows: torch.Tensor
    shares: torch.Tensor

    def render(self, values: torch.Tensor, nearest: bool = False) -> torch.Tensor:
        """Pictures (N, C, H, W) of texels' values (K, C), 0 on the background.

        Args:
            values: of the texels.
            nearest: take each pixel's nearest texel in place of a mean of four, which would make noise weaker.
        """
        if nearest:
            seen = values[self.rows.gather(1, self.shares.argmax(dim=1, keepdim=True))[:, 0]]
        else:
            seen = (values[self.rows] * self.shares[..., None]).sum(dim=1)
        pictures = values.new_zeros((*self.shown.shape, values.shape[1]))
        return pictures.masked_scatter(self.shown[..., None], seen).permute(0, 3, 1, 2)

    def take(self, view: int) -> PixelTexels:
        """One view alone."""
        counts = self.shown.flatten(1).sum(dim=1)
        start = int(counts[:view].sum())
        part = slice(start, start + int(counts[view]))
        return PixelTexels(self.shown[view : view + 1], self.rows[part], self.shares[part])

    def to(self, device: torch.device) -> PixelTexels:
        """The same on another device."""
        return PixelTexels(self.shown.to(device), self.rows.to(device), self.shares.to(device))


@dataclass(frozen=True)
class TexelPixels:
    """In which pixels of one view the texels are seen.

    Attributes:
        texel: int64 (M,), the rows of the texels that are seen, ascending.
        pixels: int64 (M, 4), the numbers (row * W + column) of the pixels around each.
        shares: float32 (M, 4), how much of each; rows sum to 1.
        visible: float32 (M,), in [0, 1], the share of the bilinear weights that shows the texel.
        cosine: float32 (M,), of the angle between the normal and the direction to the camera.
    """

    texel: torch.Tensor
    pixels: torch.Tensor
    shares: torch.Tensor
    visible: torch.Tensor
    cosine: torch.Tensor

    def sample(self, picture: torch.Tensor) -> torch.Tensor:
        """The values (M, C) that a picture (C, H, W) has at the texels."""
        return (picture.flatten(1).T[self.pixels] * self.shares[..., None]).sum(dim=1)

    def to(self, device: torch.device) -> TexelPixels:
        """The same on another device."""
        return TexelPixels(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


def bake(
    pictures: torch.Tensor,
    seen: Sequence[TexelPixels],
    count: int,
    exponent: float,
    weights: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean values of texels over the views that see them, each with its visibility times the cosine to a power.

    Args:
        pictures: (N, C, H, W).
        seen: of the N views.
        count: K, how many texels there are.
        exponent: of the cosine.
        weights: (N, 1, H, W), how much each pixel counts; None for all alike.

    Returns:
        float32 (K, C), 0 where nothing is seen, and the sums of the weights, float32 (K,).
    """
    total = torch.zeros((count, pictures.shape[1]), device=pictures.device)
    weight = torch.zeros(count, device=pictures.device)
    for view, (picture, texels) in enumerate(zip(pictures, seen, strict=True)):
        own = texels.visible * texels.cosine**exponent
        if weights is not None:
            own = own * texels.sample(weights[view])[:, 0]
        total = total.index_add(0, texels.texel, texels.sample(picture) * own[:, None])
        weight = weight.index_add(0, texels.texel, own)
    return total / weight.clamp(min=1e-12)[:, None], weight


@dataclass(frozen=True)
class ViewMaps:
    """Both directions, of N views at one resolution.

    Attributes:
        pixels: which texels the pixels show.
        texels: for each view, in which pixels the texels are seen.
        filling: int64 (K,), for each texel the row of the nearest one, on the surface, that some view sees.
        seen: bool (K,), whether some view sees the texel.
    """

    pixels: PixelTexels
    texels: tuple[TexelPixels, ...]
    filling: torch.Tensor
    seen: torch.Tensor

    def bake(self, pictures: torch.Tensor, exponent: float, weights: torch.Tensor | None = None) -> torch.Tensor:
        """Values (K, C) of all texels; those that no view sees have their nearest's."""
        return bake(pictures, self.texels, len(self.seen), exponent, weights)[0][self.filling]

    def spread(self, pictures: torch.Tensor) -> float:
        """How far views disagree about texels: the mean over the texels that two or more see of the deviation of the
        values that pictures (N, C, H, W) give them."""
        count, channels = len(self.seen), pictures.shape[1]
        sums = [torch.zeros((count, channels), dtype=torch.float64, device=pictures.device) for _ in range(2)]
        number = torch.zeros(count, dtype=torch.float64, device=pictures.device)
        for picture, texels in zip(pictures, self.texels, strict=True):
            values = texels.sample(picture).double()
            number.index_add_(0, texels.texel, torch.ones_like(values[:, 0]))
            for total, power in zip(sums, (1, 2), strict=True):
                total.index_add_(0, texels.texel, values**power)
        several = number > 1
        mean, square = (total[several] / number[several, None] for total in sums)
        return float((square - mean**2).clamp(min=0).sqrt().mean())

    def to(self, device: torch.device) -> ViewMaps:
        """The same on another device."""
        texels = tuple(each.to(device) for each in self.texels)
        return ViewMaps(self.pixels.to(device), texels, self.filling.to(device), self.seen.to(device))


def view_maps(layout: TextureLayout, views: Views, resolution: int, report: ProgressCallback = silent) -> ViewMaps:
    """Both directions, from passes of the shape at a resolution, pixels.

    Raises as :func:`meshkin.features.ray_casting.cast_passes`.
    """
    from scipy.spatial import cKDTree

    views = replace(views, resolution=resolution)
    face = cast_passes(layout.shape, views, report).face
    assert face is not None
    pixels, texels = [], []
    for view in range(len(views)):
        shown, to_camera = pixel_texels(layout, views, view, face[view])
        pixels.append(shown)
        texels.append(texel_pixels(layout, views, view, face[view], to_camera))
    seen = torch.zeros(len(layout.texel), dtype=torch.bool)
    for own in texels:
        seen[own.texel] = True
    filling = np.arange(len(seen))
    known = np.flatnonzero(seen.numpy())
    if len(known):
        unknown = np.flatnonzero(~seen.numpy())
        filling[unknown] = known[cKDTree(layout.positions[known]).query(layout.positions[unknown])[1]]
    joined = PixelTexels(*(torch.cat([getattr(own, name) for own in pixels]) for name in ("shown", "rows", "shares")))
    return ViewMaps(joined, tuple(texels), torch.from_numpy(filling), seen)


def pixel_texels(layout: TextureLayout, views: Views, view: int, face: NDArray[np.int32]) -> tuple[PixelTexels, Floats]:
    """Which texels the pixels of one view show, and the points (P, 3) that they show.

    Args:
        layout: the texels.
        views, view: the cameras, and the number of one.
        face: (H, W), the triangle in each pixel, -1 for none.
    """
    shape = layout.shape
    corners = shape.vertices[shape.faces].astype(np.float64)
    weights, shown = views.barycentric(view, corners, face), face[face >= 0]
    rows, shares = layout.rows_at(shown, weights)
    points = np.einsum("pk,pkd->pd", weights, corners[shown])
    return PixelTexels(torch.from_numpy(face >= 0)[None], torch.from_numpy(rows), torch.from_numpy(shares)), points


def texel_pixels(
    layout: TextureLayout, views: Views, view: int, face: NDArray[np.int32], points: Floats
) -> TexelPixels:
    """In which pixels of one view the texels are seen.

    A pixel shows a texel if its point lies near it and in its plane, on a surface that is turned the same way.

    Args:
        layout: the texels.
        views, view: the cameras, and the number of one; their resolution is that of ``face``.
        face: (H, W), the triangle in each pixel, -1 for none.
        points: (P, 3), what the pixels show that show a triangle, in order.
    """
    size = len(face)
    camera = views.center + views.radius * views.distance * views.rotation[view, 2]
    places, depth = views.project(view, layout.positions)
    toward = camera - layout.positions
    toward /= np.linalg.norm(toward, axis=1, keepdims=True)
    cosine = np.einsum("td,td->t", layout.normals, toward)
    low = np.floor(places - 0.5).astype(np.int64)
    chosen = np.flatnonzero((np.abs(cosine) > GRAZING) & (low >= -1).all(axis=1) & (low < size).all(axis=1))
    places, low, cosine = places[chosen], low[chosen], cosine[chosen]
    pixel_length = depth[chosen] * views.radius / (views.zoom[view] * size)

    normals = face_normals(layout.shape)
    shown = face.reshape(-1) >= 0
    point, pixel_normal, front = np.zeros((size * size, 3)), np.zeros((size * size, 3)), np.zeros(size * size)
    point[shown], pixel_normal[shown] = points, normals[face.reshape(-1)[shown]]
    front[shown] = np.sign(np.einsum("pd,pd->p", pixel_normal[shown], camera - points))
    numbers: list[Integers] = []
    shares: list[Floats] = []
    for j in (0, 1):
        for i in (0, 1):
            column, row = low[:, 0] + i, low[:, 1] + j
            inside = (column >= 0) & (column < size) & (row >= 0) & (row < size)
            number = np.where(inside, row * size + column, 0)
            offset = point[number] - layout.positions[chosen]
            off_plane = np.abs(np.einsum("td,td->t", layout.normals[chosen], offset))
            near = np.linalg.norm(offset, axis=1) < AWAY * pixel_length / np.abs(cosine)
            same = inside & shown[number] & (front[number] == np.sign(cosine))
            same &= near & (off_plane < OFF_PLANE * pixel_length)
            distance = np.abs(places[:, 0] - 0.5 - column), np.abs(places[:, 1] - 0.5 - row)
            shares.append((1 - distance[0]) * (1 - distance[1]) * same)
            numbers.append(number)
    share = np.stack(shares, axis=1)
    visible = share.sum(axis=1)
    kept = np.flatnonzero(visible >= LEAST_VISIBLE)
    share = share[kept] / visible[kept, None]
    return TexelPixels(
        torch.from_numpy(chosen[kept]),
        torch.from_numpy(np.stack(numbers, axis=1)[kept]),
        torch.from_numpy(share.astype(np.float32)),
        torch.from_numpy(visible[kept].astype(np.float32)),
        torch.from_numpy(np.abs(cosine[kept]).astype(np.float32)),
    )
