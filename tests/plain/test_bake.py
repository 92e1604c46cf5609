"""Whole materials baked through known maps: filters, seams, tiles, normals, repair, against the truth."""

from __future__ import annotations

from dataclasses import replace

import igl
import numpy as np
import pytest
import shapes
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from test_transfer_texture import known_map, painted, places_of, psnr, solid, split, unfolded

from meshkin.errors import InputError
from meshkin.matching.geometry import nearest_on_triangles
from meshkin.snapshot import Snapshot
from meshkin.surface_map import Match, SurfaceMap
from meshkin.transfer.carrier import Carrier
from meshkin.transfer.islands import opposite, places, uv_corners
from meshkin.transfer.pixels import quantised, real
from meshkin.transfer.sampling import sample
from meshkin.transfer.seams import cuts, following, on_edges, spaced
from meshkin.transfer.smoothing import smoothed
from meshkin.transfer.tangents import tangents
from meshkin.transfer.texels import dilate, texel_map
from meshkin.transfer.texture import Baked, Channel, Layout, Picture, Source, bake

Array = shapes.Array


@pytest.fixture(scope="module")
def ball() -> Snapshot:
    shape = shapes.bumpy(shapes.sphere(48, 24))
    return replace(shape, uvs=(shape.uvs * 0.96 + 0.02).astype(np.float32))


def rounded(shape: Snapshot) -> Snapshot:
    """Smooth shading: each corner has its vertex's normal."""
    sums = np.zeros((len(shape.vertices), 3))
    np.add.at(sums, shape.faces.ravel(), shape.normals.reshape(-1, 3))
    normals = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    return replace(shape, normals=normals[shape.faces].astype(np.float32))


def one(
    pictures: list[Picture],
    channels: list[Channel],
    source: Snapshot,
    target: Snapshot,
    layout: Layout,
    match: Match | None = None,
) -> Baked:
    assert source.uvs is not None
    (baked,) = bake(pictures, [source.uvs], channels, source, target, match or known_map(source, target), layout)
    return baked


def test_depths_and_widths(ball: Snapshot) -> None:
    """Each channel comes out as deep as it went in: the same layout gives the same values."""
    picture = painted(ball, 128)
    pictures = [Picture(quantised(picture[..., :width], depth)) for width, depth in ((1, 8), (3, 16), (4, 32))]
    channels = [
        Channel({0: Source((number,))}, width, depth)
        for number, (width, depth) in enumerate(((1, 8), (3, 16), (4, 32)))
    ]
    baked = one(pictures, channels, ball, ball, Layout(128, 0))
    covered = texel_map(ball.uvs, 128).covered
    inner = covered & (texel_map(ball.uvs, 128).barycentric.min(axis=2) > 0.05)
    for result, picture_, scale in zip(baked.pictures, pictures, (1, 1, 1 / 255), strict=True):
        assert result.dtype == picture_.pixels.dtype
        difference = np.abs(result[inner].astype(float) - picture_.pixels[inner])
        assert difference.max() <= {np.uint8: 2, np.uint16: 500}.get(result.dtype.type, 2 * scale)
    assert baked.shares["covered"] == pytest.approx(covered.mean())


def test_a_shrunk_picture_is_averaged(ball: Snapshot) -> None:
    """Fine noise on the source: a texel that spans 16 x 16 of it shows the mean, not one of them."""
    noise = np.random.default_rng(0).random((1024, 1024, 1)).astype(np.float32)
    baked = one([Picture(noise)], [Channel({0: Source((0,))}, 1, 32)], ball, ball, Layout(64, 0))
    covered = texel_map(ball.uvs, 64).covered
    middle = covered.copy()
    middle[:8] = middle[-8:] = False  # towards the poles the footprints get narrow
    assert baked.pictures[0][middle].std() < 0.05
    assert baked.pictures[0][middle].mean() == pytest.approx(0.5, abs=0.01)


def test_no_bleeding_however_small(ball: Snapshot) -> None:
    """Islands of one colour each, shrunk eight times: every texel keeps its island's colour, none is mixed."""
    source = unfolded(ball)
    texels = texel_map(source.uvs, 2048)
    colours = np.random.default_rng(0).integers(0, 256, (len(ball.faces), 3), dtype=np.uint8)
    picture = np.zeros((2048, 2048, 3), np.uint8)
    picture[texels.covered] = colours[texels.face[texels.covered]]
    baked = one([Picture(picture)], [Channel({0: Source((0,))}, 3)], source, source, Layout(256, 2))
    small = texel_map(source.uvs, 256)
    inner = small.covered & (small.barycentric.min(axis=2) > 0.02)
    assert (np.abs(baked.pictures[0][inner].astype(int) - colours[small.face[inner]]) <= 1).all()


