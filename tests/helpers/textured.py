"""Surfaces with known layouts, pictures and maps, for tests of textures."""

from __future__ import annotations

from dataclasses import replace

import igl
import numpy as np

from helpers import shapes
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import Match, SurfaceMap
from meshkin.geometry.closest_points import nearest_on_triangles
from meshkin.transfer.texture.margin import dilate
from meshkin.transfer.texture.texels import TexelMap, texel_map

Array = shapes.Array


def solid(places: Array) -> Array:
    """Colors of points in space, float32 (..., 4), in [0, 1]."""
    waves = np.array([[3.0, 1, -2, 0], [1, -4, 1, 0], [2, 2, 3, 0]])
    return (0.5 + 0.45 * np.sin(np.asarray(places, np.float64) @ waves + (0, 1, 2, 1.5))).astype(np.float32)


def places_of(shape: Snapshot, texels: TexelMap) -> Array:
    """Where on the surface each covered texel lies, float64 (N, 3)."""
    corners = shape.vertices.astype(np.float64)[shape.faces[texels.face[texels.covered]]]
    return np.einsum("nk,nkd->nd", texels.barycentric[texels.covered], corners)


def texels_of(shape: Snapshot, size: int) -> TexelMap:
    """The texels that the triangles of a shape's UV map cover, in a picture of this size."""
    return texel_map(shapes.uvs_of(shape), size)


def painted(shape: Snapshot, size: int) -> Array:
    """The solid texture in a shape's UV layout, with margin."""
    texels = texels_of(shape, size)
    picture = np.zeros((size, size, 4), np.float32)
    picture[texels.covered] = solid(places_of(shape, texels))
    dilate(picture, texels.covered, 8)
    return picture


def split(count: int, gap: float = 0.12) -> Array:
    """A UV layout in which every triangle is an island of its own, float64 (count, 3, 2)."""
    side = int(np.ceil(np.sqrt((count + 1) // 2)))
    cell, half = np.divmod(np.arange(count), 2)
    low, high, far = gap / 2, 1 - gap / 2, 1 - 1.5 * gap
    lower = [[low, low], [far, low], [low, far]]
    upper = [[high, high], [1 - far, high], [high, 1 - far]]
    triangle = np.where(half[:, None, None] == 0, lower, upper)
    return (triangle + np.stack(np.divmod(cell, side), axis=1)[:, None]) / side


def known_map(source: Snapshot, target: Snapshot) -> Match:
    """The map between two meshes of one surface: each vertex goes to the nearest point of the other."""

    def nearest_points(domain: Snapshot, surface: Snapshot) -> SurfaceMap:
        places = surface.vertices.astype(np.float64)
        points = domain.vertices.astype(np.float64)
        _, face, nearest = igl.point_mesh_squared_distance(points, places, surface.faces.astype(np.int64))
        weights, _ = nearest_on_triangles(nearest, places[surface.faces[face]])
        vertex = np.take_along_axis(surface.faces[face], weights.argmax(axis=1)[:, None], axis=1)[:, 0]
        trust = np.ones(len(points), np.float32)
        return SurfaceMap(face.astype(np.int32), weights.astype(np.float32), vertex, trust)

    return Match(nearest_points(target, source), nearest_points(source, target), source.faces, target.faces)


def psnr(picture: Array, truth: Array) -> float:
    return -10 * float(np.log10(((picture.astype(np.float64) - truth) ** 2).mean()))


def unfolded(shape: Snapshot) -> Snapshot:
    """The same mesh with every triangle an island of its own."""
    return replace(shape, uvs=split(len(shape.faces)).astype(np.float32))
