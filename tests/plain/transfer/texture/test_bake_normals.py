"""Normal maps baked into other layouts: directions in space stay, over seams and where they are filled in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from helpers import baking, shapes
from helpers.baking import bake_tile, both_sides, broken, channel_of, rounded, strips
from helpers.textured import known_map, places_of, solid, split, texels_of, unfolded
from meshkin.data.snapshot import Snapshot
from meshkin.transfer.texture.channels import Picture
from meshkin.transfer.texture.margin import dilate
from meshkin.transfer.texture.pixels import quantized, to_float
from meshkin.transfer.texture.settings import BakeSettings
from meshkin.transfer.texture.tangents import corner_tangents

Array = shapes.Array


@pytest.fixture(scope="module")
def ball() -> Snapshot:
    return baking.ball()


def frames(shape: Snapshot, face: Array, weights: Array) -> Array:
    """Tangent, bitangent and normal as columns, (N, 3, 3), as a renderer has them: mixed, not made unit."""
    along = corner_tangents(shape.vertices, shape.faces, shape.normals, shapes.uvs_of(shape))
    normal = np.einsum("nk,nkd->nd", weights, shape.normals[face].astype(float))
    mixed = np.einsum("nk,nkd->nd", weights, along[face].astype(float))
    bitangent = np.sign(mixed[:, 3:]) * np.cross(normal, mixed[:, :3])
    return np.stack([mixed[:, :3], bitangent, normal], axis=2)


def unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def degrees(first: Array, second: Array) -> Array:
    """Angles between unit vectors (N, 3)."""
    return np.degrees(2 * np.arcsin(np.clip(np.linalg.norm(first - second, axis=1) / 2, 0, 1)))


def world_normals(shape: Snapshot, picture: Array) -> tuple[Array, Array]:
    """Where each covered texel lies, and the direction in space that its tangent-space normal has."""
    texels = texels_of(shape, len(picture))
    frame = frames(shape, texels.face[texels.covered], texels.barycentric[texels.covered])
    return places_of(shape, texels), unit(np.einsum("nij,nj->ni", frame, picture[texels.covered] * 2 - 1))


def bumps(shape: Snapshot, face: Array, weights: Array) -> Array:
    """A relief's true normals in space at points of a smooth shape, up to 40 degrees off its own."""
    places = np.einsum("nk,nkd->nd", weights, shape.vertices[shape.faces[face]].astype(float))
    own = unit(np.einsum("nk,nkd->nd", weights, shape.normals[face].astype(float)))
    return unit(own + solid(places)[:, :3] - 0.5)


def relief(shape: Snapshot, size: int, depth: int = 8) -> Array:
    """The normal map that shows :func:`bumps`."""
    texels = texels_of(shape, size)
    face, weights = texels.face[texels.covered], texels.barycentric[texels.covered]
    picture = np.zeros((size, size, 3), np.float32)
    inside = np.linalg.solve(frames(shape, face, weights), bumps(shape, face, weights)[..., None])[..., 0]
    picture[texels.covered] = unit(inside) * 0.5 + 0.5
    dilate(picture, texels.covered, 8)
    return quantized(picture, depth)


