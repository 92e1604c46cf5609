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
from ...geometry.arrays import AnyFloats, AnyIntegers, Flags, Floats, Singles
from ...geometry.filling import fill_harmonic
from .margin import dilate
from .photo_placement import PhotoPlacement, mirrored_placement, place_in_photo
from .sampling import bilinear_samples
from .settings import PhotoSettings
from .texels import texel_map
from .usable_uvs import doubled_areas, target_uvs


@dataclass(frozen=True)
class PhotoLayout:
    """Where the texels of a texture of S x S pixels, row 0 at the top, have their values from.

    Attributes:
        shape: the surface.
        own, twin: where the photograph shows its vertices, and their mirror twins where it does not show themselves.
        covered: bool (S, S), the texels on the surface.
        corners: int (T, 3), the vertices around each of them, in order.
        weights: float (T, 3), how much each counts.
        origin: float32 (S, S, 3), how much of each texel came from the photograph (red), the mirror twin (green) and
            the surroundings (blue).
        overlap: share of the UV layout's area that lies over another part of it, and so cannot have colors of its own.
    """

    shape: Snapshot
    own: PhotoPlacement
    twin: PhotoPlacement
    covered: Flags
    corners: AnyIntegers
    weights: AnyFloats
    origin: Singles
    overlap: float

    def texture(self, photo: Singles, margin: int) -> Singles:
        """What a picture shows, on the texture.

        Args:
            photo: float32 (H, W, C), the photograph, or a map of it.
            margin: bake margin, pixels.

        Returns:
            float32 (S, S, C + 1), the last channel the alpha.
        """
        channels = photo.shape[2]
        share = self.origin[self.covered]
        filled = _filled_colors(photo, self.shape, self.own, self.twin)
        direct, mirrored = (photo_colors(photo, self._at_texels(each.positions)) for each in (self.own, self.twin))
        pixels = np.zeros((*self.covered.shape, channels + 1), np.float32)
        colors = share[:, :1] * direct + share[:, 1:2] * mirrored + share[:, 2:] * self._at_texels(filled)
        pixels[self.covered, :channels] = colors
        pixels[self.covered, channels] = 1
        dilate(pixels, self.covered, margin)
        return pixels

    def _at_texels(self, values: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.asarray(np.einsum("tk,tkc->tc", self.weights, values[self.corners]))


def lay_out(
    photo_map: PhotoMap,
    shape: Snapshot,
    features: NDArray[np.floating],
    size: int,
    report: ProgressCallback = silent,
    settings: PhotoSettings = PhotoSettings(),
) -> PhotoLayout:
    """Where a texture of the surface has its values from.

    Args:
        photo_map: the match.
        shape: the surface, with UVs.
        features: (V, C) of its vertices, by which its mirror map is found.
        size: of the texture, pixels.
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
    report("Filling what is not seen", 0)
    texels = texel_map(uvs, size, report)
    covered = texels.covered
    corners, weights = shape.faces[texels.face[covered]], texels.barycentric[covered]
    origins = np.stack((own.seen, twin.seen, ~own.seen & ~twin.seen), axis=1).astype(np.float32)
    origin = np.zeros((size, size, 3), np.float32)
    origin[covered] = np.einsum("tk,tkc->tc", weights, origins[corners])
    area = float(np.abs(doubled_areas(uvs)).sum() / 2)
    overlap = max(0.0, 1 - float(covered.mean()) / max(area, 1e-12))
    return PhotoLayout(shape, own, twin, covered, corners, weights, origin, overlap)


def _filled_colors(photo: Singles, shape: Snapshot, own: PhotoPlacement, twin: PhotoPlacement) -> Singles:
    """A color for each vertex, float32 (V, C), harmonic over the surface where neither it nor its twin is shown."""
    colors = np.where(own.seen[:, None], photo_colors(photo, own.positions), photo_colors(photo, twin.positions))
    known = own.seen | twin.seen
    colors = (colors * known[:, None]).astype(np.float32)
    fill_harmonic(shape.vertices, shape.faces, known, colors)
    mean = colors[known].mean(axis=0)
    colors[~known & ~colors.any(axis=1)] = mean  # parts that nothing is known about
    return np.asarray(colors)


def photo_colors(photo: Singles, positions: NDArray[np.floating]) -> Singles:
    """Bilinear samples of a photograph (H, W, C) at columns and rows (N, 2), clamped to it."""
    height, width = photo.shape[:2]
    inside: Floats = np.clip(positions, 0.5, (width - 0.5, height - 0.5))
    return bilinear_samples(photo, np.column_stack((inside[:, 0] / width, 1 - inside[:, 1] / height)))
