"""The sides of a family: told by each shape's own mirror map, the same for all, known of shapes never seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from helpers.beasts import beast
from helpers.shapes import sphere
from meshkin.families.handedness import Forms
from meshkin.families.sides import SIDE_COMPONENTS, SpectralShape, common_sides, side_beside
from meshkin.families.teaching import Pupil
from meshkin.spectral import pca

BENDS = (-0.35, 0.0, 0.25)
COLUMNS = 40


def rest() -> None:
    """What is called in every round."""


def agreement(side: np.ndarray, columns: int = COLUMNS) -> float:
    """Share of the vertices off the middle whose side is the true one, or the other one if that is more: signed."""
    across = beast(columns, 0.0, 0.0)[1][:, 0]
    off = np.abs(across) > 0.3
    return float(np.mean(np.sign(side[off]) * np.sign(across[off])))


def test_all_members_have_the_same_left(pupil: Callable[..., Pupil]) -> None:
    pupils = [pupil(bend, COLUMNS) for bend in BENDS]
    components = pca.basis([each.features for each in pupils], SIDE_COMPONENTS)
    sides, reader = common_sides([SpectralShape.of(each.shape, each.features, components) for each in pupils], rest)
    found = [agreement(side) for side in sides]
    assert min(np.abs(found)) > 0.85
    assert len(set(np.sign(found))) == 1
    assert all(np.abs(side).max() <= 1 for side in sides)
    unseen = pupil(0.4, 40)
    shape = SpectralShape.of(unseen.shape, unseen.features, components)
    assert agreement(side_beside(shape, reader, rest), 40) * np.sign(found[0]) > 0.85
    assert not side_beside(shape, None, rest).any()


def test_a_shape_without_a_clear_mirror_map_has_no_sides(pupil: Callable[..., Pupil]) -> None:
    """A ball has a mirror plane in every direction; a tetrahedron has too few points to say."""
    member, ball = pupil(0.1, COLUMNS), sphere(40, 20)
    features = np.tile(ball.vertices[:, 2:], (1, member.features.shape[1])).astype(np.float32)
    small = sphere(4, 3)
    components = pca.basis([member.features], SIDE_COMPONENTS)
    shapes = [
        SpectralShape.of(member.shape, member.features, components),
        SpectralShape.of(ball, features, components),
        SpectralShape.of(small, features[: len(small.vertices)], components),
    ]
    sides, _ = common_sides(shapes, rest)
    assert sides[0].any()
    assert not sides[1].any()
    assert not sides[2].any()
    assert len(sides[2]) == len(small.vertices)


def test_a_mirror_image_reads_the_other_way_round(pupil: Callable[..., Pupil]) -> None:
    """The same points and features, with triangles that turn the other way."""
    member = pupil(0.2)
    mesh = SpectralShape.of(member.shape, member.features, pca.basis([member.features], SIDE_COMPONENTS)).mesh
    forms = Forms.of([mesh])
    rows = forms.rows(mesh)
    assert rows.std() > 0.1
    np.testing.assert_allclose(forms.rows(replace(mesh, faces=mesh.faces[:, ::-1])), -rows, atol=1e-5)
