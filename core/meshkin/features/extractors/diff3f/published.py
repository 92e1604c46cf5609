"""Quirks of Diff3F's published code, a function for each, with its reason.

What can be chosen (schedule, scales, taps, weights) is data in :mod:`.settings`; the camera grid, which Blender needs
too, is :func:`meshkin.data.views.grid_directions`. Source: the code published with "Diffusion 3D Features" (Dutt,
Muralikrishnan, Mitra, CVPR 2024, https://arxiv.org/abs/2311.17024). Where paper and code differ, this follows the code,
which made the published numbers.

Two quirks cannot be had from rendered passes and are left out: the published normal map is not of unit length where
normals are interpolated, and back faces keep their normals. Neither shows on closed, finely meshed shapes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError, cKDTree
from scipy.spatial.distance import cdist
from torch.nn import functional

from ....base.progress import ProgressCallback
from ....data.recipe import ViewPlacement
from ....data.views import Views, grid_directions, placed_count
from ...view_data import Lifted, SeenViews, ViewImages

_GRAY = 0.8
"""Gray level of the shape's surface, as published."""
_AMBIENT, _SPECULAR, _SHININESS = 0.6, 0.01, 64
"""Strengths of ambient and specular light, and the exponent of the latter, as published."""
_DIFFUSE = (0.4, 0.4, 0.5)
"""Strength of diffuse light by color channel, as published."""
_NEIGHBORS = 100
"""Most vertices that a pixel gives its feature to, as published."""
_PIXEL_BLOCK = 4096
"""Pixels compared with the vertices at a time. Chosen: bounds the memory."""


# The pictures ----------------------------------------------------------------------------------------------------


def shaded_picture(images: ViewImages) -> torch.Tensor:
    """The pictures to paint over: a gray surface with a lamp at the camera, on white; float32 (n, 3, H, W) in [0, 1].

    Phong's model with ambient, slightly blue diffuse and hardly any specular light, cut to 8 bits.
    """
    assert images.views is not None
    seen = torch.from_numpy(np.isfinite(images.depth))
    normal = torch.from_numpy(np.array(images.normal, np.float32))
    light = torch.stack([_toward_camera(images.views, view, seen.shape[1:]) for view in range(len(seen))])
    cosine = (normal * light).sum(dim=-1).clamp(min=0)
    mirrored = (2 * cosine**2 - 1).clamp(min=0) * (cosine > 0)
    diffuse = torch.tensor(_DIFFUSE) * cosine[..., None]
    color = (_AMBIENT + diffuse) * _GRAY + _SPECULAR * mirrored[..., None] ** _SHININESS
    return _eight_bits(torch.where(seen[..., None], color, torch.ones(())).permute(0, 3, 1, 2))


def depth_picture(images: ViewImages) -> torch.Tensor:
    """The depth ControlNet's pictures: white at the nearest point, black at the farthest; float32 (n, 3, H, W).

    Quirk: the object's farthest pixel is as black as the background, because the depth is taken from the largest
    value in the picture and the background set to zero afterward.
    """
    depth = torch.from_numpy(np.array(images.depth))
    seen = torch.isfinite(depth)
    nothing = torch.zeros(())
    farthest = torch.where(seen, depth, nothing).amax(dim=(1, 2), keepdim=True)
    height = torch.where(seen, farthest - depth, nothing)
    height = height / height.amax(dim=(1, 2), keepdim=True).clamp(min=1e-12)
    return _eight_bits(height[:, None].expand(-1, 3, -1, -1))


def normal_picture(images: ViewImages) -> torch.Tensor:
    """The normal ControlNet's pictures: normals stretched to the full range; float32 (n, 3, H, W).

    Quirks: the normals are those of the world, not of the camera, so that the colors are not those that the network
    was trained on; the range is that of each picture over all channels; and a component that is exactly zero becomes
    black like the background, whatever the range, because the code tells the background by its zeros.
    """
    assert images.views is not None
    camera = torch.from_numpy(np.array(images.normal, np.float32))
    rotation = torch.from_numpy(images.views.rotation.astype(np.float32))
    x, y, z = torch.einsum("nhwi,nij->nhwj", camera, rotation).unbind(dim=-1)
    world = torch.stack((x, z, -y), dim=1)  # the published code has Y upwards and Z toward the front, Blender Z and -Y
    least, most = world.amin(dim=(1, 2, 3), keepdim=True), world.amax(dim=(1, 2, 3), keepdim=True)
    stretched = (world - least) / (most - least).clamp(min=1e-12)
    return _eight_bits(torch.where(world != 0, stretched, torch.zeros(())))


