"""A transfer of skinning weights from start to end: which method is taken, and what is said about the result."""

from __future__ import annotations

import numpy as np
import pytest

from helpers import shapes
from helpers.figures import Figure
from helpers.textured import known_map
from meshkin.base.sides import mirror_indices
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import SurfaceMap
from meshkin.transfer.weights import transfer
from meshkin.transfer.weights.garments import is_garment
from meshkin.transfer.weights.groups import WeightedMesh, stack_meshes
from meshkin.transfer.weights.options import WeightMethod, WeightOptions
from meshkin.transfer.weights.transfer import FeaturePair, VertexGroups, transfer_loose_parts, transfer_weights

FIGURE = Figure()
BODY, OTHER = FIGURE.body(50), FIGURE.body(44, 0.3)
NAMES = FIGURE.names
GROUPS = VertexGroups(FIGURE.weights(BODY.vertices.astype(np.float64)), np.array(mirror_indices(NAMES)))
TRUTH = FIGURE.weights(OTHER.vertices.astype(np.float64))
TO_SOURCE = known_map(BODY, OTHER).to_source


def load_features() -> FeaturePair:
    """Features that say the bone, between many that say nothing: learned weights do better than copied ones."""
    generator = np.random.default_rng(0)
    hints = 2 * generator.standard_normal((len(NAMES), 24))
    noise = [2 * generator.standard_normal((len(shape.vertices), 40)) for shape in (BODY, OTHER)]
    source, target = np.hstack((GROUPS.weights @ hints, noise[0])), np.hstack((TRUTH @ hints, noise[1]))
    return FeaturePair(source.astype(np.float32), target.astype(np.float32))


def no_features() -> FeaturePair:
    raise AssertionError("features are not needed")


def test_through_a_good_map() -> None:
    result = transfer_weights(GROUPS, BODY, OTHER, TO_SOURCE, WeightOptions(limit=3), no_features)
    assert np.abs(result.weights - TRUTH).sum(axis=1).mean() < 0.03
    assert ((result.weights > 0).sum(axis=1) <= 3).all()
    assert not result.learned
    assert result.comparison is None
    problems = result.problems
    assert not any(len(bones) for bones in (problems.missing, problems.split, problems.crossed))
    assert problems.missing_share == 0


def test_onto_a_garment_without_a_map() -> None:
    suit, truth = FIGURE.clothes(0.02, 50)
    result = transfer_weights(GROUPS, BODY, suit, None, load_features=no_features)
    assert np.abs(result.weights - truth).sum(axis=1).mean() < 0.05
    assert not result.learned


def doubled(shape: Snapshot, gap: float = 0.0) -> tuple[Snapshot, shapes.Array]:
    """A shape whose faces are there twice, the second time flipped and in another order, perhaps a little lower; and
    the vertex of the shape that each comes from."""
    generator = np.random.default_rng(3)
    order = generator.permutation(len(shape.vertices))
    flipped = np.argsort(order)[shape.faces[generator.permutation(len(shape.faces)), ::-1]]
    lower = shape.vertices[order] - (0, 0, gap)
    vertices, faces = shapes.joined((shape.vertices, shape.faces), (lower, flipped))
    return shapes.snapshot(vertices, faces), np.append(np.arange(len(order)), order)


def mean_error(weights: shapes.Array, truth: shapes.Array) -> float:
    return float(np.abs(weights - truth).sum(axis=1).mean())


@pytest.mark.parametrize("gap", [0.0, 1e-7])
def test_cloth_of_two_sides_has_the_weights_of_one(gap: float) -> None:
    """Game clothes are double-sided: their faces are doubled and flipped in place."""
    suit, truth = FIGURE.clothes(0.02, 50)
    two_sided, origin = doubled(suit, gap)
    assert is_garment(BODY, two_sided)
    one, two = (transfer_weights(GROUPS, BODY, cloth, None).weights for cloth in (suit, two_sided))
    assert mean_error(two, truth[origin]) < mean_error(one, truth) + 0.01
    upper, lower = two[: len(truth)], two[len(truth) :]
    assert mean_error(lower, upper[origin[len(truth) :]]) < 0.01


