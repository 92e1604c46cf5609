"""Lifting: feature maps of views are carried to the vertices; each takes the mean of what the views show there."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ..base.progress import ProgressCallback
from ..data.views import Views
from ..geometry.filling import fill_harmonic
from ..geometry.mesh import vertex_normals
from ..geometry.winding import consistent_faces
from ..models.devices import sums_device
from .view_data import Lifted, SeenViews

_VERTEX_BLOCK = 8192
"""Vertices computed at a time. Chosen: a block of 3,000 channels takes 100 MB."""


@dataclass(frozen=True)
class LiftingSettings:
    """When a view counts as seeing a vertex. All values are chosen.

    Attributes:
        depth_tolerance: by how much the depth pass may be off, in bounding-sphere radii.
        steepest_slope: largest slope, the tangent of the angle to the line of sight, for which the depth test allows
            more difference the steeper the surface is.
        one_sided: a part counts as seen from one side only if its normals agree about that side to this degree, 0 to
            1; other parts, such as a sheet of cloth, have two sides.
    """

    depth_tolerance: float = 2e-3
    steepest_slope: float = 4.0
    one_sided: float = 0.25


def lift(seen: SeenViews, report: ProgressCallback, settings: LiftingSettings = LiftingSettings()) -> Lifted:
    """Carry feature maps of views to the vertices.

    Each map is sampled bilinearly where a view sees a vertex, made a unit vector, and averaged over the views with
    :func:`view_weights`. Vertices that no view sees are filled in harmonically over the surface from the seen ones
    they are connected to. Nothing crosses a gap: a part that no view sees at all keeps zero features and zero
    confidence.

    Args:
        seen: the maps of the views; their sums stay on the maps' device where there is room.
        report: called after each batch; may raise Cancelled.
        settings: when a view sees a vertex.

    Returns:
        Each map's columns as a unit vector, or zero where nothing is known.
    """
    snapshot, views = seen.snapshot, seen.views
    points = np.asarray(snapshot.vertices, np.float64)
    weights = view_weights(points, snapshot.faces, snapshot.parts, views, seen.depth, settings)
    starts = np.concatenate(([0], np.cumsum(seen.channels)))
    features = _sums(seen, points, weights, starts, report)

    weight = weights.sum(axis=0)
    agreement = np.zeros(len(points))
    for start, end in itertools.pairwise(starts):
        lengths = _normalize(features[:, start:end])
        agreement += np.divide(lengths, weight, out=np.zeros_like(agreement), where=weight > 0)
    agreement /= max(len(seen.channels), 1)
    confidence = np.clip(agreement, 0, 1) * (1 - np.exp(-weight))

    report("Filling hidden places", 0.0)
    filled = fill_harmonic(points, snapshot.faces, weight > 0, features, confidence[:, None])
    confidence[filled] = np.clip(confidence[filled], 0, 1) / 2
    for start, end in itertools.pairwise(starts):
        _normalize(features[:, start:end])
    return Lifted(features, (weights > 0).sum(axis=0).astype(np.int16), confidence.astype(np.float32))


def lift_weighted(seen: SeenViews, report: ProgressCallback) -> Lifted:
    """As :func:`lift`, with each map's columns times its weight."""
    lifted = lift(seen, report)
    return replace(lifted, features=lifted.features * np.repeat(np.array(seen.weights, np.float32), seen.channels))


def _sums(
    seen: SeenViews,
    points: NDArray[np.float64],
    weights: NDArray[np.float32],
    starts: NDArray[np.integer],
    report: ProgressCallback,
) -> NDArray[np.float32]:
    """The weighted sums of what the views show at each vertex, float32 (V, C).

    Args:
        points: (V, 3), the vertices.
        weights: (N, V), of each view.
        starts: column where each map begins, and C.
    """
    columns = int(starts[-1])
    total: torch.Tensor | None = None
    done = 0
    for batch in seen.grids:
        if total is None:
            place = sums_device(batch.maps[0].device, 4 * len(points) * columns)
            total = torch.zeros((len(points), columns), dtype=torch.float32, device=place)
        for row, view in enumerate(batch.views):
            places = seen.views.project(view, points)[0] / seen.views.resolution
            for start, grid in zip(starts[:-1], batch.maps, strict=True):
                _add_samples(total, int(start), grid[row], places, weights[view])
        done += len(batch.views)
        report("Lifting features", done / len(seen.views))
    return np.zeros((len(points), columns), np.float32) if total is None else total.cpu().numpy()


