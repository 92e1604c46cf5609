"""What is baked goes on over the seams of any layout, and nothing bleeds over them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from helpers import baking, shapes
from helpers.baking import all_steps, bake_tile, channel_of, seam_steps, strips
from helpers.textured import known_map, painted, places_of, psnr, solid, split, texels_of, unfolded
from meshkin.data.snapshot import Snapshot
from meshkin.geometry.adjacency import opposite_triangles
from meshkin.transfer.carrier import PointCarrier
from meshkin.transfer.texture.bake import bake
from meshkin.transfer.texture.channels import Picture, SourceTextures
from meshkin.transfer.texture.margin import dilate
from meshkin.transfer.texture.pixels import quantized, to_float
from meshkin.transfer.texture.settings import BakeSettings
from meshkin.transfer.texture.texel_correspondence import texel_correspondence

Array = shapes.Array


@pytest.fixture(scope="module")
def ball() -> Snapshot:
    return baking.ball()


def test_seams_do_not_show(ball: Snapshot) -> None:
    """Over every edge that the target's layout cuts, both sides agree within 2/255."""
    target = unfolded(ball)
    picture = quantized(painted(ball, 1024), 8)
    baked = bake_tile([Picture(picture)], [channel_of(0)], ball, target, BakeSettings(1024, 2))
    texels = texels_of(target, 1024)
    inside = texels.covered & (texels.barycentric.min(axis=2) > 0)
    truth = np.zeros((1024, 1024, 4), np.float32)
    truth[texels.covered] = solid(places_of(target, texels))
    assert np.abs(baked.pictures[0][inside] / 255 - truth[inside]).max() < 2 / 255
    steps = seam_steps(target, baked.pictures[0] / np.float32(255))
    assert np.quantile(steps, 0.999) < 2 / 255
    dilate(truth, texels.covered, 2)
    assert steps.mean() < 0.6 * seam_steps(target, truth).mean()  # better than the nearest texel would do


def test_noise_goes_on_over_seams(ball: Snapshot) -> None:
    """A picture of noise: no step shows where the target's strips meet."""
    target, strip = strips(ball, 0)
    picture = np.random.default_rng(0).integers(0, 256, (100, 100, 1), dtype=np.uint8)
    baked = bake_tile([Picture(picture)], [channel_of(0, 1)], ball, target, BakeSettings(512, 8))
    steps = seam_steps(target, baked.pictures[0] / np.float32(255))
    across = opposite_triangles(target.faces)
    row, side = np.nonzero(across >= 0)
    seam = np.tile(np.abs(strip[row] - strip[across[row, side]]) == 1, 3)  # 0 and 3 meet at the source's own
    assert seam.sum() > 300
    assert np.quantile(steps[seam], 0.98) < 2 / 255


@pytest.mark.parametrize(
    ("coarse", "size", "depth"), [(True, 128, 8), (True, 400, 8), (False, 300, 16), (False, 400, 8), (False, 640, 32)]
)
def test_no_step_where_seams_cross(ball: Snapshot, coarse: bool, size: int, depth: int) -> None:
    """A picture of full contrast in strips that run across the target's: no step, not even where islands of the
    source meet."""
    if coarse:
        ball = baking.coarse_ball()
    source, _ = strips(ball, 0)
    target, _ = strips(ball, 1)
    picture = quantized(painted(source, size), depth)
    baked = bake_tile([Picture(picture)], [channel_of(0, 4, depth)], source, target, BakeSettings(size, 8))
    shown = to_float(baked.pictures[0])
    assert all_steps(target, {(0, 0): shown}).max() < 2 / 255
    covered = texels_of(target, size).covered
    assert psnr(shown[covered], solid(places_of(target, texels_of(target, size)))) > (38 if size == 128 else 46)


def test_no_light_is_brighter_or_darker_than_the_sources() -> None:
    """Seams of a picture without limits, whose light goes to 8, are joined within what it has."""
    ball = baking.coarse_ball()
    (source, _), (target, _) = strips(ball, 0), strips(ball, 1)
    picture = painted(source, 128) * 8
    baked = bake_tile([Picture(picture)], [channel_of(0, 4, 32)], source, target, BakeSettings(128, 8))
    assert baked.pictures[0].min() >= 0
    assert baked.pictures[0].max() <= picture.max()


