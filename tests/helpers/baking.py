"""A ball, layouts of it, and what shows on both sides of their seams."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from helpers import shapes
from helpers.textured import known_map
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import Match, SurfaceMap
from meshkin.geometry.adjacency import opposite_triangles
from meshkin.geometry.welding import place_numbers, uv_corners
from meshkin.transfer.texture.bake import bake
from meshkin.transfer.texture.channels import BakedTile, Channel, Picture, SlotTexture, SourceTextures
from meshkin.transfer.texture.sampling import bilinear_samples
from meshkin.transfer.texture.seams import cut_edges, evenly_spaced, next_corners, weights_on_edges
from meshkin.transfer.texture.settings import BakeSettings

Array = shapes.Array


def ball() -> Snapshot:
    """A bumpy ball that does not fill its layout."""
    return with_margin(shapes.bumpy(shapes.sphere(48, 24)))


def coarse_ball() -> Snapshot:
    """The same with a ninth of the triangles."""
    return with_margin(shapes.bumpy(shapes.sphere(16, 8)))


def with_margin(shape: Snapshot) -> Snapshot:
    """The shape with a UV layout that stays 2 % of the picture away from its border."""
    return replace(shape, uvs=(shapes.uvs_of(shape) * 0.96 + 0.02).astype(np.float32))


def rounded(shape: Snapshot) -> Snapshot:
    """Smooth shading: each corner has its vertex's normal."""
    sums = np.zeros((len(shape.vertices), 3))
    np.add.at(sums, shape.faces.ravel(), shape.normals.reshape(-1, 3))
    normals = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    return replace(shape, normals=normals[shape.faces].astype(np.float32))


def channel_of(picture: int, width: int = 4, depth: int = 8, normal: bool = False) -> Channel:
    """A channel that shows a picture as it is, of a source with one material."""
    return Channel({0: SlotTexture((picture,))}, width, depth, normal)


def bake_tile(
    pictures: list[Picture],
    channels: list[Channel],
    source: Snapshot,
    target: Snapshot,
    settings: BakeSettings,
    match: Match | None = None,
) -> BakedTile:
    """Bake into the only tile; through the map between two meshes of one surface if no other is given."""
    assert source.uvs is not None
    textures = SourceTextures(pictures, [source.uvs], channels)
    (baked,) = bake(textures, source, target, match or known_map(source, target), settings)
    return baked


def strips(ball: Snapshot, axis: int) -> tuple[Snapshot, Array]:
    """The ball's layout cut along u or v into four strips that are turned, moved and shrunk; each triangle's strip."""
    assert ball.uvs is not None
    strip = np.minimum(np.floor(ball.uvs.mean(axis=1)[:, axis] * 4), 3).astype(int)
    shift = np.zeros((len(strip), 1, 2))
    shift[:, 0, axis] = strip / 4
    along = (ball.uvs - shift) * np.where(np.arange(2) == axis, 4, 1) * 0.43 + 0.035
    turned = np.where((strip % 2 == 1)[:, None, None], along[..., ::-1] * (1, -1) + (0, 0.5), along)
    uvs = turned + np.stack([strip % 2, strip // 2], axis=1)[:, None] / 2
    return replace(ball, uvs=uvs.astype(np.float32)), strip


def seam_steps(shape: Snapshot, picture: Array) -> Array:
    """How far both sides of each edge of a layout of single triangles differ, sampled as a renderer does."""
    assert shape.uvs is not None
    across = opposite_triangles(shape.faces)
    row, side = np.nonzero(across >= 0)
    other = across[row, side]
    start, end = (side + 1) % 3, (side + 2) % 3
    twins = [(shape.faces[other] == shape.faces[row, corner][:, None]).argmax(axis=1) for corner in (start, end)]
    steps = []
    for along in (0.2, 0.5, 0.8):
        here = shape.uvs[row, start] * (1 - along) + shape.uvs[row, end] * along
        there = shape.uvs[other, twins[0]] * (1 - along) + shape.uvs[other, twins[1]] * along
        steps.append(np.abs(bilinear_samples(picture, here) - bilinear_samples(picture, there)).max(axis=1))
    return np.concatenate(steps)


def both_sides(target: Snapshot, tiles: dict[tuple[int, int], Array]) -> tuple[Array, Array, Array]:
    """What a renderer shows on the two sides of each edge that a layout cuts, at eight places to a texel: (2, N, C).

    With the triangles (2, N) and the places in them (2, N, 3). Pictures are by tile, (S, S, C) float; their borders go
    on outside.
    """
    assert target.uvs is not None
    size = next(iter(tiles.values())).shape[0]
    place = place_numbers(target.vertices)
    sides = np.stack(cut_edges(place[target.faces], uv_corners(place, target.faces, target.uvs)))
    uvs = target.uvs.astype(float).reshape(-1, 2)
    start, end = uvs[[sides[0], next_corners(sides[1])]], uvs[[next_corners(sides[0]), sides[1]]]
    count = np.maximum(np.ceil(8 * size * np.linalg.norm(end - start, axis=2).max(axis=0)), 1).astype(int)
    edge, along = evenly_spaced(count)
    shown = []
    for side in (0, 1):
        spots = start[side, edge] + along[:, None] * (end - start)[side, edge]
        tile = np.floor(target.uvs.mean(axis=1)).astype(int)[sides[side, edge] // 3]
        look = np.zeros((len(spots), next(iter(tiles.values())).shape[2]), np.float32)
        for corner, picture in tiles.items():
            here = (tile == corner).all(axis=1)
            wide = np.pad(picture, ((1, 1), (1, 1), (0, 0)), mode="edge")
            look[here] = bilinear_samples(wide, ((spots[here] - corner) * size + 1) / (size + 2))
        shown.append(look)
    return np.stack(shown), sides[:, edge] // 3, weights_on_edges(sides[:, edge], along)


def all_steps(target: Snapshot, tiles: dict[tuple[int, int], Array]) -> Array:
    """How far both sides of each edge that a layout cuts differ, (N,)."""
    first, second = both_sides(target, tiles)[0]
    return np.abs(first - second).max(axis=1)


def broken(match: Match, where: Array) -> Match:
    """The map with some vertices sent elsewhere, and a low confidence there."""
    to_source = match.to_source
    order = np.arange(len(to_source.face))
    order[where] = np.random.default_rng(0).permutation(np.flatnonzero(~where))[: where.sum()]
    trust = np.where(where, 0.05, 0.9).astype(np.float32)
    wrong = SurfaceMap(to_source.face[order], to_source.barycentric[order], to_source.vertex[order], trust)
    return Match(wrong, match.to_target, match.source_faces, match.target_faces)