def test_a_body_of_two_sides_has_the_weights_of_one() -> None:
    """Through a map, which only one of two flipped faces can agree with."""
    two_sided, origin = doubled(OTHER)
    result = transfer_weights(GROUPS, BODY, two_sided, TO_SOURCE.at(origin))
    assert not result.inpainted.any()
    assert mean_error(result.weights, TRUTH[origin]) < 0.03


@pytest.mark.parametrize("gap", [1e-5, 2e-3])
def test_borders_a_hair_apart_move_together(gap: float) -> None:
    """A body cut into many pieces, each a little smaller than it was, small ones of two bones among them."""
    middles = OTHER.vertices[OTHER.faces].mean(axis=1)
    seeds = middles[np.random.default_rng(0).choice(len(middles), 60, replace=False)]
    piece = np.linalg.norm(middles[:, None] - seeds, axis=2).argmin(axis=1)
    parts, origins = [], []
    for number in range(60):
        used, corners = np.unique(OTHER.faces[piece == number], return_inverse=True)
        points = OTHER.vertices[used]
        inward = points.mean(axis=0) - points
        inward /= np.maximum(np.linalg.norm(inward, axis=1, keepdims=True), 1e-9)
        parts.append((points + gap / 2 * inward, corners.reshape(-1, 3)))
        origins.append(used)
    cut, origin = shapes.snapshot(*shapes.joined(*parts)), np.concatenate(origins)
    carried = transfer_weights(GROUPS, BODY, cut, TO_SOURCE.at(origin)).weights
    assert mean_error(carried, TRUTH[origin]) < 0.03
    order = np.argsort(origin, kind="stable")
    seam = np.flatnonzero(np.diff(origin[order]) == 0)
    steps = np.abs(carried[order[seam]] - carried[order[seam + 1]]).sum(axis=1)
    assert (steps > 0.5).mean() < 0.01


def shells(stretch: float) -> tuple[Snapshot, shapes.Array]:
    """Two sheets that nearly touch, as a mannequin's limbs do, each with a bone of its own."""
    left, faces = shapes.sheet(15)
    vertices, faces = shapes.joined((left, faces), (left + np.array([2.001, 0, 0]), faces))
    return shapes.snapshot(vertices * (1, stretch, 1), faces), np.repeat(np.eye(2), len(left), axis=0)


def test_shells_that_nearly_touch_keep_their_own_bones() -> None:
    (source, weights), (target, truth) = shells(1.0), shells(1.3)
    groups = VertexGroups(weights, np.full(2, -1))
    carried = transfer_weights(groups, source, target, known_map(source, target).to_source).weights
    assert np.abs(carried - truth).max() < 1e-5


@pytest.fixture
def lost_map(monkeypatch: pytest.MonkeyPatch) -> SurfaceMap:
    """A map that leads anywhere, most of which is inpainted."""
    monkeypatch.setattr(transfer, "DOUBTFUL", 0.3)
    face = np.random.default_rng(1).integers(0, len(BODY.faces), len(OTHER.vertices)).astype(np.int32)
    return SurfaceMap(face, TO_SOURCE.barycentric, BODY.faces[face, 0], TO_SOURCE.confidence)


@pytest.mark.parametrize("method", ["features", "auto"])
def test_learned_where_the_map_is_mostly_inpainted(method: WeightMethod, lost_map: SurfaceMap) -> None:
    """With "auto" because learned weights do better on the source."""
    result = transfer_weights(GROUPS, BODY, OTHER, lost_map, WeightOptions(method=method), load_features)
    assert result.learned
    assert result.comparison is not None
    assert result.comparison.learned_better
    assert not result.inpainted.any()
    assert np.abs(result.weights - TRUTH).sum(axis=1).mean() < 0.5