def _eight_bits(values: torch.Tensor) -> torch.Tensor:
    """Values in [0, 1] as an 8-bit picture keeps them: cut off, not rounded."""
    return (values.float() * 255).floor().clamp(0, 255) / 255


def _toward_camera(views: Views, view: int, shape: torch.Size) -> torch.Tensor:
    """Unit vectors (H, W, 3) from each pixel's surface to the camera, camera frame."""
    height, width = shape
    x = ((torch.arange(width) + 0.5) / width - 0.5 + views.shift[view, 0]) / views.zoom[view]
    y = -((torch.arange(height) + 0.5) / height - 0.5 - views.shift[view, 1]) / views.zoom[view]
    rows, columns = torch.meshgrid(y.float(), x.float(), indexing="ij")
    return functional.normalize(torch.stack((-columns, -rows, torch.ones_like(rows)), dim=-1), dim=-1)


# From pixels to vertices -----------------------------------------------------------------------------------------


def lift(seen: SeenViews, dinov2: bool, tolerance: float, report: ProgressCallback) -> Lifted:
    """Carry feature maps of views to the vertices as the published code does.

    In each view every vertex near a seen pixel takes that one pixel's feature (:func:`pixel_of_vertex`); the views are
    averaged, and a vertex that no view reached copies the nearest one that was. A view that the published grid holds
    several times has the same picture and the same noise each time: its features count so many times.

    Args:
        seen: the maps of the views.
        dinov2: whether the last map is DINOv2's.
        tolerance: radius around a pixel's point within which vertices take its feature, in diameters of the shape.
        report: told the progress; may raise Cancelled.

    Returns:
        Features that are *not* unit vectors: their length tells how far the views agree.
    """
    points = np.asarray(seen.snapshot.vertices, np.float64)
    counts = view_counts(seen.placement)
    radius = tolerance * diameter(points)
    total = torch.zeros((len(points), sum(seen.channels)))
    weight, view_count = np.zeros(len(points)), np.zeros(len(points), np.int16)
    done = 0
    for batch in seen.grids:
        for row, view in enumerate(batch.views):
            pixel = pixel_of_vertex(points, seen.views, view, seen.depth[view], radius)
            reached = np.flatnonzero(pixel >= 0)
            maps = [grid[row].float() for grid in batch.maps]
            sampled = features_at(maps, seen.weights, dinov2, pixel[reached], seen.depth[view].shape)
            total[torch.from_numpy(reached)] += sampled.cpu() * int(counts[view])
            weight[reached] += counts[view]
            view_count[reached] += 1
        done += len(batch.views)
        report("Lifting features", done / len(seen.views))
    features = total.numpy()
    features /= np.maximum(weight, 1)[:, None]
    length = np.linalg.norm(features, axis=1) / np.sqrt(np.sum(np.square(seen.weights)))
    confidence = (np.clip(length, 0, 1) * (1 - np.exp(-weight))).astype(np.float32)
    hidden = np.flatnonzero(weight == 0)
    if 0 < len(hidden) < len(points):
        known = np.flatnonzero(weight)
        nearest = known[cKDTree(points[known]).query(points[hidden])[1]]
        features[hidden], confidence[hidden] = features[nearest], confidence[nearest] / 2
    return Lifted(features, view_count, confidence)


def view_counts(placement: ViewPlacement) -> NDArray[np.int64]:
    """How often the published camera grid holds each view of a placement, int64 (N,); 1 for views of other patterns."""
    if placement.pattern == "grid":
        counts = grid_directions(placement.count)[1]
    else:
        counts = np.ones(placed_count(placement), np.int64)
    return np.delete(counts, list(placement.without))


def pixel_of_vertex(
    vertices: NDArray[np.float64], views: Views, view: int, depth: NDArray[np.float32], radius: float
) -> NDArray[np.int64]:
    """The pixel whose feature each vertex takes in one view, int64 (V,), counted row by row; -1 for none.

    Quirks: a pixel reaches the *first* 100 vertices within the radius in the mesh's order, not the nearest ones. And of
    all pixels that reach a vertex the last one counts, because the published code adds features by an index that
    repeats vertices, of which only the last assignment has an effect.

    Args:
        vertices: (V, 3), snapshot frame.
        views, view: the camera.
        depth: (H, W), radii, inf on the background.
        radius: Blender units.
    """
    pixels = np.flatnonzero(np.isfinite(depth.ravel()))
    points = _unproject(views, view, depth, pixels)
    last = np.full(len(vertices), -1, np.int64)
    tree = cKDTree(vertices)
    for start in range(0, len(pixels), _PIXEL_BLOCK):
        block = pixels[start : start + _PIXEL_BLOCK]
        pairs = cKDTree(points[start : start + _PIXEL_BLOCK]).sparse_distance_matrix(
            tree, radius, output_type="ndarray"
        )
        order = np.lexsort((pairs["j"], pairs["i"]))
        pixel, vertex = pairs["i"][order], pairs["j"][order]
        first = np.searchsorted(pixel, pixel)  # where this pixel's vertices begin
        kept = np.arange(len(pixel)) - first < _NEIGHBORS
        last[vertex[kept]] = block[pixel[kept]]  # in the order of the pixels, so that the last assignment stays
    return last