def test_mirrored_halves_share_their_texels(ball: Snapshot) -> None:
    """Two halves laid over each other on the source: both are sampled there."""
    right = ball.vertices[ball.faces].mean(axis=1)[:, 0] > 0
    uvs = ball.vertices[ball.faces][:, :, 1:] / 5 + 0.5
    source = replace(ball, uvs=uvs.astype(np.float32))
    row, column = np.mgrid[:256, :256]
    picture = np.stack([row, column], axis=2).astype(np.uint8)
    target = unfolded(ball)
    baked = one([Picture(picture)], [Channel({0: Source((0,))}, 2)], source, target, Layout(512, 0))
    texels = texel_map(target.uvs, 512)
    places = places_of(target, texels)
    expected = np.stack([(0.5 - places[:, 2] / 5) * 256 - 0.5, (places[:, 1] / 5 + 0.5) * 256 - 0.5], axis=1)
    error = np.abs(baked.pictures[0][texels.covered] - expected).max(axis=1)
    for half in (right, ~right):
        here = half[texels.face[texels.covered]]
        assert np.quantile(error[here], 0.97) <= 1.5


def seam_steps(shape: Snapshot, picture: Array) -> Array:
    """How far both sides of each edge of a layout of single triangles differ, sampled as a renderer does."""
    assert shape.uvs is not None
    across = opposite(shape.faces)
    row, side = np.nonzero(across >= 0)
    other = across[row, side]
    start, end = (side + 1) % 3, (side + 2) % 3
    twins = [(shape.faces[other] == shape.faces[row, one][:, None]).argmax(axis=1) for one in (start, end)]
    steps = []
    for along in (0.2, 0.5, 0.8):
        here = shape.uvs[row, start] * (1 - along) + shape.uvs[row, end] * along
        there = shape.uvs[other, twins[0]] * (1 - along) + shape.uvs[other, twins[1]] * along
        steps.append(np.abs(sample(picture, here) - sample(picture, there)).max(axis=1))
    return np.concatenate(steps)


def test_seams_do_not_show(ball: Snapshot) -> None:
    """Over every edge that the target's layout cuts, both sides agree within 2/255."""
    target = unfolded(ball)
    picture = quantised(painted(ball, 1024), 8)
    baked = one([Picture(picture)], [Channel({0: Source((0,))})], ball, target, Layout(1024, 2))
    texels = texel_map(target.uvs, 1024)
    inside = texels.covered & (texels.barycentric.min(axis=2) > 0)
    truth = np.zeros((1024, 1024, 4), np.float32)
    truth[texels.covered] = solid(places_of(target, texels))
    assert np.abs(baked.pictures[0][inside] / 255 - truth[inside]).max() < 2 / 255
    steps = seam_steps(target, baked.pictures[0] / np.float32(255))
    assert np.quantile(steps, 0.999) < 2 / 255
    dilate(truth, texels.covered, 2)
    assert steps.mean() < 0.6 * seam_steps(target, truth).mean()  # better than the nearest texel would do


def test_tiles_of_source_and_target(ball: Snapshot) -> None:
    """A source in two tiles, a target in three: as good as in one."""
    upper = ball.vertices[ball.faces].mean(axis=1)[:, 2] > 0
    uvs = split(len(ball.faces)) + upper[:, None, None] * np.array([1, 0])
    source = replace(ball, uvs=uvs.astype(np.float32))
    pictures = []
    for tile in ((0, 0), (1, 0)):
        texels = texel_map(source.uvs - np.array(tile), 700, wrap=False)
        pixels = np.zeros((700, 700, 4), np.float32)
        pixels[texels.covered] = solid(places_of(source, texels))
        dilate(pixels, texels.covered, 2)
        pictures.append(Picture(pixels, tile=tile))
    number = np.arange(len(ball.faces)) % 3
    shifts = np.array([[0, 0], [1, 0], [2, 1]])
    target = replace(ball, uvs=(split(len(ball.faces)) + shifts[number][:, None]).astype(np.float32))
    channel = Channel({0: Source((0, 1))}, 4, 32)
    tiles = ((0, 0), (1, 0), (2, 1))
    found = known_map(source, target)
    results = list(bake(pictures, [source.uvs], [channel], source, target, found, Layout(600, 2, tiles)))
    assert [baked.tile for baked in results] == list(tiles)
    for baked, tile in zip(results, tiles, strict=True):
        texels = texel_map(target.uvs - np.array(tile), 600, wrap=False)
        assert {int(value) for value in np.unique(number[texels.face[texels.covered]])} == {tiles.index(tile)}
        assert psnr(baked.pictures[0][texels.covered], solid(places_of(target, texels))) >= 38