def view_weights(
    vertices: NDArray[np.floating],
    faces: NDArray[np.integer],
    parts: NDArray[np.integer],
    views: Views,
    depth: NDArray[np.float32],
    settings: LiftingSettings = LiftingSettings(),
) -> NDArray[np.float32]:
    """How squarely each view sees each vertex, float32 (N, V).

    That is the cosine between the vertex's normal and the direction to the camera, times the share of the four pixels
    around the vertex that show it; 0 where the vertex is hidden or turned away.

    A pixel shows the vertex if its depth is that of the vertex, up to the error of the depth pass and the change of
    depth over a pixel on a sloping surface. At a silhouette, where a picture mixes near and far, only some of the four
    pixels do.

    Most visible vertices of a part decide which side of it is the outside; a part that shows both sides about equally,
    such as a sheet of cloth, has two.

    Args:
        vertices: (V, 3), snapshot frame.
        faces: int (F, 3).
        parts: int (V,), connected part of each vertex.
        views: the N cameras.
        depth: float32 (N, H, W), as in :class:`meshkin.data.views.Passes`.
        settings: when a pixel shows a vertex, and when a part has one side.
    """
    points = np.asarray(vertices, np.float64)
    normals = vertex_normals(points, consistent_faces(vertices, faces))
    cosines = np.zeros((len(views), len(points)), np.float32)
    for view in range(len(views)):
        camera = views.to_camera(view, points)
        distance = np.linalg.norm(camera, axis=1)
        cosine = -np.einsum("vk,vk->v", camera, normals @ views.rotation[view].T) / distance
        slope = np.sqrt(np.maximum(1 - cosine**2, 0)) / np.maximum(np.abs(cosine), 1e-6)
        places, away = views.project(view, points)
        pixel = away / (views.zoom[view] * views.resolution)
        tolerance = settings.depth_tolerance + pixel * (1 + np.minimum(slope, settings.steepest_slope)) / 2
        cosines[view] = cosine * _visible_share(depth[view], places, away, tolerance)
    magnitude = np.abs(cosines)
    balance = np.bincount(parts, weights=cosines.sum(axis=0)) / np.maximum(
        np.bincount(parts, weights=magnitude.sum(axis=0)), 1e-12
    )
    outside = np.sign(balance)[parts] * (np.abs(balance) > settings.one_sided)[parts]
    hidden = cosines * outside.astype(np.float32) < 0
    magnitude[hidden] = 0
    return magnitude


def _visible_share(
    depth: NDArray[np.float32],
    places: NDArray[np.floating],
    away: NDArray[np.floating],
    tolerance: NDArray[np.floating],
) -> NDArray[np.float64]:
    """The share, float64 (P,), of the four pixels around each point whose depth is the point's own.

    Args:
        depth: (H, W), in bounding-sphere radii.
        places: (P, 2), of the points in the picture, pixels.
        away: (P,), depth of the points.
        tolerance: (P,), by how much a pixel's depth may differ.
    """
    height, width = depth.shape
    corner = np.floor(places - 0.5).astype(np.int64)
    agreeing = np.zeros(len(away))
    for down in (0, 1):
        row = np.clip(corner[:, 1] + down, 0, height - 1)
        for right in (0, 1):
            column = np.clip(corner[:, 0] + right, 0, width - 1)
            agreeing += np.abs(depth[row, column] - away) <= tolerance
    return agreeing / 4


def _add_samples(
    total: torch.Tensor, start: int, grid: torch.Tensor, places: NDArray[np.float64], weights: NDArray[np.float32]
) -> None:
    """Add weighted unit samples of one map (C, h, w) of one view to columns ``start ...`` of ``total`` (V, ...)."""
    source = grid[None].float()
    end = start + grid.shape[0]
    visible = np.flatnonzero(weights)
    for first in range(0, len(visible), _VERTEX_BLOCK):
        rows = visible[first : first + _VERTEX_BLOCK]
        at = torch.from_numpy((places[rows] * 2 - 1).astype(np.float32)).to(grid.device)
        sample = torch.nn.functional.grid_sample(
            source, at[None, None], mode="bilinear", padding_mode="border", align_corners=False
        )[0, :, 0].T
        sample = torch.nn.functional.normalize(torch.nan_to_num(sample, 0.0, 0.0, 0.0), dim=1)
        sample *= torch.from_numpy(weights[rows]).to(grid.device)[:, None]
        total[:, start:end].index_add_(0, torch.from_numpy(rows).to(total.device), sample.to(total.device))


def _normalize(features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Make the rows of (V, C) unit vectors in place, except zeros; returns their former lengths, float64 (V,)."""
    lengths = np.empty(len(features))
    for start in range(0, len(features), _VERTEX_BLOCK):
        block = features[start : start + _VERTEX_BLOCK]
        length = np.linalg.norm(block, axis=1)
        block /= np.where(length > 1e-12, length, 1)[:, None]
        block[length <= 1e-12] = 0
        lengths[start : start + _VERTEX_BLOCK] = length
    return lengths
