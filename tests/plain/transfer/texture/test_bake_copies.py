"""Textures on copies of the source: the very picture, texel by texel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from helpers import baking, shapes
from helpers.baking import bake_tile, channel_of
from helpers.maps import vertex_map
from helpers.textured import texels_of, unfolded
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import Match
from meshkin.transfer.carrier import PointCarrier
from meshkin.transfer.texture.channels import Picture
from meshkin.transfer.texture.pieces import piece_map
from meshkin.transfer.texture.settings import BakeSettings


def noise(size: int) -> shapes.Array:
    """A picture without any likeness between neighbors, (size, size, 3)."""
    return np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)


def identity(shape: Snapshot) -> Match:
    own = vertex_map(np.arange(len(shape.vertices)), shape.faces)
    return Match(own, own, shape.faces, shape.faces)


@pytest.mark.parametrize("size", [64, 128])
def test_the_source_in_its_own_layout_gives_the_very_picture(size: int) -> None:
    """Also in tiny islands, at seams, and in triangles that lie on a point or a line of the picture."""
    ball = unfolded(baking.ball())
    uvs = shapes.uvs_of(ball).copy()
    uvs[::7] = uvs[::7, :1]
    uvs[3::7, 2] = uvs[3::7, 1]
    source = replace(ball, uvs=uvs)
    picture = noise(size)
    baked = bake_tile([Picture(picture)], [channel_of(0, 3)], source, source, BakeSettings(size, 2))
    covered = texels_of(source, size).covered
    assert covered.mean() > 0.4
    np.testing.assert_array_equal(baked.pictures[0][covered], picture[covered])


def test_triangles_on_the_same_corners_keep_to_their_own() -> None:
    """Faces of two sides share their vertices: each side goes to its own."""
    ball = baking.ball()
    two_sided = shapes.snapshot(ball.vertices, np.concatenate((ball.faces, ball.faces[:, ::-1])))
    order = np.random.default_rng(0).permutation(len(two_sided.faces))
    shuffled = shapes.snapshot(ball.vertices, np.roll(two_sided.faces[order], 1, axis=1))
    carrier = PointCarrier(two_sided, shuffled, identity(two_sided).to_source)
    face = np.arange(len(order))
    weights = np.random.default_rng(1).dirichlet((1, 1, 1), len(order)).astype(np.float32)
    there, carried = carrier.carry(face, weights)
    np.testing.assert_array_equal(there, order)
    np.testing.assert_allclose(np.roll(carried, 1, axis=1), weights, atol=1e-6)


def test_pieces_of_a_copy_show_what_they_are_mapped_to() -> None:
    """Whatever their materials' names and colors say."""
    ball = baking.ball()
    materials = (np.arange(len(ball.faces)) % 3).astype(np.int32)
    source = replace(ball, materials=materials, material_names=("hair", "skin", "eyes"))
    target = replace(ball, materials=materials[::-1].copy(), material_names=("eyes", "hair", "skin"))
    kept = piece_map(source, target, identity(ball))
    assert kept.target is target
    assert kept.groups.allowed.all()