@pytest.mark.parametrize("address", ["repeat", "extend", "clip", "mirror"])
def test_outside_the_picture(ball: Snapshot, address: str) -> None:
    picture = np.random.default_rng(0).random((1, 8, 1)).astype(np.float32)
    u = np.linspace(-1.9, 2.9, len(ball.faces))
    source = replace(ball, uvs=np.repeat(np.stack([u, u * 0 + 0.5], 1)[:, None], 3, axis=1).astype(np.float32))
    target = unfolded(ball)
    channel = Channel({0: Source((0,))}, 1, 32)
    baked = one([Picture(picture, address=address, closest=True)], [channel], source, target, Layout(300, 0))
    texels = texel_map(target.uvs, 300)
    column = np.floor(u * 8).astype(int)
    if address == "mirror":
        column = np.where(column % 16 < 8, column % 16, 15 - column % 16)
    row = {"repeat": column % 8, "extend": np.clip(column, 0, 7), "clip": np.clip(column, 0, 7), "mirror": column}
    expected = picture[0, row[address], 0]
    if address == "clip":
        expected = np.where((column >= 0) & (column < 8), expected, 0)
    inner = texels.covered & (texels.barycentric.min(axis=2) > 0.05)
    safe = np.abs(u * 8 - np.rint(u * 8)) > 0.01
    inner &= safe[texels.face]
    np.testing.assert_allclose(baked.pictures[0][inner][:, 0], expected[texels.face[inner]], atol=1e-5)


def test_values_and_conversions(ball: Snapshot) -> None:
    """Plain values, channels picked and weighted, sRGB to linear and back."""
    slots = (ball.vertices[ball.faces].mean(axis=1)[:, 2] > 0).astype(np.int32)
    source = replace(ball, materials=slots)
    grey = np.full((2, 2, 4), (0.2, 0.5, 0.8, 1), np.float32)
    linear = ((0.5 + 0.055) / 1.055) ** 2.4
    channels = [
        Channel({0: Source((0,), weights=((0,), (1,), (0,), (0,))), 1: Source(value=(0.25,))}, 1, 32),
        Channel(
            {
                0: Source((0,), decode=True),
                1: Source((0,), weights=tuple(map(tuple, 2 * np.eye(4))), offset=(-0.1,) * 4),
            },
            4,
            32,
        ),
        Channel({0: Source((0,), decode=True, encode=True)}, 4, 32),
    ]
    target = unfolded(ball)
    baked = one([Picture(grey)], channels, source, target, Layout(300, 0))
    texels = texel_map(target.uvs, 300)
    inner = texels.covered & (texels.barycentric.min(axis=2) > 0.02)
    upper = slots[texels.face] == 1
    first, second, third = baked.pictures
    np.testing.assert_allclose(first[inner & ~upper], 0.5, atol=1e-6)
    np.testing.assert_allclose(first[inner & upper], 0.25, atol=1e-6)
    np.testing.assert_allclose(second[inner & ~upper][:, 1], linear, atol=1e-5)
    np.testing.assert_allclose(second[inner & upper][:, 2], 1.5, atol=1e-5)
    np.testing.assert_allclose(third[inner & ~upper] - grey[0, 0], 0, atol=1e-5)


def frames(shape: Snapshot, face: Array, weights: Array) -> Array:
    """Tangent, bitangent and normal as columns, (N, 3, 3), as a renderer has them: mixed, not made unit."""
    assert shape.uvs is not None
    along = tangents(shape.vertices, shape.faces, shape.normals, shape.uvs)
    normal = np.einsum("nk,nkd->nd", weights, shape.normals[face].astype(float))
    mixed = np.einsum("nk,nkd->nd", weights, along[face].astype(float))
    bitangent = np.sign(mixed[:, 3:]) * np.cross(normal, mixed[:, :3])
    return np.stack([mixed[:, :3], bitangent, normal], axis=2)


def unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def degrees(one: Array, other: Array) -> Array:
    """Angles between unit vectors (N, 3)."""
    return np.degrees(2 * np.arcsin(np.clip(np.linalg.norm(one - other, axis=1) / 2, 0, 1)))


def world_normals(shape: Snapshot, picture: Array) -> tuple[Array, Array]:
    """Where each covered texel lies, and the direction in space that its tangent-space normal has."""
    assert shape.uvs is not None
    texels = texel_map(shape.uvs, len(picture))
    frame = frames(shape, texels.face[texels.covered], texels.barycentric[texels.covered])
    return places_of(shape, texels), unit(np.einsum("nij,nj->ni", frame, picture[texels.covered] * 2 - 1))


def bumps(shape: Snapshot, face: Array, weights: Array) -> Array:
    """A relief's true normals in space at points of a smooth shape, up to 40 degrees off its own."""
    places = np.einsum("nk,nkd->nd", weights, shape.vertices[shape.faces[face]].astype(float))
    own = unit(np.einsum("nk,nkd->nd", weights, shape.normals[face].astype(float)))
    return unit(own + solid(places)[:, :3] - 0.5)


def relief(shape: Snapshot, size: int, depth: int = 8) -> Array:
    """The normal map that shows :func:`bumps`."""
    assert shape.uvs is not None
    texels = texel_map(shape.uvs, size)
    face, weights = texels.face[texels.covered], texels.barycentric[texels.covered]
    picture = np.zeros((size, size, 3), np.float32)
    inside = np.linalg.solve(frames(shape, face, weights), bumps(shape, face, weights)[..., None])[..., 0]
    picture[texels.covered] = unit(inside) * 0.5 + 0.5
    dilate(picture, texels.covered, 8)
    return quantised(picture, depth)


@pytest.mark.parametrize("layout", ["turned", "mirrored", "islands"])
def test_normals_keep_their_direction_in_space(ball: Snapshot, layout: str) -> None:
    """The same mesh in another layout: a bump that leans one way in space leans the same way afterwards."""
    source = rounded(ball)
    picture = np.zeros((256, 256, 3), np.float32)
    texels = texel_map(source.uvs, 256)
    lean = solid(places_of(source, texels))[:, :2] - 0.5
    normals = np.concatenate([lean, np.ones((len(lean), 1))], axis=1)
    picture[texels.covered] = normals / np.linalg.norm(normals, axis=1, keepdims=True) * 0.5 + 0.5
    dilate(picture, texels.covered, 4)
    assert source.uvs is not None
    uvs = source.uvs.astype(np.float64)
    if layout == "turned":
        uvs = np.stack([0.5 + 0.6 * (uvs[..., 1] - 0.5), 0.5 - 0.6 * (uvs[..., 0] - 0.5)], axis=-1)
        uvs[..., 0] += 0.15 * (uvs[..., 1] - 0.5)
    elif layout == "mirrored":
        uvs = np.stack([1 - uvs[..., 0], uvs[..., 1]], axis=-1)
    else:
        uvs = split(len(ball.faces))
    target = replace(source, uvs=uvs.astype(np.float32))
    channel = Channel({0: Source((0,))}, 3, 32, normal=True)
    baked = one([Picture(picture)], [channel], source, target, Layout(700, 0))
    places, found = world_normals(target, baked.pictures[0])
    _, truth = world_normals(source, picture)
    there = places_of(source, texels)
    distance, nearest = cKDTree(there).query(places)
    near = distance < 0.004
    assert near.sum() > 5000
    agreement = (found[near] * truth[nearest[near]]).sum(axis=1)
    assert np.quantile(agreement, 0.02) > 0.98


def broken(found: Match, where: Array, ball: Snapshot) -> Match:
    """The map with some vertices sent elsewhere, and known not to be trusted."""
    to_source = found.to_source
    order = np.arange(len(to_source.face))
    order[where] = np.random.default_rng(0).permutation(np.flatnonzero(~where))[: where.sum()]
    trust = np.where(where, 0.05, 0.9).astype(np.float32)
    wrong = SurfaceMap(to_source.face[order], to_source.barycentric[order], to_source.vertex[order], trust)
    return Match(wrong, found.to_target, found.source_faces, found.target_faces)