def features_at(
    maps: Sequence[torch.Tensor],
    weights: Sequence[float],
    dinov2: bool,
    pixels: NDArray[np.int64],
    shape: tuple[int, ...],
) -> torch.Tensor:
    """Features of some pixels of one view, float32 (P, sum of channels): each map's is a unit vector times its weight.

    Quirk: the maps are read on a grid whose outermost pixels lie on the picture's corners, by a function that expects
    the corners of the outermost *cells* there. The outermost samples thus lie half a pixel outside of the map, where
    half of each sample is zero. A map of the UNet is first made as large as the picture, DINOv2's map is not.

    Args:
        maps: (C, h, w) each.
        weights: of each map.
        dinov2: whether the last map is DINOv2's.
        pixels: int (P,), counted row by row.
        shape: (H, W) of the picture.
    """
    height, width = shape
    rows, columns = np.divmod(pixels, width)
    x = torch.from_numpy(columns * (width / (width - 1)) - 0.5)
    y = torch.from_numpy(rows * (height / (height - 1)) - 0.5)
    columns_by_map = []
    for index, (grid, weight) in enumerate(zip(maps, weights, strict=True)):
        if dinov2 and index == len(maps) - 1:
            sample = _sample(grid, x, y, (height, width), "zeros")
        else:
            sample = _sample_enlarged(grid, x, y, (height, width))
        columns_by_map.append(functional.normalize(sample, dim=1) * weight)
    return torch.cat(columns_by_map, dim=1)


def diameter(vertices: NDArray[np.float64]) -> float:
    """The largest distance between two vertices.

    (Beyond 35,000 vertices the published code tries only a random 10,000 of them.)
    """
    try:
        points = vertices[ConvexHull(vertices).vertices]
    except (QhullError, ValueError):  # flat, or too few
        points = vertices
    return max(float(cdist(points[start : start + 512], points).max()) for start in range(0, len(points), 512))


def _unproject(views: Views, view: int, depth: NDArray[np.float32], pixels: NDArray[np.int64]) -> NDArray[np.float64]:
    """The points that pixels show, (P, 3), snapshot frame.

    Quirk: the outermost pixels are taken to lie on the picture's edge, so that all points are up to half a pixel off.
    """
    height, width = depth.shape
    rows, columns = np.divmod(pixels, width)
    away = depth.ravel()[pixels].astype(np.float64)
    x = (columns / (width - 1) - 0.5 + views.shift[view, 0]) / views.zoom[view]
    y = -(rows / (height - 1) - 0.5 - views.shift[view, 1]) / views.zoom[view]
    camera = np.stack((x * away, y * away, views.distance - away), axis=1)
    place: NDArray[np.float64] = camera @ views.rotation[view] * views.radius + views.center
    return place


def _sample(grid: torch.Tensor, x: torch.Tensor, y: torch.Tensor, size: tuple[int, int], padding: str) -> torch.Tensor:
    """A map (C, h, w) at places (x, y) in pixels of a picture of this size (H, W), float32 (P, C).

    0 is the center of the first pixel.
    """
    height, width = size
    places = torch.stack(((x + 0.5) / width * 2 - 1, (y + 0.5) / height * 2 - 1), dim=1).float().to(grid.device)
    sample = functional.grid_sample(grid[None], places[None, None], padding_mode=padding, align_corners=False)
    return sample[0, :, 0].T


def _sample_enlarged(grid: torch.Tensor, x: torch.Tensor, y: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """As :func:`_sample` of the map made as large as the picture, with zeros around, computed without enlarging it."""
    height, width = size
    left, top = torch.floor(x), torch.floor(y)
    total = torch.zeros((len(x), len(grid)), device=grid.device)
    for down in (0, 1):
        for right in (0, 1):
            column, row = left + right, top + down
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            share = (1 - (x - column).abs()) * (1 - (y - row).abs()) * inside
            total += _sample(grid, column, row, size, "border") * share.float().to(grid.device)[:, None]
    return total
