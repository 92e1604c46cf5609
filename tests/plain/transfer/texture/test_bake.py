"""Whole materials baked through known maps: filters, tiles, conversions, repair, against the truth."""

from __future__ import annotations

from dataclasses import replace

import igl
import numpy as np
import pytest
from numpy.typing import NDArray

from helpers import baking, shapes
from helpers.baking import bake_tile, broken, channel_of
from helpers.textured import known_map, painted, places_of, psnr, solid, split, texels_of, unfolded
from meshkin.base.errors import InputError
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import Match, SurfaceMap
from meshkin.geometry.closest_points import nearest_on_triangles
from meshkin.transfer.texture.bake import BakeCache, bake
from meshkin.transfer.texture.channels import Channel, Extension, Picture, SlotTexture, SourceTextures
from meshkin.transfer.texture.map_smoothing import smoothed_map
from meshkin.transfer.texture.margin import dilate
from meshkin.transfer.texture.pixels import quantized
from meshkin.transfer.texture.settings import BakeSettings
from meshkin.transfer.texture.texels import texel_map

Array = shapes.Array


@pytest.fixture(scope="module")
def ball() -> Snapshot:
    return baking.ball()


def test_depths_and_widths(ball: Snapshot) -> None:
    """Each channel comes out as deep as it went in: the same layout gives the same values."""
    picture = painted(ball, 128)
    pictures = [Picture(quantized(picture[..., :width], depth)) for width, depth in ((1, 8), (3, 16), (4, 32))]
    channels = [channel_of(number, width, depth) for number, (width, depth) in enumerate(((1, 8), (3, 16), (4, 32)))]
    baked = bake_tile(pictures, channels, ball, ball, BakeSettings(128, 0))
    covered = texels_of(ball, 128).covered
    inner = covered & (texels_of(ball, 128).barycentric.min(axis=2) > 0.05)
    for result, picture_, scale in zip(baked.pictures, pictures, (1, 1, 1 / 255), strict=True):
        assert result.dtype == picture_.pixels.dtype
        difference = np.abs(result[inner].astype(float) - picture_.pixels[inner])
        assert difference.max() <= {np.uint8: 2, np.uint16: 500}.get(result.dtype.type, 2 * scale)
    assert baked.shares.covered == pytest.approx(covered.mean())


def test_a_shrunk_picture_is_averaged(ball: Snapshot) -> None:
    """Fine noise on the source: a texel that spans 16 x 16 of it shows the mean, not one of them."""
    noise = np.random.default_rng(0).random((1024, 1024, 1)).astype(np.float32)
    baked = bake_tile([Picture(noise)], [channel_of(0, 1, 32)], ball, ball, BakeSettings(64, 0))
    covered = texels_of(ball, 64).covered
    middle = covered.copy()
    middle[:8] = middle[-8:] = False  # toward the poles the footprints get narrow
    assert baked.pictures[0][middle].std() < 0.05
    assert baked.pictures[0][middle].mean() == pytest.approx(0.5, abs=0.01)


def test_no_bleeding_however_small(ball: Snapshot) -> None:
    """Islands of one color each, shrunk eight times: every texel keeps its island's color, none is mixed."""
    source = unfolded(ball)
    texels = texels_of(source, 2048)
    colors = np.random.default_rng(0).integers(0, 256, (len(ball.faces), 3), dtype=np.uint8)
    picture = np.zeros((2048, 2048, 3), np.uint8)
    picture[texels.covered] = colors[texels.face[texels.covered]]
    baked = bake_tile([Picture(picture)], [channel_of(0, 3)], source, source, BakeSettings(256, 2))
    small = texels_of(source, 256)
    inner = small.covered & (small.barycentric.min(axis=2) > 0.02)
    assert (np.abs(baked.pictures[0][inner].astype(int) - colors[small.face[inner]]) <= 1).all()


