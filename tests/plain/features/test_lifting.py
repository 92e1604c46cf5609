"""Lifting against ray-cast pictures in which the right answer of every pixel is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.sparse import csgraph

from helpers.rays import cast
from helpers.shapes import icosphere, joined, sheet, snapshot
from meshkin.base.errors import Cancelled
from meshkin.base.progress import ProgressCallback, silent
from meshkin.data.recipe import ViewPlacement
from meshkin.data.views import DISTANCE, Views, fibonacci_directions, frame
from meshkin.features.lifting import lift, view_weights
from meshkin.features.view_data import Grids, Lifted, SeenViews
from meshkin.geometry.adjacency import edge_graph
from meshkin.geometry.arrays import unit_rows

Array = NDArray[Any]
SeenMesh = tuple[Array, Array, Views, Array, Array]
"""Vertices and faces of a mesh, the cameras that see it, and the depth and the surface point of each pixel."""
RESOLUTION = 128


def parts_of(vertices: Array, faces: Array) -> Array:
    return csgraph.connected_components(edge_graph(vertices, faces), directed=False)[1]


def batches(maps: list[Array], dtype: torch.dtype = torch.float32, size: int = 5) -> Iterator[Grids]:
    """Maps (N, H, W, C) as batches of grids."""
    for start in range(0, len(maps[0]), size):
        numbers = list(range(start, min(start + size, len(maps[0]))))
        yield Grids(numbers, [torch.from_numpy(one[numbers]).permute(0, 3, 1, 2).to(dtype) for one in maps])


def lifted(
    vertices: Array,
    faces: Array,
    views: Views,
    depth: Array,
    maps: list[Array],
    dtype: torch.dtype = torch.float32,
    report: ProgressCallback = silent,
) -> Lifted:
    shape = replace(
        snapshot(vertices, faces), vertices=vertices, parts=parts_of(vertices, faces)
    )  # in double precision
    channels = tuple(each.shape[-1] for each in maps)
    weights = (len(maps) ** -0.5,) * len(maps)
    placement = ViewPlacement("fibonacci", len(views))
    return lift(SeenViews(shape, placement, views, depth, batches(maps, dtype), channels, weights), report)


def painted(points: Array) -> Array:
    """A smooth function on space with values that stay away from zero."""
    return np.concatenate((points, np.ones((*points.shape[:-1], 1))), axis=-1)


def seen_painting(depth: Array, point: Array) -> Array:
    return np.where(np.isfinite(depth)[..., None], painted(point), 0)


@pytest.fixture(scope="module")
def potato() -> SeenMesh:
    vertices, faces = icosphere(4)
    bumps = 1 + 0.3 * np.sin(3 * vertices[:, [0]]) * np.cos(4 * vertices[:, [1]])
    vertices = vertices * bumps * (2, 1, 1) + (5, 6, 7)
    views = frame(vertices, fibonacci_directions(14), RESOLUTION)
    depth, _, point = cast(views, vertices, faces)
    return vertices, faces, views, depth, point


def test_a_painting_is_read_back_from_its_pictures(potato: SeenMesh) -> None:
    vertices, faces, views, depth, point = potato
    centerd = seen_painting(depth, point - views.center)
    found = lifted(vertices, faces, views, depth, [centerd, centerd[..., :2] ** 2])
    expected = unit_rows(painted(vertices - views.center))
    assert (found.seen > 0).mean() > 0.999
    error = np.linalg.norm(found.features[:, :4] - expected, axis=1)
    assert np.quantile(error, 0.99) < 0.02
    assert error.mean() < 0.005
    for columns in (slice(0, 4), slice(4, 6)):
        assert np.linalg.norm(found.features[:, columns], axis=1) == pytest.approx(1, abs=1e-5)
    assert found.features.dtype == np.float32
    assert found.seen.dtype == np.int16
    assert found.confidence.dtype == np.float32
    assert found.confidence.min() > 0.5
    assert found.confidence.max() <= 1


def test_grid_cells_lie_where_the_contract_says(potato: SeenMesh) -> None:
    """A coarse grid that holds each cell's own place gives every vertex its place in the picture."""
    vertices, faces, views, depth, _ = potato
    one = replace(views, rotation=views.rotation[3:4], zoom=views.zoom[3:4], shift=views.shift[3:4])
    rows, columns = np.meshgrid((np.arange(20) + 0.5) / 20, (np.arange(30) + 0.5) / 30, indexing="ij")
    place = np.stack((columns, rows, np.ones_like(rows)), axis=-1)[None]
    found = lifted(vertices, faces, one, depth[3:4], [place])
    seen = found.seen > 0
    assert 0.2 < seen.mean() < 0.6
    read = found.features[seen, :2] / found.features[seen, 2:]
    assert read == pytest.approx(one.project(0, vertices[seen])[0] / RESOLUTION, abs=1e-5)


