"""Pictures of a surface from which a head is learnt: as rendered, or as if photographed in other colors and light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree

from ..base.progress import silent
from ..data.snapshot import Snapshot
from ..data.views import Passes, Views
from ..geometry.arrays import Floats
from ..geometry.mesh import bounding_diagonal
from .extractor import PictureReader
from .head_training import KnownPicture
from .view_data import ViewImages

NOTED_PLACES = 3000
"""Places of a picture whose points are noted, about. Chosen: three for each cell of the usual network."""
PHOTOGRAPHED = 0.6
"""Share of the pictures that are colored and lit at random. Chosen: most, and enough as the mesh is rendered."""
WAVES = 6
"""Waves of which a pattern of colors is made. Chosen."""
PAINTS = 3
"""Colors of a pattern of patches. Chosen."""
PATCHED = 0.4
"""Share of the patterns that are patches. Chosen."""
PATCHES = (30, 1000)
"""How many patches lie on what a picture shows. Chosen: from a cow's to a leopard's."""
GRAIN = 0.06
"""Most deviation of a photograph's grain, of full brightness. Chosen."""


@dataclass(frozen=True)
class PosedViews:
    """A surface in one pose, and what cameras see of it.

    Attributes:
        shape: the surface; its triangles are those of the surface at rest.
        views: the cameras.
        passes: what they see, with faces; without colors, all are made up.
    """

    shape: Snapshot
    views: Views
    passes: Passes


def known_pictures(
    rest: Snapshot,
    posed: PosedViews,
    reader: PictureReader,
    random: np.random.Generator,
    photographed: float = PHOTOGRAPHED,
) -> list[KnownPicture]:
    """Return what a model sees in all views of a pose, with the points at rest that they show.

    Args:
        rest: the surface at rest.
        posed: the views.
        reader: of the model.
        random: draws colors and lights.
        photographed: share of the pictures that are colored and lit at random.
    """
    passes, shape = posed.passes, posed.shape
    assert passes.face is not None
    corners = rest.vertices[rest.faces].astype(np.float64) / bounding_diagonal(rest.vertices)
    has_colors = passes.color is not None
    colors = np.array(passes.color) if has_colors else np.zeros((*passes.face.shape, 3), np.uint8)
    normals = np.array(passes.normal)
    noted = []
    for view, face in enumerate(passes.face):
        is_shown = face >= 0
        shares = posed.views.barycentric(view, shape.vertices[shape.faces], face)
        points = np.einsum("pk,pkd->pd", shares, corners[face[is_shown]])
        if random.random() < photographed or not has_colors:
            lit = _paint(points, random) * _light(normals[view][is_shown].astype(np.float64), random)
            colors[view][is_shown] = (255 * lit).clip(0, 255).astype(np.uint8)
            normals[view] = 0  # its light is its own
        rows = np.arange(0, len(points), max(1, len(points) // NOTED_PLACES))
        places = (np.argwhere(is_shown)[:, ::-1] + 0.5) / len(face)
        noted.append((places[rows].astype(np.float32), points[rows].astype(np.float32)))
    images = ViewImages(normals, np.array(passes.depth), colors, posed.views)
    pictures = []
    for grids in reader.extract(images, silent):
        for row, view in enumerate(grids.views):
            maps = tuple(torch.clone(layer[row]).float().cpu() for layer in grids.maps)
            pictures.append(KnownPicture(maps, *noted[view]))
    return pictures


def _paint(points: Floats, random: np.random.Generator) -> Floats:
    """Return colors (P, 3) of a random pattern at points (P, 3), in diagonals: waves, or patches as of a hide."""
    colors = random.uniform(0.05, 1, (PAINTS, 3))
    if random.random() < 0.5:  # most things have one hue
        colors = colors[:1] * random.uniform(0.3, 1, (PAINTS, 1))
    if random.random() < PATCHED:
        seeds = points[random.integers(len(points), size=int(np.exp(random.uniform(*np.log(PATCHES)))))]
        return np.asarray(colors[cKDTree(seeds).query(points)[1] % PAINTS])
    waves = random.normal(0, random.uniform(3, 25), (WAVES, 3))
    value = np.sin(points @ waves.T + random.uniform(0, 2 * np.pi, WAVES)).mean(axis=1)
    share = 1 / (1 + np.exp(-random.uniform(0, 12) * value))[:, None]
    return np.asarray(colors[0] + share * (colors[1] - colors[0]))


def _light(normals: Floats, random: np.random.Generator) -> Floats:
    """Return the brightness (P, 3) of a surface with normals (P, 3), camera frame, under a random lamp; with grain."""
    lamp = random.normal(size=3) + np.array((0, 0.5, 0.6))
    facing = np.clip(normals @ (lamp / np.linalg.norm(lamp)), 0, 1)[:, None]
    hue = 1 + random.uniform(-0.2, 0.2, 3)
    grain = random.uniform(0, GRAIN) * random.normal(size=(len(normals), 3))
    return np.asarray(random.uniform(0.2, 0.6) + random.uniform(0.3, 0.8) * facing * hue + grain)