def test_mirrored_halves_share_their_texels(ball: Snapshot) -> None:
    """Two halves laid over each other on the source: both are sampled there."""
    right = ball.vertices[ball.faces].mean(axis=1)[:, 0] > 0
    uvs = ball.vertices[ball.faces][:, :, 1:] / 5 + 0.5
    source = replace(ball, uvs=uvs.astype(np.float32))
    row, column = np.mgrid[:256, :256]
    picture = np.stack([row, column], axis=2).astype(np.uint8)
    target = unfolded(ball)
    baked = bake_tile([Picture(picture)], [channel_of(0, 2)], source, target, BakeSettings(512, 0))
    texels = texels_of(target, 512)
    places = places_of(target, texels)
    expected = np.stack([(0.5 - places[:, 2] / 5) * 256 - 0.5, (places[:, 1] / 5 + 0.5) * 256 - 0.5], axis=1)
    error = np.abs(baked.pictures[0][texels.covered] - expected).max(axis=1)
    for half in (right, ~right):
        here = half[texels.face[texels.covered]]
        assert np.quantile(error[here], 0.97) <= 1.5


def test_tiles_of_source_and_target(ball: Snapshot) -> None:
    """A source in two tiles, a target in three: as good as in one."""
    upper = ball.vertices[ball.faces].mean(axis=1)[:, 2] > 0
    uvs = split(len(ball.faces)) + upper[:, None, None] * np.array([1, 0])
    source = replace(ball, uvs=uvs.astype(np.float32))
    pictures = []
    for tile in ((0, 0), (1, 0)):
        texels = texel_map(shapes.uvs_of(source) - np.array(tile), 700, wrap=False)
        pixels = np.zeros((700, 700, 4), np.float32)
        pixels[texels.covered] = solid(places_of(source, texels))
        dilate(pixels, texels.covered, 2)
        pictures.append(Picture(pixels, tile=tile))
    number = np.arange(len(ball.faces)) % 3
    shifts = np.array([[0, 0], [1, 0], [2, 1]])
    target = replace(ball, uvs=(split(len(ball.faces)) + shifts[number][:, None]).astype(np.float32))
    channel = Channel({0: SlotTexture((0, 1))}, 4, 32)
    tiles = ((0, 0), (1, 0), (2, 1))
    match = known_map(source, target)
    textures = SourceTextures(pictures, [shapes.uvs_of(source)], [channel])
    results = list(bake(textures, source, target, match, BakeSettings(600, 2, tiles)))
    assert [baked.tile for baked in results] == list(tiles)
    for baked, tile in zip(results, tiles, strict=True):
        texels = texel_map(shapes.uvs_of(target) - np.array(tile), 600, wrap=False)
        assert {int(value) for value in np.unique(number[texels.face[texels.covered]])} == {tiles.index(tile)}
        assert psnr(baked.pictures[0][texels.covered], solid(places_of(target, texels))) >= 38


@pytest.mark.parametrize("extension", ["repeat", "extend", "clip", "mirror"])
def test_outside_the_picture(ball: Snapshot, extension: Extension) -> None:
    picture = np.random.default_rng(0).random((1, 8, 1)).astype(np.float32)
    u = np.linspace(-1.9, 2.9, len(ball.faces))
    source = replace(ball, uvs=np.repeat(np.stack([u, u * 0 + 0.5], 1)[:, None], 3, axis=1).astype(np.float32))
    target = unfolded(ball)
    pictures = [Picture(picture, extension=extension, closest=True)]
    baked = bake_tile(pictures, [channel_of(0, 1, 32)], source, target, BakeSettings(300, 0))
    texels = texels_of(target, 300)
    column = np.floor(u * 8).astype(int)
    if extension == "mirror":
        column = np.where(column % 16 < 8, column % 16, 15 - column % 16)
    row = {"repeat": column % 8, "extend": np.clip(column, 0, 7), "clip": np.clip(column, 0, 7), "mirror": column}
    expected = picture[0, row[extension], 0]
    if extension == "clip":
        expected = np.where((column >= 0) & (column < 8), expected, 0)
    inner = texels.covered & (texels.barycentric.min(axis=2) > 0.05)
    safe = np.abs(u * 8 - np.rint(u * 8)) > 0.01
    inner &= safe[texels.face]
    np.testing.assert_allclose(baked.pictures[0][inner][:, 0], expected[texels.face[inner]], atol=1e-5)


