"""What is known of a texture before it is painted: a photograph's colors, and what shall stay as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ..data.photo_map import PhotoMap
from ..data.views import Views
from ..features.diffusion.joint import JointDiffusion
from ..features.ray_casting import cast_passes
from ..geometry.arrays import Flags, Singles
from ..transfer.texture.photo import photo_colors
from ..transfer.texture.photo_placement import place_in_photo
from ..transfer.texture.sampling import bilinear_samples
from .layout import TextureLayout
from .synchronized import Given
from .view_maps import ViewMaps, pixel_texels

WHOLE = 0.999
"""Share of a photograph from which a texel's color is the photograph's own. Chosen: all but rounding."""


@dataclass(frozen=True)
class KnownColors:
    """Colors of texels.

    Attributes:
        colors: float32 (K, 3), sRGB in [0, 1].
        share: float32 (K,), in [0, 1], how much of them stays.
    """

    colors: Singles
    share: Singles

    @property
    def whole(self) -> Flags:
        """Which texels stay just as they are, bool (K,)."""
        return np.asarray(self.share > WHOLE)

    def on(self, painted: Singles) -> Singles:
        """Painted colors (K, 3) with these on them."""
        return np.asarray(painted + self.share[:, None] * (self.colors - painted), np.float32)


def of_photo(layout: TextureLayout, photo_map: PhotoMap) -> KnownColors:
    """The colors of a photograph that was matched to the shape; raises InputError ``photo-nothing-seen``."""
    placement = place_in_photo(photo_map, layout.shape)
    corners = layout.shape.faces[layout.face]
    positions = np.einsum("tk,tkd->td", layout.barycentric, placement.positions[corners])
    share = np.einsum("tk,tk->t", layout.barycentric, placement.seen[corners].astype(np.float32))
    colors = photo_colors(photo_map.photo.astype(np.float32) / np.float32(255), positions)
    return KnownColors(colors, np.asarray(share, np.float32))


def of_present(
    layout: TextureLayout, pictures: Sequence[NDArray[np.floating]], repaint: NDArray[np.floating]
) -> KnownColors:
    """The present colors of the shape, where they are not to be repainted.

    Args:
        layout: the texels.
        pictures: (H, W, 3) in [0, 1], of each material slot, repeated in every tile; the last one of all after it.
        repaint: (H, W), in [0, 1], how far to paint anew.
    """
    row, column = np.divmod(layout.texel % layout.size**2, layout.size)
    places = np.stack([column + 0.5, layout.size - row - 0.5], axis=1) / layout.size
    colors = np.zeros((len(places), 3), np.float32)
    slots = np.minimum(layout.shape.materials[layout.face], len(pictures) - 1)
    for slot, picture in enumerate(pictures):
        own = slots == slot
        colors[own] = bilinear_samples(np.asarray(picture, np.float32), places[own])
    share = 1 - bilinear_samples(np.asarray(repaint, np.float32)[..., None], places)[:, 0]
    return KnownColors(colors, np.asarray(np.clip(share, 0, 1), np.float32))


def rendered(layout: TextureLayout, views: Views, view: int, known: KnownColors) -> tuple[torch.Tensor, torch.Tensor]:
    """What one camera sees of them: RGB float32 (3, H, W), and how much of it is known (1, H, W)."""
    face = cast_passes(layout.shape, views.take([view])).face
    assert face is not None
    pixels, _ = pixel_texels(layout, views, view, face[0])
    values = np.column_stack((known.colors, known.whole)).astype(np.float32)
    picture = pixels.render(torch.from_numpy(values))[0]
    return picture[:3], picture[3:]


def given(
    networks: JointDiffusion,
    layout: TextureLayout,
    views: Views,
    maps: ViewMaps,
    photo: tuple[int, torch.Tensor, torch.Tensor] | None,
    kept: tuple[TextureLayout, KnownColors] | None,
) -> Given:
    """What is known, as latents.

    Args:
        networks: encode pictures.
        layout: of the latent texture.
        views: the cameras, at the resolution of pictures.
        maps: between their latents and the layout's texels.
        photo: the view that the photograph is given in, and what :func:`rendered` says of it.
        kept: the layout of the finished texture, and what stays of it.
    """
    known = Given()
    if photo is not None:
        number, picture, share = photo
        cells = maps.pixels.shown.shape[-1]
        latents = torch.zeros((len(views), 4, cells, cells))
        inside = torch.zeros((len(views), 1, cells, cells))
        latents[number] = networks.encode(picture[None])[0].cpu()
        inside[number] = (functional.adaptive_avg_pool2d(share[None], cells)[0] > WHOLE).float()
        known = replace(known, views=latents.to(networks.device), in_views=inside.to(networks.device))
    if kept is not None:
        fine, colors = kept
        pictures = torch.stack([rendered(fine, views, view, colors)[0] for view in range(len(views))])
        texture = maps.bake(networks.encode(pictures), 1.0)
        rows, shares = fine.rows_at(layout.face, layout.barycentric)
        nearest = np.take_along_axis(rows, shares.argmax(axis=1)[:, None], axis=1)[:, 0]
        inside_texture = torch.from_numpy(colors.whole[nearest]).to(networks.device)
        known = replace(known, texture=texture, in_texture=inside_texture)
    return known
