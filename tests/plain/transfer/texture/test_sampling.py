"""Textures through known maps: against a solid texture evaluated on both surfaces, and brute force."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from helpers import baking, shapes
from helpers.textured import known_map, painted, places_of, psnr, solid, texels_of, unfolded
from meshkin.base.errors import Cancelled, InputError
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import Match, SurfaceMap
from meshkin.geometry.closest_points import nearest_on_triangles
from meshkin.transfer.texture.bake import bake
from meshkin.transfer.texture.channels import Channel, Picture, SlotTexture, SourceTextures
from meshkin.transfer.texture.margin import dilate
from meshkin.transfer.texture.sampling import bilinear_samples
from meshkin.transfer.texture.settings import BakeSettings
from meshkin.transfer.texture.texels import texel_map

Array = shapes.Array


def transfer_texture(
    images: list[tuple[int, Array]],
    source: Snapshot,
    target: Snapshot,
    match: Match,
    size: int,
    margin: int,
    *report: Any,
) -> Array:
    """One image for each material slot into one picture, float32 (size, size, 4)."""
    pictures = [Picture(image) for _, image in images]
    channel = Channel({slot: SlotTexture((number,)) for number, (slot, _) in enumerate(images)}, depth=32)
    layouts = [np.nan_to_num(np.asarray(source.uvs), nan=0, posinf=0, neginf=0)]
    textures = SourceTextures(pictures, layouts, [channel])
    (baked,) = bake(textures, source, target, match, BakeSettings(size, margin), *report)
    return np.asarray(baked.pictures[0])


# Texels


@pytest.mark.parametrize("block", [1 << 20, 50])
def test_texels_equal_brute_force(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Overlapping triangles of all sizes, some outside the unit square: the first that a center lies in, else the
    nearest within half a texel's diagonal."""
    monkeypatch.setattr("meshkin.transfer.texture.texels.TEXEL_BLOCK", block)
    size = 24
    generator = np.random.default_rng(0)
    uvs = generator.uniform(-0.6, 1.5, (40, 1, 2)) + generator.normal(0, 1, (40, 3, 2)) * 0.2 ** generator.integers(
        1, 4, (40, 1, 1)
    )
    texels = texel_map(uvs, size)
    row, column = np.divmod(np.arange(size * size), size)
    best = np.full(size * size, np.inf)
    face = np.full(size * size, -1)
    for number, triangle in enumerate(uvs * (size, -size) + (-0.5, size - 0.5)):
        for across in range(-3, 4):
            for down in range(-3, 4):
                points = np.stack([column + across * size, row + down * size], axis=1).astype(float)
                _, squares = nearest_on_triangles(points, np.broadcast_to(triangle, (len(points), 3, 2)))
                squares[squares < 1e-9] = 0
                better = (squares < best) & (squares <= 0.5)
                best[better], face[better] = squares[better], number
    np.testing.assert_array_equal(texels.face.ravel(), face)
    shown = np.einsum("nk,nkd->nd", texels.barycentric[texels.covered], uvs[texels.face[texels.covered]])
    offset = (shown * (size, -size) + (-0.5, -0.5)) - np.stack([column, row], 1)[face >= 0]
    offset -= np.round(offset / size) * size
    np.testing.assert_allclose((offset**2).sum(axis=1), best[face >= 0], atol=1e-3)


def test_every_touched_texel_is_covered() -> None:
    generator = np.random.default_rng(1)
    uvs = generator.uniform(0.1, 0.9, (30, 1, 2)) + generator.normal(0, 0.03, (30, 3, 2))
    texels = texel_map(uvs, 64)
    weights = generator.dirichlet((0.4, 0.4, 0.4), (30, 4000))
    points = np.einsum("fnk,fkd->fnd", weights, uvs).reshape(-1, 2) % 1
    assert texels.covered[np.floor((1 - points[:, 1]) * 64).astype(int), np.floor(points[:, 0] * 64).astype(int)].all()
    np.testing.assert_allclose(texels.barycentric.sum(axis=2), texels.covered, atol=1e-6)
    assert (texels.barycentric >= 0).all()


def test_v_points_up_and_the_square_is_filled() -> None:
    square = np.array([[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1]]], float)
    texels = texel_map(square, 32)
    assert texels.covered.all()
    assert texels.face[-1, -2] == 0
    assert texels.face[0, 1] == 1
    corner = texels.barycentric[-1, 0] @ square[texels.face[-1, 0]]
    np.testing.assert_allclose(corner, [0.5 / 32, 0.5 / 32], atol=1e-6)