def test_values_and_conversions(ball: Snapshot) -> None:
    """Plain values, channels picked and weighted, sRGB to linear and back."""
    slots = (ball.vertices[ball.faces].mean(axis=1)[:, 2] > 0).astype(np.int32)
    source = replace(ball, materials=slots)
    gray = np.full((2, 2, 4), (0.2, 0.5, 0.8, 1), np.float32)
    linear = ((0.5 + 0.055) / 1.055) ** 2.4
    channels = [
        Channel({0: SlotTexture((0,), weights=((0,), (1,), (0,), (0,))), 1: SlotTexture(value=(0.25,))}, 1, 32),
        Channel(
            {
                0: SlotTexture((0,), from_srgb=True),
                1: SlotTexture((0,), weights=tuple(map(tuple, 2 * np.eye(4))), offset=(-0.1,) * 4),
            },
            4,
            32,
        ),
        Channel({0: SlotTexture((0,), from_srgb=True, to_srgb=True)}, 4, 32),
    ]
    target = unfolded(ball)
    baked = bake_tile([Picture(gray)], channels, source, target, BakeSettings(300, 0))
    texels = texels_of(target, 300)
    inner = texels.covered & (texels.barycentric.min(axis=2) > 0.02)
    upper = slots[texels.face] == 1
    first, second, third = baked.pictures
    np.testing.assert_allclose(first[inner & ~upper], 0.5, atol=1e-6)
    np.testing.assert_allclose(first[inner & upper], 0.25, atol=1e-6)
    np.testing.assert_allclose(second[inner & ~upper][:, 1], linear, atol=1e-5)
    np.testing.assert_allclose(second[inner & upper][:, 2], 1.5, atol=1e-5)
    np.testing.assert_allclose(third[inner & ~upper] - gray[0, 0], 0, atol=1e-5)


@pytest.mark.parametrize("layout", ["whole", "islands"])
def test_what_is_not_trusted_is_filled_in(ball: Snapshot, layout: str) -> None:
    target = unfolded(ball) if layout == "islands" else ball
    where = np.linalg.norm(ball.vertices - ball.vertices[400], axis=1) < 0.25
    assert 5 < where.sum() < 100
    match = broken(known_map(ball, target), where)
    picture = quantized(painted(ball, 512), 8)
    results = {}
    for threshold in (0.0, 0.3):
        settings = BakeSettings(600, 2, None, threshold)
        results[threshold] = bake_tile([Picture(picture)], [channel_of(0)], ball, target, settings, match)
    texels = texels_of(target, 600)
    hurt = where[target.faces].any(axis=1)[texels.face[texels.covered]]
    truth = solid(places_of(target, texels))
    copied, filled = (results[threshold].pictures[0][texels.covered] / 255 for threshold in (0.0, 0.3))
    mask = results[0.3].filled[texels.covered]
    assert psnr(filled[hurt], truth[hurt]) > psnr(copied[hurt], truth[hurt]) + 8
    assert psnr(filled[~hurt], truth[~hurt]) > 38
    assert (mask[~hurt] == 0).all()
    assert (mask[where[target.faces].all(axis=1)[texels.face[texels.covered]]] == 255).all()
    assert results[0.0].filled.max() == 0
    assert 0 < results[0.3].shares.filled < 0.1


def test_nothing_trusted_and_nothing_distrusted(ball: Snapshot) -> None:
    """With nothing to fill from, the copy stays; with everything trusted, nothing changes."""
    match = known_map(ball, ball)
    picture = quantized(painted(ball, 128), 8)
    channel = channel_of(0)
    plain = bake_tile([Picture(picture)], [channel], ball, ball, BakeSettings(128, 0), match)
    for trust in (0.0, 1.0):
        to_source = replace(match.to_source, confidence=np.full(len(ball.vertices), trust, np.float32))
        other = Match(to_source, match.to_target, match.source_faces, match.target_faces)
        baked = bake_tile([Picture(picture)], [channel], ball, ball, BakeSettings(128, 0, None, 0.5), other)
        covered = texels_of(ball, 128).covered
        assert psnr(baked.pictures[0][covered] / 255, plain.pictures[0][covered] / 255 + 1e-9) > 30