@pytest.mark.parametrize("layout", ["whole", "islands"])
def test_what_is_not_trusted_is_filled_in(ball: Snapshot, layout: str) -> None:
    target = unfolded(ball) if layout == "islands" else ball
    where = np.linalg.norm(ball.vertices - ball.vertices[400], axis=1) < 0.25
    assert 5 < where.sum() < 100
    match = broken(known_map(ball, target), where, ball)
    picture = quantised(painted(ball, 512), 8)
    results = {}
    for threshold in (0.0, 0.3):
        baked = one(
            [Picture(picture)], [Channel({0: Source((0,))})], ball, target, Layout(600, 2, None, threshold), match
        )
        results[threshold] = baked
    texels = texel_map(target.uvs, 600)
    hurt = where[target.faces].any(axis=1)[texels.face[texels.covered]]
    truth = solid(places_of(target, texels))
    copied, filled = (results[one].pictures[0][texels.covered] / 255 for one in (0.0, 0.3))
    mask = results[0.3].filled[texels.covered]
    assert psnr(filled[hurt], truth[hurt]) > psnr(copied[hurt], truth[hurt]) + 8
    assert psnr(filled[~hurt], truth[~hurt]) > 38
    assert (mask[~hurt] == 0).all()
    assert (mask[where[target.faces].all(axis=1)[texels.face[texels.covered]]] == 255).all()
    assert results[0.0].filled.max() == 0
    assert 0 < results[0.3].shares["filled"] < 0.1


def test_nothing_trusted_and_nothing_distrusted(ball: Snapshot) -> None:
    """With nothing to fill from, the copy stays; with everything trusted, nothing changes."""
    match = known_map(ball, ball)
    picture = quantised(painted(ball, 128), 8)
    channel = Channel({0: Source((0,))})
    plain = one([Picture(picture)], [channel], ball, ball, Layout(128, 0), match)
    for trust in (0.0, 1.0):
        to_source = replace(match.to_source, confidence=np.full(len(ball.vertices), trust, np.float32))
        other = Match(to_source, match.to_target, match.source_faces, match.target_faces)
        baked = one([Picture(picture)], [channel], ball, ball, Layout(128, 0, None, 0.5), other)
        covered = texel_map(ball.uvs, 128).covered
        assert psnr(baked.pictures[0][covered] / 255, plain.pictures[0][covered] / 255 + 1e-9) > 30


def test_smoothing_evens_out_the_map_not_the_picture(ball: Snapshot) -> None:
    found = known_map(ball, ball)
    generator = np.random.default_rng(0)
    points = found.to_source.pull(ball.vertices, ball.faces)
    jitter = points + generator.normal(0, 0.02, points.shape)
    _, face, near = igl.point_mesh_squared_distance(jitter, ball.vertices.astype(float), ball.faces.astype(np.int64))
    weights, _ = nearest_on_triangles(near, ball.vertices.astype(float)[ball.faces[face]])
    noisy = SurfaceMap(
        face.astype(np.int32), weights.astype(np.float32), ball.faces[face, 0], found.to_source.confidence
    )
    errors = [
        np.linalg.norm(smoothed(noisy, ball, ball, radius).pull(ball.vertices, ball.faces) - points, axis=1).mean()
        for radius in (0.0, 4.0)
    ]
    assert errors[1] < 0.6 * errors[0]
    assert smoothed(noisy, ball, ball, 0) is noisy


@pytest.mark.parametrize(
    ("corners", "code"),
    [(np.full((3, 2), 0.5), "uvs-no-area"), (np.array([[0, 0], [1, 0], [1, 1]]), "uvs-overlap")],
    ids=["no area", "every face over the whole picture"],
)
def test_uvs_of_no_use_are_named(ball: Snapshot, corners: NDArray[np.floating], code: str) -> None:
    target = replace(ball, uvs=np.broadcast_to(corners, (len(ball.faces), 3, 2)).astype(np.float32))
    with pytest.raises(InputError) as failure:
        one([Picture(np.ones((2, 2, 4), np.float32))], [Channel({0: Source((0,))})], ball, target, Layout(16, 0))
    assert failure.value.code == code


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (3, 7)])
def test_pictures_of_any_shape(ball: Snapshot, shape: tuple[int, int]) -> None:
    picture = np.full((*shape, 4), 0.5, np.float32)
    baked = one([Picture(picture)], [Channel({0: Source((0,))}, 4, 32)], ball, unfolded(ball), Layout(200, 0))
    covered = texel_map(unfolded(ball).uvs, 200).covered
    np.testing.assert_allclose(baked.pictures[0][covered], 0.5, atol=1e-6)


