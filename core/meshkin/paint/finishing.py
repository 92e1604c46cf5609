"""A painted texture finished: colors of the views on its texels, what no view sees filled in, seams joined."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from ..base.progress import ProgressCallback, silent
from ..data.views import Views
from ..features.ray_casting import cast_passes
from ..geometry.arrays import Flags, Integers, Singles
from ..geometry.welding import place_numbers
from ..transfer.texture.bake import SEEN_MARGIN
from ..transfer.texture.inpainting import cuts_for, inpaint
from ..transfer.texture.margin import margin_of
from ..transfer.texture.seam_solver import remove_steps
from ..transfer.texture.seams import SeamSpots, seam_spots, unshared
from ..transfer.texture.settings import InpaintingSettings, StitchingSettings
from ..transfer.texture.uv_layouts import leaves_unit_square, uv_islands
from .layout import TextureLayout
from .synchronized import EXPONENTS
from .view_maps import pixel_texels, texel_pixels


def bake_views(
    layout: TextureLayout,
    views: Views,
    pictures: torch.Tensor,
    weights: torch.Tensor | None = None,
    report: ProgressCallback = silent,
) -> tuple[Singles, Flags]:
    """The texels' values in clean views, each with its visibility times a power of the cosine; view after view, so
    that large textures fit into the memory.

    Args:
        layout: the texels.
        views: the N cameras.
        pictures: (N, C, H, W), RGB in [0, 1].
        weights: (N, 1, H, W), how much each pixel counts; None for all alike.
        report: told the progress; may raise Cancelled.

    Returns:
        float32 (K, C), and which texels are seen, bool (K,).
    """
    views = replace(views, resolution=pictures.shape[-1])
    total = np.zeros((len(layout.texel), pictures.shape[1]), np.float32)
    weight = np.zeros(len(layout.texel), np.float32)
    for view in range(len(views)):
        report("Baking the views", view / len(views))
        face = cast_passes(layout.shape, views.take([view])).face
        assert face is not None
        _, points = pixel_texels(layout, views, view, face[0])
        texels = texel_pixels(layout, views, view, face[0], points)
        own = texels.visible * texels.cosine ** EXPONENTS[1]
        if weights is not None:
            own = own * texels.sample(weights[view].cpu().float())[:, 0]
        rows = texels.texel.numpy()
        total[rows] += (texels.sample(pictures[view].cpu().float()) * own[:, None]).numpy()
        weight[rows] += own.numpy()
    values = total / np.maximum(weight, np.float32(1e-12))[:, None]
    return np.asarray(values, np.float32), np.asarray(weight > 0)


def fill_unseen(layout: TextureLayout, values: Singles, seen: Flags) -> Singles:
    """The texels' values (K, C), those that are not ``seen`` (K,) filled in harmonically over the surface."""
    if seen.all() or not seen.any():
        return values
    shape = layout.shape
    assert shape.uvs is not None
    touched = np.zeros(len(shape.vertices), bool)
    touched[shape.faces[layout.face[~seen]]] = True
    place = place_numbers(shape.vertices)
    near = np.zeros(place.max() + 1, bool)
    near[place[touched]] = True
    chosen = np.asarray(near[place[shape.faces]].any(axis=1))

    def rows(face: Integers, weights: Singles) -> Integers:
        texels, shares = layout.rows_at(face, weights)
        return np.asarray(np.take_along_axis(texels, shares.argmax(axis=1)[:, None], axis=1)[:, 0])

    settings = InpaintingSettings()
    lattice = inpaint(
        shape.vertices,
        shape.faces,
        chosen,
        lambda face, weights: np.asarray(seen[rows(face, weights)]),
        lambda face, weights: np.asarray(values[rows(face, weights)]),
        cuts_for(shape.uvs[chosen], layout.size, settings),
        settings,
    )
    filled = values.copy()
    filled[~seen] = lattice.at(layout.face[~seen], layout.barycentric[~seen])
    return filled


def join_seams(layout: TextureLayout, values: Singles, fixed: Flags | None = None) -> NDArray[np.float32]:
    """Pictures (tiles, S, S, C) of the texels' values (K, C) in [0, 1], in which the two sides of each seam agree.

    Args:
        layout: the texels.
        values: theirs.
        fixed: bool (K,), texels that keep their values.
    """
    shape, settings = layout.shape, StitchingSettings()
    assert shape.uvs is not None
    flat = layout.picture(values).reshape(-1, values.shape[1])
    repeat = layout.tiles is None and leaves_unit_square(shape.uvs)
    spots = seam_spots(shape.vertices, shape.faces, shape.uvs, layout.size, layout.tiles, repeat)
    texel, rows = np.unique(spots.texels, return_inverse=True)
    spots = replace(spots, texels=rows.reshape(2, -1, 4))
    own = np.full(len(flat), -1)
    own[layout.texel] = np.arange(len(layout.texel))
    hold = np.where(own[texel] >= 0, 1, settings.margin_hold).astype(np.float32)
    kept = np.zeros(len(texel), bool) if fixed is None else (own[texel] >= 0) & fixed[own[texel]]
    alone = _alone(layout, spots, own[texel])
    free = ~kept[spots.texels].any(axis=(0, 2))
    near = flat[texel]
    limits = np.zeros(flat.shape[1], np.float32), np.ones(flat.shape[1], np.float32)
    for turn in range(settings.most_solutions):
        steps = np.abs(spots.steps(near)).max(axis=1, initial=0)
        small = (steps <= settings.shared_step) & (turn < settings.shared_solutions)
        wrong = np.flatnonzero((steps > settings.visible_step) & (alone | small) & free)
        if not len(wrong):
            break
        remove_steps(near, spots, wrong, hold, limits, turn, settings.solver)
    flat[texel[~kept]] = near[~kept]
    return flat.reshape(layout.count, layout.size, layout.size, -1)


def _alone(layout: TextureLayout, spots: SeamSpots, row: Integers) -> Flags:
    """At which spots (N,) no other island shows, or is shown by, any of their texels, whose rows are (P,), -1 for
    none."""
    assert layout.shape.uvs is not None
    island = uv_islands(layout.shape, layout.shape.uvs)
    shown = np.where(row >= 0, island[layout.face[row]], -1)[spots.texels]
    here = np.broadcast_to(island[spots.faces][..., None], shown.shape)
    low, high = np.where(shown >= 0, np.minimum(shown, here), here), np.maximum(shown, here)
    return np.asarray(unshared(spots.texels, low, high, len(row)))


def covered_with_margin(layout: TextureLayout, margin: int) -> Flags:
    """Which texels (tiles, S, S) show the surface or lie in its bake margin, pixels."""
    flat = np.zeros(layout.count * layout.size**2, bool)
    flat[layout.texel] = True
    shown = flat.reshape(layout.count, layout.size, layout.size)
    for tile in shown:
        tile.reshape(-1)[margin_of(tile, max(margin, SEEN_MARGIN) if margin else 0).texel] = True
    return shown