def test_smoothing_evens_out_the_map_not_the_picture(ball: Snapshot) -> None:
    match = known_map(ball, ball)
    generator = np.random.default_rng(0)
    points = match.to_source.pull(ball.vertices, ball.faces)
    jitter = points + generator.normal(0, 0.02, points.shape)
    _, face, near = igl.point_mesh_squared_distance(jitter, ball.vertices.astype(float), ball.faces.astype(np.int64))
    weights, _ = nearest_on_triangles(near, ball.vertices.astype(float)[ball.faces[face]])
    noisy = SurfaceMap(
        face.astype(np.int32), weights.astype(np.float32), ball.faces[face, 0], match.to_source.confidence
    )
    errors = [
        np.linalg.norm(smoothed_map(noisy, ball, ball, radius).pull(ball.vertices, ball.faces) - points, axis=1).mean()
        for radius in (0.0, 4.0)
    ]
    assert errors[1] < 0.6 * errors[0]
    assert smoothed_map(noisy, ball, ball, 0) is noisy


@pytest.mark.parametrize(
    ("corners", "code"),
    [(np.full((3, 2), 0.5), "uvs-no-area"), (np.array([[0, 0], [1, 0], [1, 1]]), "uvs-overlap")],
    ids=["no area", "every face over the whole picture"],
)
def test_uvs_of_no_use_are_named(ball: Snapshot, corners: NDArray[np.floating], code: str) -> None:
    target = replace(ball, uvs=np.broadcast_to(corners, (len(ball.faces), 3, 2)).astype(np.float32))
    with pytest.raises(InputError) as failure:
        bake_tile([Picture(np.ones((2, 2, 4), np.float32))], [channel_of(0)], ball, target, BakeSettings(16, 0))
    assert failure.value.code == code


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (3, 7)])
def test_pictures_of_any_shape(ball: Snapshot, shape: tuple[int, int]) -> None:
    picture = np.full((*shape, 4), 0.5, np.float32)
    baked = bake_tile([Picture(picture)], [channel_of(0, 4, 32)], ball, unfolded(ball), BakeSettings(200, 0))
    covered = texels_of(unfolded(ball), 200).covered
    np.testing.assert_allclose(baked.pictures[0][covered], 0.5, atol=1e-6)


def test_a_cache_gives_the_same(ball: Snapshot) -> None:
    """Another threshold, margin and channel with what the last bake has left, as without."""
    target = unfolded(ball)
    match = known_map(ball, target)
    uvs = [shapes.uvs_of(ball)]
    pictures = [Picture(quantized(painted(ball, 64), 8)), Picture(quantized(painted(ball, 32)[..., :1], 16))]
    cache = BakeCache()
    first, second = channel_of(0), channel_of(1, 1, 16)
    list(bake(SourceTextures(pictures, uvs, [first]), ball, target, match, BakeSettings(128, 2), cache=cache))
    assert list(cache.tiles) == [(0, 0)]
    settings = BakeSettings(128, 4, None, 0.95)
    (kept,) = bake(SourceTextures(pictures, uvs, [first, second]), ball, target, match, settings, cache=cache)
    (fresh,) = bake(SourceTextures(pictures, uvs, [first, second]), ball, target, match, settings)
    for picture, expected in zip(kept.pictures, fresh.pictures, strict=True):
        np.testing.assert_array_equal(picture, expected)
    np.testing.assert_array_equal(kept.filled, fresh.filled)


def test_a_picture_repeated_by_each_face(ball: Snapshot) -> None:
    """Every triangle of the source has the whole picture: thousands of layers are sampled as quickly as one."""
    corners = np.array([[0.0, 0], [1, 0], [0, 1]])
    source = replace(ball, uvs=np.repeat(corners[None], len(ball.faces), axis=0).astype(np.float32))
    row, column = np.mgrid[:256, :256]
    picture = np.stack([row, column], axis=2).astype(np.uint8)
    target = unfolded(ball)
    baked = bake_tile([Picture(picture)], [channel_of(0, 2)], source, target, BakeSettings(512, 0))
    texels = texels_of(target, 512)
    inside = texels.covered & (texels.barycentric.min(axis=2) > 0.05)
    weights = texels.barycentric[inside]
    expected = np.stack([(1 - weights[:, 2]) * 256 - 0.5, weights[:, 1] * 256 - 0.5], axis=1)
    assert np.quantile(np.abs(baked.pictures[0][inside] - expected), 0.99) < 16  # a texel of the target spans that many