def test_kin_that_is_kept_gives_the_same(ball: Snapshot) -> None:
    """Another threshold, margin and channel with the texels' kin of the last bake, as without."""
    target = unfolded(ball)
    found = known_map(ball, target)
    assert ball.uvs is not None
    pictures = [Picture(quantised(painted(ball, 64), 8)), Picture(quantised(painted(ball, 32)[..., :1], 16))]
    memory: dict[object, object] = {}
    first, second = Channel({0: Source((0,))}), Channel({0: Source((1,))}, 1, 16)
    list(bake(pictures, [ball.uvs], [first], ball, target, found, Layout(128, 2), memory=memory))
    assert memory
    layout = Layout(128, 4, None, 0.95)
    (kept,) = bake(pictures, [ball.uvs], [first, second], ball, target, found, layout, memory=memory)
    (fresh,) = bake(pictures, [ball.uvs], [first, second], ball, target, found, layout)
    for one_, other in zip(kept.pictures, fresh.pictures, strict=True):
        np.testing.assert_array_equal(one_, other)
    np.testing.assert_array_equal(kept.filled, fresh.filled)


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


def test_noise_goes_on_over_seams(ball: Snapshot) -> None:
    """A picture of noise: no step shows where the target's strips meet."""
    target, strip = strips(ball, 0)
    picture = np.random.default_rng(0).integers(0, 256, (100, 100, 1), dtype=np.uint8)
    baked = one([Picture(picture)], [Channel({0: Source((0,))}, 1)], ball, target, Layout(512, 8))
    steps = seam_steps(target, baked.pictures[0] / np.float32(255))
    across = opposite(target.faces)
    row, side = np.nonzero(across >= 0)
    seam = np.tile(np.abs(strip[row] - strip[across[row, side]]) == 1, 3)  # 0 and 3 meet at the source's own
    assert seam.sum() > 300
    assert np.quantile(steps[seam], 0.98) < 2 / 255


