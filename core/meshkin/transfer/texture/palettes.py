"""Pictures that are palettes: each triangle shows one of a few plain colors, as if each had a material."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...data.snapshot import Snapshot
from ...geometry.arrays import Floats, Integers, Singles
from ...geometry.mesh import face_areas
from .channels import Picture, SourceTextures
from .pixels import converted
from .sampling import bilinear_samples

PLAIN = 0.04
"""A triangle whose picture's values differ by no more than this has one color. Chosen: ten of 255 steps."""
SHADES = 8
"""Colors in the same of so many steps of each channel are one. Chosen: shades of one color are one material."""
MOST_COLORS = 48
"""A picture with more plain colors is none of a palette. Chosen."""
LEAST_PLAIN_SHARE = 0.9
"""Share of a material's area that must have one color a triangle. Chosen."""

_INNER = np.array([[6, 1, 1], [1, 6, 1], [1, 1, 6], [1, 1, 1]]) / np.array([[8], [8], [8], [3]])
"""Barycentric coordinates of the points of a triangle that are looked at."""


def with_palettes_as_materials(source: Snapshot, textures: SourceTextures) -> Snapshot:
    """The source with a material for each plain color of its palettes; other materials stay as they are."""
    materials, names = source.materials.copy(), list(source.material_names)
    areas = face_areas(source.vertices, source.faces)
    channel = next((one for one in textures.channels if one.name == "base_color"), None)
    for slot, texture in channel.slots.items() if channel is not None else ():
        rows = np.flatnonzero(source.materials == slot)
        pictures = [textures.pictures[number] for number in texture.pictures]
        if len(pictures) != 1 or pictures[0].tile is not None or not len(rows):
            continue
        colors = _plain_colors(pictures, textures.uv_layouts, rows, areas[rows])
        if colors is not None and colors.max() > 0:
            name = names[slot] if slot < len(names) else ""
            materials[rows] = np.where(colors > 0, len(names) - 1 + colors, slot)
            names += [name] * int(colors.max())
    return replace(source, materials=materials, material_names=tuple(names))


def _plain_colors(
    pictures: Sequence[Picture], uv_layouts: Sequence[NDArray[np.floating]], rows: Integers, areas: Floats
) -> Integers | None:
    """The number of each triangle's color, (N,), if the picture is a palette for these triangles; None otherwise."""
    pixels: Singles = converted(pictures[0].pixels[..., :3], np.dtype(np.float32))
    corners = np.nan_to_num(np.asarray(uv_layouts[pictures[0].uv_layout][rows], np.float64))
    uvs = np.einsum("pk,fkd->fpd", _INNER, corners)
    shown = bilinear_samples(pixels, uvs.reshape(-1, 2)).reshape(len(rows), len(_INNER), -1)
    is_plain = (shown.max(axis=1) - shown.min(axis=1) <= PLAIN).all(axis=1)
    steps = np.minimum(shown[:, -1] * SHADES, SHADES - 1).astype(np.int64)
    colors, number = np.unique(steps, axis=0, return_inverse=True)
    if areas[is_plain].sum() < LEAST_PLAIN_SHARE * areas.sum() or len(colors) > MOST_COLORS:
        return None
    return np.asarray(number.reshape(-1))
