"""Parts: found from features, with borders in creases, as many as one wants."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from helpers import shapes
from helpers.beasts import LIMBS, beast
from meshkin.base.progress import silent
from meshkin.data.snapshot import Snapshot
from meshkin.features.extractors.geometric import signatures
from meshkin.geometry.arrays import AnyIntegers, Floats, Integers, unit_rows
from meshkin.parts import borders
from meshkin.parts.borders import straightened
from meshkin.parts.cleaning import cleaned
from meshkin.parts.clustering import face_rows, labeled_prototypes, soft_labels
from meshkin.parts.face_graph import FaceGraph
from meshkin.parts.finding import Parts, part_names
from meshkin.parts.prepared import PreparedShape
from meshkin.parts.tree import TreeSettings, part_tree

SHAPE, PLACES, FEATURES = beast(48, 0.2, 0.05)
OTHER, OTHER_PLACES, OTHER_FEATURES = beast(40, -0.3, 0.05)
GRAPH = FaceGraph.of(SHAPE.vertices, SHAPE.faces)


def true_parts(places: Floats, faces: AnyIntegers) -> Integers:
    """Trunk, head, arms, legs of a beast's faces: left and right are one."""
    middles = unit_rows(places[faces].mean(axis=1))
    cosines = middles @ unit_rows(np.array(LIMBS)).T
    limb = cosines.argmax(axis=1)
    return np.where(cosines.max(axis=1) > 0.85, np.array([1, 2, 2, 3, 3])[limb], 0)


def same_share(labels: Integers, truth: Integers, areas: Floats) -> float:
    """The share of the area with the right label, each label standing for one part at most."""
    table = np.zeros((labels.max() + 1, truth.max() + 1))
    np.add.at(table, (labels, truth), areas)
    return float(table[linear_sum_assignment(-table)].sum() / areas.sum())


def dumbbell(columns: int, rows: int) -> tuple[Floats, AnyIntegers]:
    """Two balls with a neck between them at height 0."""
    ball = shapes.sphere(columns, rows)
    x, y, z = ball.vertices.astype(float).T
    radius = 0.25 + 0.75 * np.abs(z) ** 0.7
    places: Floats = np.column_stack((x * radius, y * radius, 2 * z))
    return places, ball.faces


def test_labels_are_carried_by_what_they_are_like() -> None:
    truth, other_truth = true_parts(PLACES, SHAPE.faces), true_parts(OTHER_PLACES, OTHER.faces)
    graph = FaceGraph.of(OTHER.vertices, OTHER.faces)
    known = labeled_prototypes(face_rows(FEATURES, SHAPE.faces), GRAPH.areas, truth)
    shares = soft_labels(face_rows(OTHER_FEATURES, OTHER.faces), known)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    raw = (shares.argmax(axis=1) == other_truth) @ graph.areas
    smooth = (straightened(shares, graph) == other_truth) @ graph.areas
    assert raw > 0.85
    assert smooth >= raw - 0.01