def both_sides(target: Snapshot, tiles: dict[tuple[int, int], Array]) -> tuple[Array, Array, Array]:
    """What shows on the two sides all along each edge that a layout cuts, eight places to a texel, as a renderer shows
    it: (2, N, C), with the triangles (2, N) and the places in them (2, N, 3).

    Pictures by tile, (S, S, C) float; their borders go on outside.
    """
    assert target.uvs is not None
    size = next(iter(tiles.values())).shape[0]
    place = places(target.vertices)
    sides = np.stack(cuts(place[target.faces], uv_corners(place, target.faces, target.uvs)))
    uvs = target.uvs.astype(float).reshape(-1, 2)
    start, end = uvs[[sides[0], following(sides[1])]], uvs[[following(sides[0]), sides[1]]]
    count = np.maximum(np.ceil(8 * size * np.linalg.norm(end - start, axis=2).max(axis=0)), 1).astype(int)
    edge, along = spaced(count)
    shown = []
    for side in (0, 1):
        spots = start[side, edge] + along[:, None] * (end - start)[side, edge]
        tile = np.floor(target.uvs.mean(axis=1)).astype(int)[sides[side, edge] // 3]
        look = np.zeros((len(spots), next(iter(tiles.values())).shape[2]), np.float32)
        for corner, picture in tiles.items():
            here = (tile == corner).all(axis=1)
            wide = np.pad(picture, ((1, 1), (1, 1), (0, 0)), mode="edge")
            look[here] = sample(wide, ((spots[here] - corner) * size + 1) / (size + 2))
        shown.append(look)
    return np.stack(shown), sides[:, edge] // 3, on_edges(sides[:, edge], along)


def all_steps(target: Snapshot, tiles: dict[tuple[int, int], Array]) -> Array:
    """The steps all along each edge that a layout cuts."""
    one_side, other, *_ = both_sides(target, tiles)[0]
    return np.abs(one_side - other).max(axis=1)


@pytest.mark.parametrize(
    ("coarse", "size", "depth"), [(True, 128, 8), (True, 400, 8), (False, 300, 16), (False, 400, 8), (False, 640, 32)]
)
def test_no_step_where_seams_cross(ball: Snapshot, coarse: bool, size: int, depth: int) -> None:
    """A picture of full contrast in strips that run across the target's: no step, not even where islands of the
    source meet."""
    if coarse:
        ball = shapes.bumpy(shapes.sphere(16, 8))
        ball = replace(ball, uvs=(ball.uvs * 0.96 + 0.02).astype(np.float32))
    source, _ = strips(ball, 0)
    target, _ = strips(ball, 1)
    picture = quantised(painted(source, size), depth)
    baked = one([Picture(picture)], [Channel({0: Source((0,))}, 4, depth)], source, target, Layout(size, 8))
    shown = real(baked.pictures[0])
    assert all_steps(target, {(0, 0): shown}).max() < 2 / 255
    covered = texel_map(target.uvs, size).covered
    assert psnr(shown[covered], solid(places_of(target, texel_map(target.uvs, size)))) > (38 if size == 128 else 46)


def test_no_light_is_brighter_or_darker_than_the_sources() -> None:
    """Seams of a picture without limits, whose light goes to 8, are joined within what it has."""
    ball = shapes.bumpy(shapes.sphere(16, 8))
    ball = replace(ball, uvs=(ball.uvs * 0.96 + 0.02).astype(np.float32))
    (source, _), (target, _) = strips(ball, 0), strips(ball, 1)
    picture = painted(source, 128) * 8
    baked = one([Picture(picture)], [Channel({0: Source((0,))}, 4, 32)], source, target, Layout(128, 8))
    assert baked.pictures[0].min() >= 0
    assert baked.pictures[0].max() <= picture.max()


def test_no_step_from_tile_to_tile(ball: Snapshot) -> None:
    """A layout whose strips lie in two tiles: their seams are joined as those within a tile."""
    target, strip = strips(ball, 1)
    assert target.uvs is not None
    apart = target.uvs + (strip % 2)[:, None, None] * np.array([1, 0])
    target = replace(target, uvs=apart.astype(np.float32))
    assert ball.uvs is not None
    pictures = [Picture(quantised(painted(ball, 500), 8))]
    layout = Layout(500, 8, ((0, 0), (1, 0)))
    channels = [Channel({0: Source((0,))})]
    found = list(bake(pictures, [ball.uvs], channels, ball, target, known_map(ball, target), layout))
    assert [baked.tile for baked in found] == [(0, 0), (1, 0)]
    tiles = {baked.tile: real(baked.pictures[0]) for baked in found}
    assert all_steps(target, tiles).max() < 2 / 255


@pytest.mark.parametrize(("size", "depth"), [(512, 8), (800, 16)])
def test_no_step_of_a_normal_map_where_seams_cross(ball: Snapshot, size: int, depth: int) -> None:
    """A relief in strips that run across the target's: both sides of each seam face the same way in space, the true
    one."""
    (source, _), (target, _) = strips(rounded(ball), 0), strips(rounded(ball), 1)
    picture = Picture(relief(source, 1024, depth))
    channel = Channel({0: Source((0,))}, 3, depth, normal=True)
    baked = one([picture], [channel], source, target, Layout(size, 8))
    shown, face, weights = both_sides(target, {(0, 0): real(baked.pictures[0])})
    found = [unit(np.einsum("nij,nj->ni", frames(target, face[k], weights[k]), shown[k] * 2 - 1)) for k in (0, 1)]
    assert degrees(*found).max() < 1
    away = degrees(found[0], bumps(target, face[0], weights[0]))
    assert np.quantile(away, 0.99) < 2
    _, inside = world_normals(target, real(baked.pictures[0]))
    texels = texel_map(target.uvs, size)
    truth = bumps(target, texels.face[texels.covered], texels.barycentric[texels.covered])
    assert np.quantile(degrees(inside, truth), 0.99) < 2


def test_a_normal_map_is_filled_in_over_the_surface(ball: Snapshot) -> None:
    """What is filled in leans as what is around it, however each triangle lies in the layout."""
    source, target = rounded(ball), rounded(unfolded(ball))
    where = np.linalg.norm(ball.vertices - ball.vertices[400], axis=1) < 0.25
    match = broken(known_map(source, target), where, ball)
    channel = Channel({0: Source((0,))}, 3, 8, normal=True)
    baked = one([Picture(relief(source, 512))], [channel], source, target, Layout(600, 2, None, 0.3), match)
    _, found = world_normals(target, real(baked.pictures[0]))
    texels = texel_map(target.uvs, 600)
    face = texels.face[texels.covered]
    filled = baked.filled[texels.covered] == 255
    assert filled.sum() > 1000
    away = degrees(found, bumps(target, face, texels.barycentric[texels.covered]))[filled]
    assert np.quantile(away, 0.9) < 12


def test_hard_edges_stay_under_a_normal_map() -> None:
    """A flat normal map on a cube, whose sides meet at seams: it stays flat."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    quads = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    cube = shapes.snapshot(corners, faces, split(12, 0.3))
    flat = np.full((64, 64, 3), (128, 128, 255), np.uint8)
    channel = Channel({0: Source((0,))}, 3, normal=True)
    target = replace(cube, uvs=split(12, 0.3)[::-1].astype(np.float32))
    baked = one([Picture(flat)], [channel], cube, target, Layout(256, 8))
    covered = texel_map(target.uvs, 256).covered
    assert (np.abs(baked.pictures[0][covered].astype(int) - (128, 128, 255)) <= 1).all()


def test_a_picture_repeated_by_each_face(ball: Snapshot) -> None:
    """Every triangle of the source has the whole picture: thousands of layers are sampled as quickly as one."""
    corners = np.array([[0.0, 0], [1, 0], [0, 1]])
    source = replace(ball, uvs=np.repeat(corners[None], len(ball.faces), axis=0).astype(np.float32))
    row, column = np.mgrid[:256, :256]
    picture = np.stack([row, column], axis=2).astype(np.uint8)
    target = unfolded(ball)
    baked = one([Picture(picture)], [Channel({0: Source((0,))}, 2)], source, target, Layout(512, 0))
    texels = texel_map(target.uvs, 512)
    inside = texels.covered & (texels.barycentric.min(axis=2) > 0.05)
    weights = texels.barycentric[inside]
    expected = np.stack([(1 - weights[:, 2]) * 256 - 0.5, weights[:, 1] * 256 - 0.5], axis=1)
    assert np.quantile(np.abs(baked.pictures[0][inside] - expected), 0.99) < 16  # a texel of the target spans that many


def test_a_border_of_the_source_is_no_step_to_take_away(ball: Snapshot) -> None:
    """Where the source's two sides differ, along the very seam of the target: they stay as they are."""
    assert ball.uvs is not None
    picture = np.zeros((256, 256, 1), np.uint8)
    picture[:, 128:] = 200
    baked = one([Picture(picture)], [Channel({0: Source((0,))}, 1)], ball, ball, Layout(256, 8))
    covered = texel_map(ball.uvs, 256).covered
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
    picture = quantised(painted(cube, 512), 8)
    baked = one([Picture(picture)], [Channel({0: Source((0,))})], cube, target, Layout(512, 8))
    texels = texel_map(target.uvs, 512)
    truth = solid(places_of(target, texels))
    assert np.abs(baked.pictures[0][texels.covered] / 255 - truth).max() < 0.05
    assert all_steps(target, {(0, 0): real(baked.pictures[0])}).max() < 2 / 255


def test_no_bleeding_where_seams_cross(ball: Snapshot) -> None:
    """The source's strips, each of one colour, run across the target's: no texel has a mixed colour."""
    source, strip = strips(ball, 0)
    target, _ = strips(ball, 1)
    colours = np.array([[250, 10, 10], [10, 250, 10], [10, 10, 250], [250, 250, 10]], np.uint8)
    laid = texel_map(source.uvs, 256)
    picture = np.zeros((256, 256, 3), np.uint8)
    picture[laid.covered] = colours[strip[laid.face[laid.covered]]]
    match = known_map(source, target)
    baked = one([Picture(picture)], [Channel({0: Source((0,))}, 3)], source, target, Layout(300, 8), match)
    kin = Carrier(source, target, match.to_source).texels(texel_map(target.uvs, 300))
    found = baked.pictures[0].reshape(-1, 3)[kin.texel].astype(int)
    assert (np.abs(found - colours[strip[kin.face]]).max(axis=1) <= 2).all()
