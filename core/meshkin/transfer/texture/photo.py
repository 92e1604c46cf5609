"""A photograph's colors on the mesh that it was matched to.

Every vertex near what the photograph shows gets a place in the photograph: the mean of the pixels matched around it,
as its deviation from the fitted camera, smoothed over the surface, so that the picture arrives sharp and unbroken.
What the photograph does not show takes the colors of its mirror twin where the shape has a mirror map and the twin is
shown, else colors that spread over the surface from the border of what is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree

from ...base.errors import InputError
from ...base.progress import ProgressCallback, silent
from ...data.photo_map import PhotoMap
from ...data.snapshot import Snapshot
from ...features import pca
from ...geometry.filling import fill_harmonic
from ...geometry.laplacian import factorized, laplacian
from ...geometry.mesh import clean_faces, vertex_normals
from ...geometry.welding import weld
from ...matching.symmetry import find_mirrors, rough_of
from ...spectral.eigenbasis import spectral_mesh, with_features
from .margin import dilate
from .sampling import bilinear_samples
from .texels import texel_map
from .uv_layouts import target_uvs

REACH = 0.015
"""Distance, in diagonals of the bounding box, at which a pixel counts 1/e for a vertex; twice as far is not seen."""
SMOOTH = 0.03
"""Length, in the same unit, over which deviations from the camera are smoothed."""
PIXELS = 60_000
"""Most pixels of the photograph that places are learned from."""

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]


@dataclass(frozen=True)
class Placed:
    """Where the photograph shows each vertex.

    Attributes:
        places: float64 (V, 2), column and row, pixels; an extrapolation where nothing is shown.
        seen: bool (V,).
    """

    places: Floats
    seen: NDArray[np.bool_]


def photo_texture(
    found: PhotoMap,
    shape: Snapshot,
    features: NDArray[np.floating],
    size: int,
    margin: int,
    mirror: bool = True,
    report: ProgressCallback = silent,
) -> tuple[Singles, Singles, float]:
    """The photograph as a texture of the surface.

    Args:
        found: the match.
        shape: the surface, with UVs.
        features: (V, C) of its vertices, by which its mirror map is found.
        size, margin: of the texture, pixels.
        mirror: whether the mirror twin gives what is not seen.
        report: told the progress; may raise Cancelled.

    Returns:
        float32 (size, size, 4), sRGB and alpha, row 0 at the top; and float32 (size, size, 3), how much of each texel
        came from the photograph (red), the mirror twin (green) and the surroundings (blue); and the share of the UV
        layout's area that lies over another part of it, and so cannot have colors of its own.

    Raises:
        InputError: ``no-uvs``, ``uvs-no-area``, ``uvs-overlap``, ``texture-size``, ``photo-nothing-seen``.
    """
    uvs = target_uvs(shape)
    report("Placing the photo", 0)
    placed = place(found, shape)
    twin_places, twin_seen = placed.places, np.zeros(len(shape.vertices), bool)
    if mirror:
        twin_places, twin_seen = _twins(shape, features, placed, report)
    twin_seen &= ~placed.seen
    shares = np.stack((placed.seen, twin_seen, ~placed.seen & ~twin_seen), axis=1).astype(np.float32)
    picture = found.photo.astype(np.float32) / np.float32(255)
    report("Filling what is not seen", 0)
    colors = np.where(placed.seen[:, None], _look(picture, placed.places), _look(picture, twin_places))
    known = placed.seen | twin_seen
    colors = (colors * known[:, None]).astype(np.float32)
    fill_harmonic(shape.vertices, shape.faces, known, colors)
    mean = colors[known].mean(axis=0)
    colors[~known & ~colors.any(axis=1)] = mean  # parts that nothing is known about
    texels = texel_map(uvs, size, report)
    covered = texels.covered
    faces, weights = shape.faces[texels.face[covered]], texels.barycentric[covered]
    share = np.einsum("tk,tkc->tc", weights, shares[faces])
    direct = _look(picture, np.einsum("tk,tkc->tc", weights, placed.places[faces]))
    mirrored = _look(picture, np.einsum("tk,tkc->tc", weights, twin_places[faces]))
    filled = np.einsum("tk,tkc->tc", weights, colors[faces])
    pixels, origin = np.zeros((size, size, 4), np.float32), np.zeros((size, size, 3), np.float32)
    pixels[covered, :3] = share[:, :1] * direct + share[:, 1:2] * mirrored + share[:, 2:] * filled
    pixels[covered, 3] = 1
    origin[covered] = share
    dilate(pixels, covered, margin)
    edges = uvs[:, 1:].astype(np.float64) - uvs[:, :1]
    area = float(np.abs(edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]).sum() / 2)
    return pixels, origin, max(0.0, 1 - float(covered.mean()) / max(area, 1e-12))


def place(found: PhotoMap, shape: Snapshot) -> Placed:
    """Where the photograph shows each vertex; raises InputError ``photo-nothing-seen``."""
    rows, columns = np.nonzero(found.mask)
    step = max(1, len(rows) // PIXELS)
    points = found.pull(shape.vertices)[::step]
    at = np.column_stack((columns, rows))[::step] + 0.5
    trust = found.confidence[found.mask][::step].astype(np.float64)
    first, welded = weld(shape.vertices)
    vertices = shape.vertices[first].astype(np.float64)
    diagonal = float(np.linalg.norm(np.ptp(vertices, axis=0)))
    normals = vertex_normals(vertices, clean_faces(welded[shape.faces]))
    corners = shape.vertices[shape.faces[found.face[found.mask][::step]]].astype(np.float64)
    facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    facing /= np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-30)
    count = min(16, len(points))
    away, near = cKDTree(points).query(vertices, k=count)
    away, near = away.reshape(len(vertices), count), near.reshape(len(vertices), count)
    same_side = np.einsum("vkd,vd->vk", facing[near], normals) > 0.2
    weights = (trust[near] + 1e-3) * np.exp(-((away / (REACH * diagonal)) ** 2)) * same_side
    total = weights.sum(axis=1)
    seen = (same_side & (away < 2 * REACH * diagonal)).any(axis=1) & (total > 1e-6)
    if not seen.any():
        raise InputError("photo-nothing-seen", f"The photo shows nothing of “{shape.name}”.", "Match another photo.")
    homogeneous = np.column_stack((vertices, np.ones(len(vertices))))
    camera = found.camera
    mean = np.einsum("vk,vkc->vc", weights, at[near]) / np.maximum(total, 1e-12)[:, None]
    if not np.isfinite(camera).all():
        camera = np.linalg.lstsq(homogeneous[seen], mean[seen], rcond=None)[0]
    else:
        seen &= normals @ np.cross(camera[:3, 0], camera[:3, 1]) < 0
    base = homogeneous @ camera
    stiffness, mass = laplacian(vertices, welded[shape.faces])
    mass = np.maximum(mass, 1e-9 * mass.max())
    data = mass * np.where(seen, total / max(float(total[seen].mean()) if seen.any() else 1.0, 1e-12), 0)
    system = sparse.csc_array(sparse.diags_array(data + 1e-4 * mass) + (SMOOTH * diagonal) ** 2 * stiffness)
    places = base + factorized(system)(data[:, None] * (mean - base))
    height, width = found.mask.shape
    spot = np.floor(places).astype(np.int64)
    inside = ((spot >= 0) & (spot < (width, height))).all(axis=1)
    spot = np.clip(spot, 0, (width - 1, height - 1))
    seen &= inside & found.mask[spot[:, 1], spot[:, 0]]
    if not seen.any():
        raise InputError("photo-nothing-seen", f"The photo shows nothing of “{shape.name}”.", "Match another photo.")
    return Placed(places[welded], seen[welded])


def _twins(
    shape: Snapshot, features: NDArray[np.floating], placed: Placed, report: ProgressCallback
) -> tuple[Floats, NDArray[np.bool_]]:
    """The mirror twins' places in the photograph, (V, 2), and whether they are seen; no twin is where there is no
    clear mirror map."""
    nobody = np.zeros(len(shape.vertices), bool)
    basis = pca.basis([features], 32)
    reduced = pca.project(basis, features)
    reduced = reduced / np.float32(max(float(np.sqrt(reduced.var(axis=0).sum())), 1e-12))
    report("Looking for the mirror twin", 0)
    whole = with_features(spectral_mesh(shape.vertices, shape.faces)[0], reduced)
    mirrors, _ = find_mirrors(whole, whole, lambda: report("Looking for the mirror twin", 0.5))
    if not mirrors:
        return placed.places, nobody
    vertex = whole.vertex[rough_of(whole).vertex]
    other = vertex[mirrors[0].twin]
    count = min(4, len(vertex))
    away, near = cKDTree(shape.vertices[vertex]).query(shape.vertices, k=count)
    away, near = away.reshape(-1, count), near.reshape(-1, count)
    weights = 1 / np.maximum(away, 1e-6 * max(float(away.max()), 1e-12)) ** 2
    weights /= weights.sum(axis=1, keepdims=True)
    seen = placed.seen[other][near].all(axis=1)
    # A twin on the other side of a thin part would be a place elsewhere: its neighbors' places lie apart then.
    places = np.einsum("vk,vkc->vc", weights, placed.places[other][near])
    apart = np.linalg.norm(placed.places[other][near] - places[:, None], axis=2).max(axis=1)
    return places, seen & (apart < 4 * np.median(apart))


def _look(picture: Singles, places: NDArray[np.floating]) -> Singles:
    """Bilinear samples of a picture (H, W, 3) at columns and rows, clamped to it."""
    height, width = picture.shape[:2]
    at = np.clip(places, 0.5, (width - 0.5, height - 0.5))
    return bilinear_samples(picture, np.column_stack((at[:, 0] / width, 1 - at[:, 1] / height)))