def test_other_tiles_come_in_at_the_other_side() -> None:
    generator = np.random.default_rng(2)
    uvs = generator.uniform(0, 1, (20, 3, 2))
    shifts = generator.integers(-5, 6, (20, 1, 2))
    first, second = texel_map(uvs, 40), texel_map(uvs + shifts, 40)
    assert (first.face == second.face).mean() > 0.999


def test_triangles_without_area_show_where_nothing_else_does() -> None:
    """Palettes are unwrapped onto points and lines of a color. What is no number shows nowhere."""
    line, point, nowhere = [[0.1, 0.1], [0.9, 0.9], [0.5, 0.5]], [[0.72, 0.28]] * 3, [[np.nan, 0], [1, 0], [0, 1]]
    alone = texel_map(np.array([line, point, nowhere]), 16).face
    rows, columns = np.nonzero(alone == 0)
    assert (np.abs(rows + columns - 15) <= 1).all()
    assert len(rows) >= 13
    assert (alone == 1).sum() <= 4
    assert alone[11, 11] == 1
    assert set(np.unique(alone)) == {-1, 0, 1}
    triangle = [[0.5, 0.05], [0.95, 0.05], [0.95, 0.95]]
    among = texel_map(np.array([line, point, triangle]), 16).face
    assert among[11, 11] == 2
    assert not texel_map(np.zeros((0, 3, 2)), 16).covered.any()


@pytest.mark.parametrize(
    ("uvs", "size", "code"),
    [
        (np.zeros((1, 3, 2)), 0, "texture-size"),
        (np.zeros((1, 3, 2)), 100_000, "texture-size"),
        (np.array([[[0, 0], [500.0, 0], [0, 500]]]), 16, "uvs-range"),
    ],
)
def test_bad_layouts_are_named(uvs: Array, size: int, code: str) -> None:
    with pytest.raises(InputError) as failure:
        texel_map(uvs, size)
    assert failure.value.code == code


# Sampling and margins


def test_samples_are_bilinear_and_repeat() -> None:
    generator = np.random.default_rng(3)
    picture = generator.random((5, 7, 4)).astype(np.float32)
    row, column = np.mgrid[:5, :7]
    centers = np.stack([(column + 0.5) / 7, 1 - (row + 0.5) / 5], axis=-1).reshape(-1, 2)
    for shift in ([0, 0], [1, -2], [-3, 5]):
        np.testing.assert_allclose(bilinear_samples(picture, centers + shift), picture.reshape(-1, 4), atol=1e-5)
    between = bilinear_samples(picture, np.array([[0.0, 0.9]]))
    np.testing.assert_allclose(between[0], (picture[0, 0] + picture[0, -1]) / 2, atol=1e-6)
    corners = np.array([[0, 0], [1, 1], [0, 1], [1, 0]], float)
    mean = picture[[0, 0, -1, -1], [0, -1, 0, -1]].mean(axis=0)
    np.testing.assert_allclose(bilinear_samples(picture, corners), np.tile(mean, (4, 1)), atol=1e-6)
    anywhere = bilinear_samples(picture[:1, :1], generator.random((9, 2)))
    np.testing.assert_allclose(anywhere, np.tile(picture[0, 0], (9, 1)), 1e-6)


def test_margins_take_the_nearest_texel_and_no_more() -> None:
    covered = np.zeros((40, 50), bool)
    covered[10:20, 5:15] = covered[25, 40] = True
    picture = np.where(covered, np.arange(1.0, 2001).reshape(40, 50), 0)[..., None].astype(np.float32)
    before = picture.copy()
    dilate(picture, covered, 4)
    row, column = np.mgrid[:40, :50]
    places = np.stack([row[covered], column[covered]], axis=1)
    distances = np.hypot(row[..., None] - places[:, 0], column[..., None] - places[:, 1])
    grown = distances.min(axis=2) <= 4
    assert (picture[~grown] == 0).all()
    np.testing.assert_array_equal(picture[covered], before[covered])
    chosen = (picture[grown] == before[covered][:, 0]) & (distances[grown] == distances[grown].min(axis=1)[:, None])
    assert chosen.any(axis=1).all()


# Textures