@pytest.mark.parametrize("layout", ["turned", "mirrored", "islands"])
def test_normals_keep_their_direction_in_space(ball: Snapshot, layout: str) -> None:
    """The same mesh in another layout: a bump that leans one way in space leans the same way afterward."""
    source = rounded(ball)
    picture = np.zeros((256, 256, 3), np.float32)
    texels = texels_of(source, 256)
    lean = solid(places_of(source, texels))[:, :2] - 0.5
    normals = np.concatenate([lean, np.ones((len(lean), 1))], axis=1)
    picture[texels.covered] = normals / np.linalg.norm(normals, axis=1, keepdims=True) * 0.5 + 0.5
    dilate(picture, texels.covered, 4)
    uvs = shapes.uvs_of(source).astype(np.float64)
    if layout == "turned":
        uvs = np.stack([0.5 + 0.6 * (uvs[..., 1] - 0.5), 0.5 - 0.6 * (uvs[..., 0] - 0.5)], axis=-1)
        uvs[..., 0] += 0.15 * (uvs[..., 1] - 0.5)
    elif layout == "mirrored":
        uvs = np.stack([1 - uvs[..., 0], uvs[..., 1]], axis=-1)
    else:
        uvs = split(len(ball.faces))
    target = replace(source, uvs=uvs.astype(np.float32))
    channel = channel_of(0, 3, 32, normal=True)
    baked = bake_tile([Picture(picture)], [channel], source, target, BakeSettings(700, 0))
    places, directions = world_normals(target, baked.pictures[0])
    _, truth = world_normals(source, picture)
    there = places_of(source, texels)
    distance, nearest = cKDTree(there).query(places)
    near = distance < 0.004
    assert near.sum() > 5000
    agreement = (directions[near] * truth[nearest[near]]).sum(axis=1)
    assert np.quantile(agreement, 0.02) > 0.98


@pytest.mark.parametrize(("size", "depth"), [(512, 8), (800, 16)])
def test_no_step_of_a_normal_map_where_seams_cross(ball: Snapshot, size: int, depth: int) -> None:
    """A relief in strips that run across the target's: both sides of each seam face the same way in space, the true
    one."""
    (source, _), (target, _) = strips(rounded(ball), 0), strips(rounded(ball), 1)
    picture = Picture(relief(source, 1024, depth))
    channel = channel_of(0, 3, depth, normal=True)
    baked = bake_tile([picture], [channel], source, target, BakeSettings(size, 8))
    shown, face, weights = both_sides(target, {(0, 0): to_float(baked.pictures[0])})
    directions = [unit(np.einsum("nij,nj->ni", frames(target, face[k], weights[k]), shown[k] * 2 - 1)) for k in (0, 1)]
    assert degrees(*directions).max() < 1
    away = degrees(directions[0], bumps(target, face[0], weights[0]))
    assert np.quantile(away, 0.99) < 2
    _, inside = world_normals(target, to_float(baked.pictures[0]))
    texels = texels_of(target, size)
    truth = bumps(target, texels.face[texels.covered], texels.barycentric[texels.covered])
    assert np.quantile(degrees(inside, truth), 0.99) < 2


def test_a_normal_map_is_filled_in_over_the_surface(ball: Snapshot) -> None:
    """What is filled in leans as what is around it, however each triangle lies in the layout."""
    source, target = rounded(ball), rounded(unfolded(ball))
    where = np.linalg.norm(ball.vertices - ball.vertices[400], axis=1) < 0.25
    match = broken(known_map(source, target), where)
    channel = channel_of(0, 3, 8, normal=True)
    baked = bake_tile([Picture(relief(source, 512))], [channel], source, target, BakeSettings(600, 2, None, 0.3), match)
    _, directions = world_normals(target, to_float(baked.pictures[0]))
    texels = texels_of(target, 600)
    face = texels.face[texels.covered]
    filled = baked.filled[texels.covered] == 255
    assert filled.sum() > 1000
    away = degrees(directions, bumps(target, face, texels.barycentric[texels.covered]))[filled]
    assert np.quantile(away, 0.9) < 12


def test_hard_edges_stay_under_a_normal_map() -> None:
    """A flat normal map on a cube, whose sides meet at seams: it stays flat."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    quads = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    cube = shapes.snapshot(corners, faces, split(12, 0.3))
    flat = np.full((64, 64, 3), (128, 128, 255), np.uint8)
    channel = channel_of(0, 3, normal=True)
    target = replace(cube, uvs=split(12, 0.3)[::-1].astype(np.float32))
    baked = bake_tile([Picture(flat)], [channel], cube, target, BakeSettings(256, 8))
    covered = texels_of(target, 256).covered
    assert (np.abs(baked.pictures[0][covered].astype(int) - (128, 128, 255)) <= 1).all()