def test_the_order_of_views_is_irrelevant(potato: SeenMesh) -> None:
    vertices, faces, views, depth, _ = potato
    order = np.random.default_rng(0).permutation(len(views))
    shuffled = replace(views, rotation=views.rotation[order], zoom=views.zoom[order], shift=views.shift[order])
    maps = np.random.default_rng(1).normal(size=(len(views), 9, 9, 5))
    one = lifted(vertices, faces, views, depth, [maps])
    two = lifted(vertices, faces, shuffled, depth[order], [maps[order]])
    assert two.features == pytest.approx(one.features, abs=1e-4)
    assert two.confidence == pytest.approx(one.confidence, abs=1e-5)
    assert (two.seen == one.seen).all()


def test_half_precision_maps_are_summed_in_single(potato: SeenMesh) -> None:
    vertices, faces, views, depth, point = potato
    maps = [seen_painting(depth, point - views.center)]
    single = lifted(vertices, faces, views, depth, maps).features
    half = lifted(vertices, faces, views, depth, maps, torch.float16).features
    assert np.abs(half - single).max() < 2e-3


def test_disagreeing_views_lower_the_confidence(potato: SeenMesh) -> None:
    vertices, faces, views, depth, _ = potato
    agreed = np.ones((len(views), 4, 4, 8))
    random = np.random.default_rng(0).normal(size=(len(views), 1, 1, 8)) * agreed
    high = lifted(vertices, faces, views, depth, [agreed]).confidence
    low = lifted(vertices, faces, views, depth, [random]).confidence
    assert (low < high).all()
    assert low.mean() < 0.7 * high.mean()


def test_lifting_tells_its_progress_and_can_be_cancelled(potato: SeenMesh) -> None:
    vertices, faces, views, depth, _ = potato
    told: list[float] = []

    def report(stage: str, fraction: float) -> None:
        told.append(fraction)
        if fraction > 0.5:
            raise Cancelled()

    with pytest.raises(Cancelled):
        lifted(vertices, faces, views, depth, [np.ones((len(views), 2, 2, 1))], report=report)
    assert told == [5 / 14, 10 / 14]


def test_what_stands_in_front_does_not_color_what_is_behind() -> None:
    ball, sides = icosphere(4)
    plate, plate_sides = sheet(30, normal_axis=1)
    vertices, faces = joined((ball, sides), (plate - np.array((0, 1.3, 0)), plate_sides))
    views = frame(vertices, fibonacci_directions(16), RESOLUTION)
    depth, face, _ = cast(views, vertices, faces)
    owner = np.eye(2)[(face >= len(sides)).astype(int)] * (face >= 0)[..., None]
    found = lifted(vertices, faces, views, depth, [owner])
    own = found.features[np.arange(len(vertices)), (np.arange(len(vertices)) >= len(ball)).astype(int)]
    assert (own > 0.98).mean() > 0.98  # the rest lies at silhouettes, within a pixel of something else


@pytest.mark.parametrize("turned", [True, False], ids=["hollow", "nested"])
def test_a_close_sheet_underneath_sees_nothing(turned: bool) -> None:
    ball, sides = icosphere(4)
    vertices, faces = joined((ball, sides), (ball * 0.96, sides[:, ::-1] if turned else sides))
    views = frame(vertices, fibonacci_directions(16), RESOLUTION)
    depth, _, _ = cast(views, vertices, faces)
    found = lifted(vertices, faces, views, depth, [np.ones((len(views), 4, 4, 3))])
    outer, inner = found.seen[: len(ball)], found.seen[len(ball) :]
    assert (outer > 0).all()
    assert (inner == 0).all()
    assert not found.features[len(ball) :].any()
    assert not found.confidence[len(ball) :].any()