@pytest.fixture(scope="module")
def ball() -> Snapshot:
    """With UVs that keep away from the picture's border, where it would repeat."""
    return baking.ball()


def test_a_new_layout_of_the_same_mesh(ball: Snapshot) -> None:
    """At least 48 dB; no seam: each texel of each of 2,208 islands is right to a few shades, also shared ones."""
    target = unfolded(ball)
    result = transfer_texture([(0, painted(ball, 512))], ball, target, known_map(ball, target), 700, 2)
    texels = texels_of(target, 700)
    truth = solid(places_of(target, texels))
    assert psnr(result[texels.covered], truth) >= 48
    error = np.abs(result[texels.covered] - truth).max(axis=1)
    assert error.max() < 0.12
    assert np.quantile(error, 0.99) < 0.03
    back = transfer_texture([(0, result)], target, ball, known_map(target, ball), 256, 2)
    texels = texels_of(ball, 256)
    assert psnr(back[texels.covered], solid(places_of(ball, texels))) >= 36


def test_the_same_layout_gives_the_same_picture(ball: Snapshot) -> None:
    picture = painted(ball, 256)
    result = transfer_texture([(0, picture)], ball, ball, known_map(ball, ball), 256, 0)
    covered = texels_of(ball, 256).covered
    assert psnr(result[covered], picture[covered]) >= 45
    assert (result[~covered] == 0).all()


def test_a_remeshed_copy(ball: Snapshot) -> None:
    target = unfolded(shapes.bumpy(shapes.sphere(37, 29)))
    result = transfer_texture([(0, painted(ball, 512))], ball, target, known_map(ball, target), 512, 2)
    texels = texels_of(target, 512)
    assert psnr(result[texels.covered], solid(places_of(target, texels))) >= 32


def test_islands_are_covered_and_do_not_bleed(ball: Snapshot) -> None:
    """Each source island has a color of its own; each target texel has its triangle's, in the margin too."""
    source = unfolded(ball)
    texels = texels_of(source, 700)
    colors = np.random.default_rng(0).random((len(ball.faces), 4)).astype(np.float32)
    picture = np.zeros((700, 700, 4), np.float32)
    picture[texels.covered] = colors[texels.face[texels.covered]]
    dilate(picture, texels.covered, 1)
    match = known_map(source, source)
    result = transfer_texture([(0, picture)], source, source, match, 350, 2)
    texels = texels_of(source, 350)
    assert set(np.unique(texels.face)) >= set(range(len(ball.faces)))
    inside = texels.covered & (texels.barycentric.min(axis=2) > 0.02)
    np.testing.assert_allclose(result[inside], colors[texels.face[inside]], atol=1e-5)
    grown = np.zeros((350, 350, 1), np.float32)
    dilate(grown, texels.covered, 2)
    filled = texels.covered.copy()
    shown = np.where(filled, texels.face + 1.0, 0)[..., None].astype(np.float32)
    dilate(shown, filled, 2)
    assert ((result != 0).any(axis=2) == (shown[..., 0] > 0)).all()


def test_materials_choose_their_image(ball: Snapshot) -> None:
    slots = (ball.vertices[ball.faces].mean(axis=1)[:, 2] > 0).astype(np.int32) * 3
    source = replace(ball, materials=slots)
    red, blue = np.full((4, 4, 4), 0.25, np.float32), np.full((1, 1, 4), 0.75, np.float32)
    target = unfolded(ball)
    texels = texels_of(target, 300)
    inside = texels.covered & (texels.barycentric.min(axis=2) > 0.02)
    upper = slots[texels.face] == 3
    result = transfer_texture([(0, red), (3, blue)], source, target, known_map(source, target), 300, 0)
    np.testing.assert_allclose(result[inside & upper], 0.75, atol=1e-6)
    np.testing.assert_allclose(result[inside & ~upper], 0.25, atol=1e-6)
    alone = transfer_texture([(3, blue)], source, target, known_map(source, target), 300, 0)
    assert (alone[inside & ~upper] == 0).all()