def test_never_learned_if_the_map_is_asked_for(lost_map: SurfaceMap) -> None:
    result = transfer_weights(GROUPS, BODY, OTHER, lost_map, WeightOptions(method="map"), no_features)
    assert not result.learned
    assert result.comparison is None
    assert result.inpainted.mean() > 0.3


def test_features_are_learned_from_only_if_there_are_any() -> None:
    result = transfer_weights(GROUPS, BODY, OTHER, TO_SOURCE, WeightOptions(method="features"))
    assert not result.learned


def test_problems_are_found() -> None:
    """A map that takes the head for a piece of the trunk: on the target the head's bone is missing."""
    face = TO_SOURCE.face.copy()
    trunk = (GROUPS.weights[BODY.faces].argmax(axis=2) == NAMES.index("spine")).all(axis=1)
    face[TRUTH[:, NAMES.index("head")] > 0.4] = np.flatnonzero(trunk)[0]
    to_source = SurfaceMap(face, TO_SOURCE.barycentric, BODY.faces[face, 0], TO_SOURCE.confidence)
    result = transfer_weights(GROUPS, BODY, OTHER, to_source)
    assert [NAMES[bone] for bone in result.problems.missing] == ["head"]


BALL = shapes.sphere(12, 8)
EYES = np.array([(-0.025, -0.06, 0.93), (0.025, -0.06, 0.93)])


def eyes(shift: float, radius: float) -> Snapshot:
    """Two balls in front of the figure's head, as one mesh."""
    vertices = np.concatenate([radius * BALL.vertices + eye + (0, 0, shift) for eye in EYES])
    return shapes.snapshot(vertices, np.concatenate((BALL.faces, BALL.faces + len(BALL.vertices))))


def test_eyes_take_the_bones_of_the_source_s_eyes() -> None:
    """Eyes a little higher and larger than the source's, each with a bone that moves nothing else."""
    count = len(BALL.vertices)
    eye_weights = np.repeat(np.eye(2), count, axis=0)
    meshes, names = stack_meshes(
        [WeightedMesh(BODY, NAMES, GROUPS.weights), WeightedMesh(eyes(0, 0.012), ["eye.R", "eye.L"], eye_weights)]
    )
    rows = np.zeros((2 * count, len(NAMES)), np.float32)
    rows[:, NAMES.index("head")] = 1
    result = transfer_loose_parts(rows, eyes(0.003, 0.014), OTHER, BODY, TO_SOURCE, meshes)
    assert result.matched.all()
    assert names[-2:] == ["eye.R", "eye.L"]
    np.testing.assert_array_equal(result.weights[:, -2:], eye_weights)


def test_parts_without_a_counterpart_keep_their_weights() -> None:
    meshes, _ = stack_meshes([WeightedMesh(BODY, NAMES, GROUPS.weights)])
    rows = np.zeros((2 * len(BALL.vertices), len(NAMES)), np.float32)
    rows[:, NAMES.index("head")] = 1
    result = transfer_loose_parts(rows, eyes(0, 0.012), OTHER, BODY, TO_SOURCE, meshes)
    assert not result.matched.any()
    np.testing.assert_array_equal(result.weights, rows)


def test_a_mesh_beside_the_body_takes_the_nearest_weights_there() -> None:
    """Armor that does not lie on the body, and that the source does not have."""
    armor = shapes.snapshot(0.05 * BALL.vertices + (0.9, 0, 0.9), BALL.faces)
    own = shapes.snapshot(0.4 * BALL.vertices + (0.92, 0, 0.9), BALL.faces)  # too large to correspond
    meshes, names = stack_meshes(
        [WeightedMesh(BODY, NAMES, GROUPS.weights), WeightedMesh(own, ["shield"], np.ones((len(own.vertices), 1)))]
    )
    rows = np.tile(np.eye(len(NAMES), dtype=np.float32)[0], (len(armor.vertices), 1))
    result = transfer_loose_parts(rows, armor, OTHER, BODY, TO_SOURCE, meshes)
    assert result.matched.all()
    assert (result.weights[:, names.index("shield")] == 1).all()