def test_no_step_from_tile_to_tile(ball: Snapshot) -> None:
    """A layout whose strips lie in two tiles: their seams are joined as those within a tile."""
    target, strip = strips(ball, 1)
    apart = shapes.uvs_of(target) + (strip % 2)[:, None, None] * np.array([1, 0])
    target = replace(target, uvs=apart.astype(np.float32))
    pictures = [Picture(quantized(painted(ball, 500), 8))]
    textures = SourceTextures(pictures, [shapes.uvs_of(ball)], [channel_of(0)])
    settings = BakeSettings(500, 8, ((0, 0), (1, 0)))
    baked_tiles = list(bake(textures, ball, target, known_map(ball, target), settings))
    assert [baked.tile for baked in baked_tiles] == [(0, 0), (1, 0)]
    tiles = {baked.tile: to_float(baked.pictures[0]) for baked in baked_tiles}
    assert all_steps(target, tiles).max() < 2 / 255


def test_a_border_of_the_source_is_no_step_to_take_away(ball: Snapshot) -> None:
    """Where the source's two sides differ, along the very seam of the target: they stay as they are."""
    picture = np.zeros((256, 256, 1), np.uint8)
    picture[:, 128:] = 200
    baked = bake_tile([Picture(picture)], [channel_of(0, 1)], ball, ball, BakeSettings(256, 8))
    covered = texels_of(ball, 256).covered
    covered[:30] = covered[-30:] = False  # all the ball's seams meet at the poles
    changed = np.abs(baked.pictures[0].astype(int) - picture)[covered] > 2
    assert changed.mean() < 0.006  # one texel in a row lies on the seam itself


def test_sharp_edges_are_kept_apart() -> None:
    """A cube in other layouts: each side of it shows its own picture, up to its edges."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    quads = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    cube = shapes.snapshot(corners, faces, split(12, 0.3))
    target = replace(cube, uvs=split(12, 0.3)[::-1].astype(np.float32))
    picture = quantized(painted(cube, 512), 8)
    baked = bake_tile([Picture(picture)], [channel_of(0)], cube, target, BakeSettings(512, 8))
    texels = texels_of(target, 512)
    truth = solid(places_of(target, texels))
    assert np.abs(baked.pictures[0][texels.covered] / 255 - truth).max() < 0.05
    assert all_steps(target, {(0, 0): to_float(baked.pictures[0])}).max() < 2 / 255


def test_no_bleeding_where_seams_cross(ball: Snapshot) -> None:
    """The source's strips, each of one color, run across the target's: no texel has a mixed color."""
    source, strip = strips(ball, 0)
    target, _ = strips(ball, 1)
    colors = np.array([[250, 10, 10], [10, 250, 10], [10, 10, 250], [250, 250, 10]], np.uint8)
    laid = texels_of(source, 256)
    picture = np.zeros((256, 256, 3), np.uint8)
    picture[laid.covered] = colors[strip[laid.face[laid.covered]]]
    match = known_map(source, target)
    baked = bake_tile([Picture(picture)], [channel_of(0, 3)], source, target, BakeSettings(300, 8), match)
    carrier = PointCarrier(source, target, match.to_source)
    correspondence = texel_correspondence(texels_of(target, 300), carrier)
    shown = baked.pictures[0].reshape(-1, 3)[correspondence.texel].astype(int)
    assert (np.abs(shown - colors[strip[correspondence.source_face]]).max(axis=1) <= 2).all()


def test_the_order_of_vertices_does_not_matter(ball: Snapshot) -> None:
    """The same target with its vertices in another order gets the same texture, to the last bit."""
    target, _ = strips(ball, 0)
    order = np.random.default_rng(0).permutation(len(target.vertices))
    number = np.argsort(order).astype(np.int32)
    shuffled = replace(target, vertices=target.vertices[order], faces=number[target.faces])
    picture = np.random.default_rng(0).integers(0, 256, (100, 100, 1), dtype=np.uint8)
    baked = [
        bake_tile([Picture(picture)], [channel_of(0, 1)], ball, shape, BakeSettings(256, 8))
        for shape in (target, shuffled)
    ]
    np.testing.assert_array_equal(baked[0].pictures[0], baked[1].pictures[0])