def test_a_thin_shell_keeps_its_sides_apart() -> None:
    """A coarse copy's chords run nearer to the shell's inside; its texels still come from the outside."""
    outer = shapes.sphere(64, 32)
    uvs = shapes.uvs_of(outer)
    count = len(outer.vertices)
    shell = shapes.snapshot(
        np.concatenate([outer.vertices, 0.99 * outer.vertices]),
        np.concatenate([outer.faces, outer.faces[:, ::-1] + count]),
        np.concatenate([uvs, uvs[:, ::-1]]),
        np.repeat([0, 1], len(outer.faces)),
    )
    coarse = shapes.sphere(16, 8)
    target = shapes.snapshot(coarse.vertices, coarse.faces, coarse.uvs)
    images = [(0, np.full((2, 2, 4), 0.25, np.float32)), (1, np.full((2, 2, 4), 0.75, np.float32))]
    match = known_map(outer, target)
    match = Match(match.to_source, match.to_target, shell.faces, target.faces)
    result = transfer_texture(images, shell, target, match, 128, 0)
    np.testing.assert_allclose(result[texels_of(target, 128).covered], 0.25, atol=1e-6)


def test_a_torn_triangle_is_not_drawn_through_the_body() -> None:
    """One corner of a small triangle lands on the far side: all of the triangle follows its most trusted corner."""
    ball = shapes.sphere(48, 24)
    target = unfolded(ball)
    match = known_map(ball, target)
    torn = len(ball.faces) // 2
    vertex = ball.faces[torn, 0]
    opposite = np.linalg.norm(ball.vertices + ball.vertices[vertex], axis=1).argmin()
    face, barycentric = match.to_source.face.copy(), match.to_source.barycentric.copy()
    confidence = np.full(len(ball.vertices), 0.5, np.float32)
    face[vertex] = np.flatnonzero((ball.faces == opposite).any(axis=1))[0]
    barycentric[vertex] = ball.faces[face[vertex]] == opposite
    confidence[vertex] = 0.1
    confidence[ball.faces[torn, 1]] = 0.9
    to_source = SurfaceMap(face, barycentric, ball.faces[face, 0], confidence)
    match = replace(match, to_source=to_source)
    result = transfer_texture([(0, painted(ball, 512))], ball, target, match, 600, 0)
    texels = texels_of(target, 600)
    expected = solid(ball.vertices[ball.faces[torn, 1]])
    there = texels.face == torn
    assert there.sum() > 20
    np.testing.assert_allclose(result[there], np.tile(expected, (there.sum(), 1)), atol=0.05)


def test_bad_triangles_on_the_source_do_no_harm(ball: Snapshot) -> None:
    """Triangles without an area, whose UVs lie anywhere or nowhere, are not sampled."""
    first, uvs = ball.faces[:, [0, 1, 1]], shapes.uvs_of(ball)
    source = shapes.snapshot(
        ball.vertices, np.concatenate([first, ball.faces]), np.concatenate([np.full_like(uvs, np.nan), uvs])
    )
    target = unfolded(ball)
    match = known_map(ball, target)
    shifted = replace(match.to_source, face=match.to_source.face + np.int32(len(first)))
    result = transfer_texture(
        [(0, painted(ball, 512))], source, target, Match(shifted, match.to_target, source.faces, target.faces), 512, 0
    )
    texels = texels_of(target, 512)
    assert psnr(result[texels.covered], solid(places_of(target, texels))) >= 38


def test_bad_input_is_named(ball: Snapshot) -> None:
    match, image = known_map(ball, ball), np.ones((2, 2, 4), np.float32)
    bare = replace(ball, uvs=None)
    other = shapes.sphere(8, 4)
    calls: dict[str, Callable[[], Array]] = {
        "no-uvs": lambda: transfer_texture([(0, image)], ball, bare, match, 8, 0),
        "image-empty": lambda: transfer_texture([(0, image[:0])], ball, ball, match, 8, 0),
        "texture-size": lambda: transfer_texture([(0, image)], ball, ball, match, 0, 0),
        "map-other-mesh": lambda: transfer_texture([(0, image)], ball, other, match, 8, 0),
    }
    for code, call in calls.items():
        with pytest.raises(InputError) as failure:
            call()
        assert failure.value.code == code
    with pytest.raises(InputError, match="shape"):
        transfer_texture([(0, image)], ball, bare, match, 8, 0)


def test_a_bake_can_be_cancelled(ball: Snapshot) -> None:
    def report(stage: str, fraction: float) -> None:
        assert 0 <= fraction <= 1
        if stage == "Sampling the texture":
            raise Cancelled

    with pytest.raises(Cancelled):
        transfer_texture([(0, np.ones((2, 2, 4), np.float32))], ball, ball, known_map(ball, ball), 64, 0, report)