@pytest.mark.parametrize("with_cuts", [True, False])
def test_noise_is_evened_out(with_cuts: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PyMaxflow, too."""
    if not with_cuts:
        monkeypatch.setattr(borders, "maxflow", None)
    truth = true_parts(PLACES, SHAPE.faces)
    noisy = np.eye(4)[truth] * 0.2 + np.random.default_rng(0).dirichlet(np.ones(4), len(truth)) * 0.8
    before, after = (labels == truth for labels in (noisy.argmax(axis=1), straightened(noisy, GRAPH)))
    assert before @ GRAPH.areas < 0.9
    assert after @ GRAPH.areas > (0.97 if with_cuts else 0.96)
    np.testing.assert_array_equal(straightened(noisy, GRAPH, 0), noisy.argmax(axis=1))


@pytest.mark.parametrize("with_cuts", [True, False])
@pytest.mark.parametrize("middle", [-0.4, 0.4])
def test_borders_lie_in_creases(middle: float, with_cuts: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shares change slowly, about a place beside the neck. Evened out without PyMaxflow, a border moves that way."""
    if not with_cuts:
        monkeypatch.setattr(borders, "maxflow", None)
    vertices, faces = dumbbell(48, 48)
    height = vertices[faces].mean(axis=1)[:, 2]
    upper = 1 / (1 + np.exp(-2 * (height - middle)))
    labels = straightened(np.stack((1 - upper, upper), axis=1), FaceGraph.of(vertices, faces), 2)
    assert set(labels) == {0, 1}
    near = 0.15 if with_cuts else 0.35
    assert np.abs(height[labels == 1].min()) < near
    assert np.abs(height[labels == 0].max()) < near


def test_a_tree_has_every_number_of_parts() -> None:
    truth = true_parts(PLACES, SHAPE.faces)
    rows = np.eye(4)[truth] + np.random.default_rng(0).normal(0, 0.05, (len(truth), 4))
    tree = part_tree(rows, SHAPE.vertices, SHAPE.faces, GRAPH, TreeSettings(patches=5000))
    assert tree.automatic() == 6  # trunk, head, two arms, two legs
    assert same_share(np.array([0, 1, 2, 3, 2, 3])[_by_truth(tree.cut(6), truth)], truth, GRAPH.areas) > 0.99
    for count in (1, 2, 5, 20):
        labels, finer = tree.cut(count), tree.cut(count + 1)
        assert labels.max() + 1 == count
        assert all(len(set(labels[finer == part])) == 1 for part in range(count + 1))


def _by_truth(labels: Integers, truth: Integers) -> Integers:
    """Labels numbered so that number N of trunk, head, arm, leg, arm, leg is the N-th of its kind."""
    places = {0: [0], 1: [1], 2: [2, 4], 3: [3, 5]}
    number = np.zeros(labels.max() + 1, np.int64)
    for label in range(len(number)):
        number[label] = places[int(np.bincount(truth[labels == label]).argmax())].pop(0)
    return number[labels]


def test_patches_make_large_meshes_quick_and_hardly_change_parts() -> None:
    shape, places, _ = beast(96, 0.2, 0)
    truth = true_parts(places, shape.faces)
    graph = FaceGraph.of(shape.vertices, shape.faces)
    tree = part_tree(np.eye(4)[truth], shape.vertices, shape.faces, graph)
    assert tree.patches < 2500 < len(shape.faces)
    found = np.array([0, 1, 2, 3, 2, 3])[_by_truth(tree.cut(6), truth)]
    assert same_share(found, truth, graph.areas) > 0.95


def test_what_is_small_joins_what_it_touches() -> None:
    ball = shapes.sphere(8, 6)
    vertices, faces = shapes.joined(dumbbell(32, 32), (0.05 * ball.vertices + (0, 0, 3), ball.faces))
    graph = FaceGraph.of(vertices, faces)
    height = vertices[faces].mean(axis=1)[:, 2]
    labels = np.where(height > 2.5, 2, np.where(height > 0, 1, 0))
    spotted = labels.copy()
    spotted[[100, 101, 700]] = 3
    np.testing.assert_array_equal(cleaned(spotted, graph), labels)  # the small ball touches nothing and stays


def wagon() -> Snapshot:
    """A body that is higher behind, and four wheels, all loose; it goes along X, as no character stands."""
    ball = shapes.sphere(24, 16)
    x, y, z = ball.vertices.T
    pieces = [np.column_stack((2 * x, 0.6 * y, 0.4 * z * (1 + 0.5 * x)))]
    wheel = np.column_stack((0.3 * x, 0.08 * y, 0.3 * z))
    pieces += [np.add(wheel, (along, side, -0.4)) for along in (-1.1, 1.2) for side in (-0.7, 0.7)]
    count = len(ball.vertices)
    faces = np.concatenate([ball.faces + count * number for number in range(len(pieces))])
    return shapes.snapshot(np.concatenate(pieces), faces)


def test_wheels_are_named_by_their_sides() -> None:
    shape = wagon()
    ready = PreparedShape.of(shape, signatures.describe(shape, silent), lambda share: None)
    assert ready.twin is not None
    labels = ready.loose - ready.loose.min()
    names = part_names(ready, Parts(labels, np.ones(len(labels), np.float32), 5))
    middles = shape.vertices[shape.faces].mean(axis=1)
    places = {name: middles[labels == label].mean(axis=0) for label, name in enumerate(names)}
    left = {name: place for name, place in places.items() if name.endswith(".L")}
    assert len(left) == 2
    for name, place in left.items():
        np.testing.assert_allclose(places[name[:-1] + "R"], place * (1, -1, 1), atol=1e-4)
        assert place[1] > 0.5
