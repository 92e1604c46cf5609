"""Where a photograph shows each vertex of the mesh that it was matched to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree

from ...base.errors import InputError
from ...base.progress import ProgressCallback
from ...data.photo_map import PhotoMap
from ...data.snapshot import Snapshot
from ...geometry.arrays import AnyIntegers, Flags, Floats
from ...geometry.laplacian import factorized, laplacian
from ...geometry.mesh import bounding_diagonal, clean_faces, face_vectors, vertex_normals
from ...geometry.welding import weld
from ...spectral import pca
from ...spectral.eigenbasis import spectral_mesh, with_features
from ...symmetry.mirrors import find_mirrors, rough_of
from .settings import PhotoSettings


@dataclass(frozen=True)
class PhotoPlacement:
    """Where a photograph shows each vertex.

    Attributes:
        positions: float64 (V, 2), column and row, pixels; an extrapolation where nothing is shown.
        seen: bool (V,), whether the photograph shows the vertex.
    """

    positions: Floats
    seen: Flags


def place_in_photo(photo_map: PhotoMap, shape: Snapshot, settings: PhotoSettings = PhotoSettings()) -> PhotoPlacement:
    """Where the photograph shows each vertex.

    A vertex near what the photograph shows is at the mean of the pixels matched around it. The deviations of these
    means from a fitted affine camera are smoothed over the surface, so that the picture arrives sharp and unbroken.

    Raises InputError ``photo-nothing-seen``.
    """
    first, place = weld(shape.vertices)
    vertices, faces = shape.vertices[first].astype(np.float64), place[shape.faces]
    normals = vertex_normals(vertices, clean_faces(faces))
    diagonal = bounding_diagonal(vertices)
    mean, weight, seen = _mean_pixels(photo_map, shape, vertices, normals, settings.reach * diagonal, settings)
    _check_seen(seen, shape)
    homogeneous = np.column_stack((vertices, np.ones(len(vertices))))
    seen &= normals @ photo_map.view_direction < 0
    projected = homogeneous @ photo_map.camera
    trust = np.where(seen, weight / max(float(weight[seen].mean()) if seen.any() else 1.0, 1e-12), 0)
    deviation = _smoothed(mean - projected, trust, vertices, faces, settings.smoothing * diagonal)
    positions = projected + deviation
    height, width = photo_map.mask.shape
    pixel = np.floor(positions).astype(np.int64)
    inside = ((pixel >= 0) & (pixel < (width, height))).all(axis=1)
    pixel = np.clip(pixel, 0, (width - 1, height - 1))
    seen &= inside & photo_map.mask[pixel[:, 1], pixel[:, 0]]
    _check_seen(seen, shape)
    return PhotoPlacement(positions[place], seen[place])


def mirrored_placement(
    placement: PhotoPlacement,
    shape: Snapshot,
    features: NDArray[np.floating],
    report: ProgressCallback,
    settings: PhotoSettings = PhotoSettings(),
) -> PhotoPlacement:
    """Where the photograph shows each vertex's mirror twin; none is seen if the shape has no clear mirror map.

    Args:
        placement: of the vertices themselves.
        shape: the surface.
        features: (V, C), by which its mirror map is found.
        report: called with the progress; may raise Cancelled.
        settings: how twins are looked up.
    """
    reduced = pca.project(pca.basis([features], settings.feature_components), features)
    reduced = reduced / np.float32(max(float(np.sqrt(reduced.var(axis=0).sum())), 1e-12))
    report("Looking for the mirror twin", 0)
    mesh = with_features(spectral_mesh(shape.vertices, shape.faces)[0], reduced)
    mirrors, _ = find_mirrors(mesh, mesh, lambda: report("Looking for the mirror twin", 0.5))
    if not mirrors:
        return PhotoPlacement(placement.positions, np.zeros(len(shape.vertices), bool))
    vertex = mesh.vertex[rough_of(mesh).vertex]
    twin = vertex[mirrors[0].twin]
    count = min(settings.twin_neighbors, len(vertex))
    away, near = cKDTree(shape.vertices[vertex]).query(shape.vertices, k=count)
    away, near = away.reshape(-1, count), near.reshape(-1, count)
    weights = 1 / np.maximum(away, 1e-6 * max(float(away.max()), 1e-12)) ** 2
    weights /= weights.sum(axis=1, keepdims=True)
    seen = placement.seen[twin][near].all(axis=1)
    # A twin on the other side of a thin part would be at a wrong place: its neighbors' twins lie far apart then.
    twins = placement.positions[twin][near]
    positions = np.einsum("vk,vkc->vc", weights, twins)
    apart = np.linalg.norm(twins - positions[:, None], axis=2).max(axis=1)
    return PhotoPlacement(positions, seen & (apart < settings.twin_spread * np.median(apart)))


def _mean_pixels(
    photo_map: PhotoMap, shape: Snapshot, vertices: Floats, normals: Floats, reach: float, settings: PhotoSettings
) -> tuple[Floats, Floats, Flags]:
    """The mean position (V, 2) of the pixels matched around each vertex, their weights' sums (V,), and which vertices
    (V,) have a pixel near enough that is matched to the same side of the surface."""
    rows, columns = np.nonzero(photo_map.mask)
    step = max(1, len(rows) // settings.most_pixels)
    points = photo_map.pull(shape.vertices)[::step]
    pixels = np.column_stack((columns, rows))[::step] + 0.5
    confidence = photo_map.confidence[photo_map.mask][::step].astype(np.float64)
    facing = face_vectors(shape.vertices, shape.faces[photo_map.face[photo_map.mask][::step]])
    facing /= np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-30)
    count = min(settings.pixel_neighbors, len(points))
    away, near = cKDTree(points).query(vertices, k=count)
    away, near = away.reshape(len(vertices), count), near.reshape(len(vertices), count)
    same_side = np.einsum("vkd,vd->vk", facing[near], normals) > settings.facing
    weights = (confidence[near] + settings.least_confidence) * np.exp(-((away / reach) ** 2)) * same_side
    total = weights.sum(axis=1)
    seen = np.asarray((same_side & (away < 2 * reach)).any(axis=1) & (total > 1e-6))
    mean = np.einsum("vk,vkc->vc", weights, pixels[near]) / np.maximum(total, 1e-12)[:, None]
    return mean, total, seen


def _smoothed(values: Floats, trust: Floats, vertices: Floats, faces: AnyIntegers, length: float) -> Floats:
    """Values (V, C), known as far as they have ``trust`` (V,), smoothed over the surface over a ``length``."""
    stiffness, mass = laplacian(vertices, faces)
    mass = np.maximum(mass, 1e-9 * mass.max())
    data = mass * trust
    system = sparse.csc_array(sparse.diags_array(data + 1e-4 * mass) + length**2 * stiffness)
    return factorized(system)(data[:, None] * values)


def _check_seen(seen: Flags, shape: Snapshot) -> None:
    if not seen.any():
        raise InputError("photo-nothing-seen", f"The photo shows nothing of “{shape.name}”.", "Match another photo.")