def test_a_thin_wall_keeps_its_sides_apart() -> None:
    """The blade is thinner than the depth test can tell; the winding of the body it is part of still does."""
    ball, sides = icosphere(3)
    body, body_sides = icosphere(4)
    vertices, faces = joined((ball * (1, 1, 2e-3), sides), (body * 0.4 + (1.2, 0, 0), body_sides))
    blade, upper = len(ball), (ball[:, 2] > 0.2).nonzero()[0]
    faces = np.concatenate((faces, [[0, 1, blade]]))  # one part
    views = frame(vertices, np.array([(0.1, 0, 0.995), (0.1, 0, -0.995)]), RESOLUTION)
    depth, _, _ = cast(views, vertices, faces)
    weights = view_weights(vertices, faces, parts_of(vertices, faces), views, depth)
    assert (weights[0, upper] > 0).mean() > 0.8
    assert (weights[1, upper] > 0).mean() < 0.01


def test_winding_inside_out_is_no_matter(potato: SeenMesh) -> None:
    vertices, faces, views, depth, _ = potato
    parts = np.zeros(len(vertices), np.int32)
    right = view_weights(vertices, faces, parts, views, depth)
    wrong = view_weights(vertices, faces[:, ::-1], parts, views, depth)
    assert wrong == pytest.approx(right, abs=1e-6)


def test_a_cloth_is_seen_from_both_sides() -> None:
    vertices, faces = sheet(20)
    views = frame(vertices, np.array([(0.3, 0, 0.95), (0, 0.3, -0.95)]), RESOLUTION)
    depth, _, _ = cast(views, vertices, faces)
    weights = view_weights(vertices, faces, np.zeros(len(vertices), np.int32), views, depth)
    inside = (np.abs(vertices) < 0.99).all(axis=1)
    assert weights[:, inside].min() > 0.7


def test_slopes_are_not_taken_for_hidden() -> None:
    vertices, faces = icosphere(5)
    views = frame(vertices, np.array([(0.0, -1, 0)]), RESOLUTION)
    depth, _, _ = cast(views, vertices, faces)
    weights = view_weights(vertices, faces, np.zeros(len(vertices), np.int32), views, depth)[0]
    facing = -vertices[:, 1]
    horizon = 1 / DISTANCE  # the cosine at which a sphere turns away from a camera this near
    assert (weights[facing > horizon + 0.2] > 0).all()
    assert not weights[facing < horizon - 0.05].any()


def test_broken_meshes_lift_to_finite_features() -> None:
    generator = np.random.default_rng(5)
    triangle = np.array([[0.0, 0, 0], [1, 0, 0], [0, 0, 1]])
    crumbs = (generator.normal(size=(300, 1, 3)) + 0.05 * generator.normal(size=(300, 3, 3))).reshape(-1, 3)
    meshes = {
        "one triangle": (triangle, np.array([[0, 1, 2]])),
        "zero area, repeated, loose": (
            np.concatenate((triangle, np.array([[0.5, 0, 0], [0.5, 0, 0], [3, 3, 3]]))),
            np.array([[0, 1, 2], [0, 1, 2], [0, 3, 1], [3, 4, 2], [4, 4, 4]]),
        ),
        "many parts": (crumbs, np.arange(900).reshape(-1, 3)),
    }
    for name, (vertices, faces) in meshes.items():
        views = frame(vertices[np.unique(faces)], fibonacci_directions(6), 64)
        depth, _, _ = cast(views, vertices, faces)
        maps = generator.normal(size=(6, 5, 5, 4))
        maps[0] = np.nan
        maps[1, :, :, 1] = np.inf
        found = lifted(vertices, faces, views, depth, [maps])
        assert np.isfinite(found.features).all(), name
        assert np.isfinite(found.confidence).all(), name
        assert (found.confidence >= 0).all(), name
        assert (found.confidence <= 1).all(), name
        assert found.seen.max() > 0, name


def test_nothing_seen_at_all_is_zero() -> None:
    vertices, faces = icosphere(1)
    views = frame(vertices, fibonacci_directions(4), 32)
    nothing = np.full((4, 32, 32), np.inf, np.float32)
    found = lifted(vertices, faces, views, nothing, [np.ones((4, 2, 2, 3))])
    assert not found.features.any()
    assert not found.seen.any()
    assert not found.confidence.any()
