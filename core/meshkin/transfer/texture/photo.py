"""A photograph's colors on the mesh that it was matched to.

What the photograph does not show takes the colors of its mirror twin if the shape has a mirror map and the twin is
shown, else colors that spread over the surface from the border of what is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...base.progress import ProgressCallback, silent
from ...data.photo_map import PhotoMap
from ...data.snapshot import Snapshot
from ...geometry.arrays import Floats, Singles
from ...geometry.filling import fill_harmonic
from .margin import dilate
from .photo_placement import PhotoPlacement, mirrored_placement, place_in_photo
from .sampling import bilinear_samples
from .settings import PhotoSettings
from .texels import texel_map
from .usable_uvs import doubled_areas, target_uvs


@dataclass(frozen=True)
class PhotoColors:
    """A photograph as a texture of S x S pixels, row 0 at the top.

    Attributes:
        pixels: float32 (S, S, 4), sRGB and alpha.
        origin: float32 (S, S, 3), how much of each texel came from the photograph (red), the mirror twin (green) and
            the surroundings (blue).
        overlap: share of the UV layout's area that lies over another part of it, and so cannot have colors of its own.
    """

    pixels: Singles
    origin: Singles
    overlap: float


def photo_texture(
    photo_map: PhotoMap,
    shape: Snapshot,
    features: NDArray[np.floating],
    size: int,
    margin: int,
    report: ProgressCallback = silent,
    settings: PhotoSettings = PhotoSettings(),
) -> PhotoColors:
    """The photograph as a texture of the surface.

    Args:
        photo_map: the match.
        shape: the surface, with UVs.
        features: (V, C) of its vertices, by which its mirror map is found.
        size: of the texture, pixels.
        margin: bake margin, pixels.
        report: called with the progress; may raise Cancelled.
        settings: how vertices are placed, and whether the mirror twin gives what is not seen.

    Raises:
        InputError: ``no-uvs``, ``uvs-no-area``, ``uvs-overlap``, ``texture-size``, ``photo-nothing-seen``.
    """
    uvs = target_uvs(shape)
    report("Placing the photo", 0)
    own = place_in_photo(photo_map, shape, settings)
    twin = PhotoPlacement(own.positions, np.zeros(len(shape.vertices), bool))
    if settings.mirror:
        twin = mirrored_placement(own, shape, features, report, settings)
    twin = PhotoPlacement(twin.positions, twin.seen & ~own.seen)
    photo = photo_map.photo.astype(np.float32) / np.float32(255)
    report("Filling what is not seen", 0)
    filled = _filled_colors(photo, shape, own, twin)
    texels = texel_map(uvs, size, report)
    covered = texels.covered
    corners, weights = shape.faces[texels.face[covered]], texels.barycentric[covered]

    def at_texels(values: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.asarray(np.einsum("tk,tkc->tc", weights, values[corners]))

    origins = np.stack((own.seen, twin.seen, ~own.seen & ~twin.seen), axis=1).astype(np.float32)
    share = at_texels(origins)
    direct, mirrored = (photo_colors(photo, at_texels(each.positions)) for each in (own, twin))
    pixels, origin = np.zeros((size, size, 4), np.float32), np.zeros((size, size, 3), np.float32)
    pixels[covered, :3] = share[:, :1] * direct + share[:, 1:2] * mirrored + share[:, 2:] * at_texels(filled)
    pixels[covered, 3] = 1
    origin[covered] = share
    dilate(pixels, covered, margin)
    area = float(np.abs(doubled_areas(uvs)).sum() / 2)
    return PhotoColors(pixels, origin, max(0.0, 1 - float(covered.mean()) / max(area, 1e-12)))


def _filled_colors(photo: Singles, shape: Snapshot, own: PhotoPlacement, twin: PhotoPlacement) -> Singles:
    """A color for each vertex, float32 (V, 3), harmonic over the surface where neither it nor its twin is shown."""
    colors = np.where(own.seen[:, None], photo_colors(photo, own.positions), photo_colors(photo, twin.positions))
    known = own.seen | twin.seen
    colors = (colors * known[:, None]).astype(np.float32)
    fill_harmonic(shape.vertices, shape.faces, known, colors)
    mean = colors[known].mean(axis=0)
    colors[~known & ~colors.any(axis=1)] = mean  # parts that nothing is known about
    return np.asarray(colors)


def photo_colors(photo: Singles, positions: NDArray[np.floating]) -> Singles:
    """Bilinear samples of a photograph (H, W, 3) at columns and rows (N, 2), clamped to it."""
    height, width = photo.shape[:2]
    inside: Floats = np.clip(positions, 0.5, (width - 0.5, height - 0.5))
    return bilinear_samples(photo, np.column_stack((inside[:, 0] / width, 1 - inside[:, 1] / height)))
