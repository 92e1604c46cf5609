"""Defects of a mesh must not change its match: winding, holes, gaps, noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

import meshkin
from helpers.beasts import beast
from helpers.surfaces import assert_valid
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import Match

Array = NDArray[np.float64]
Faces = NDArray[np.integer]


@dataclass(frozen=True)
class Known:
    """A shape, and where its vertices lie on the unit sphere that it was made from."""

    shape: Snapshot
    places: Array


def known(columns: int, bend: float) -> Known:
    shape, places, _ = beast(columns, bend, 0)
    return Known(shape, places)


def of_faces(body: Known, faces: Faces, vertices: Array | None = None) -> Known:
    """A body with other faces, and maybe other places of its vertices."""
    points = body.shape.vertices if vertices is None else vertices
    used, compact = np.unique(faces, return_inverse=True)
    return Known(Snapshot.from_arrays(points[used], compact.reshape(-1, 3)), body.places[used])


def flipped(which: Callable[[Known], NDArray[np.bool_]]) -> Callable[[Known], Known]:
    def damage(body: Known) -> Known:
        faces = body.shape.faces
        return of_faces(body, np.where(which(body)[:, None], faces[:, ::-1], faces))

    return damage


def with_holes(body: Known) -> Known:
    """Three holes, on the trunk and on a limb."""
    faces = body.shape.faces
    for place in ((0.0, 0.0, 1.0), (0.3, -0.2, -0.9), (-0.7, 0.55, 0.45)):
        near = np.linalg.norm(body.places - place, axis=1) < 0.16
        faces = faces[~near[faces].any(axis=1)]
    return of_faces(body, faces)


def with_gap(body: Known) -> Known:
    """The head and one arm are cut off."""
    faces = body.shape.faces
    limbs = [np.linalg.norm(body.places - np.array(limb), axis=1) < 0.45 for limb in ((0, 0.5, 0.87), (0.8, 0.6, 0.2))]
    for inside in limbs:
        faces = faces[inside[faces].all(axis=1) | ~inside[faces].any(axis=1)]
    return of_faces(body, faces)


def noisy(body: Known) -> Known:
    vertices = body.shape.vertices.astype(float)
    noise = np.random.default_rng(0).standard_normal(vertices.shape) * 0.006 * np.linalg.norm(np.ptp(vertices, axis=0))
    return of_faces(body, body.shape.faces, vertices + noise)


FLIPPED = {
    "all": flipped(lambda body: np.ones(len(body.shape.faces), bool)),
    "half": flipped(lambda body: body.places[body.shape.faces].mean(axis=1)[:, 1] > 0),
    "random": flipped(lambda body: np.random.default_rng(0).random(len(body.shape.faces)) < 0.5),
}
HARMED = {"holes": with_holes, "gap": with_gap, "noise": noisy}


@pytest.fixture(scope="module")
def clean() -> Match:
    return meshkin.match(known(48, 0.0).shape, known(40, 0.3).shape)


@pytest.mark.parametrize("end", ["source", "target"])
@pytest.mark.parametrize("way", FLIPPED)
def test_winding_changes_nothing(way: str, end: str, clean: Match) -> None:
    source, target = known(48, 0.0), known(40, 0.3)
    if end == "source":
        source = FLIPPED[way](source)
    else:
        target = FLIPPED[way](target)
    match = meshkin.match(source.shape, target.shape)
    np.testing.assert_array_equal(match.source_faces, source.shape.faces)
    np.testing.assert_array_equal(match.target_faces, target.shape.faces)
    for maps, clean_maps, there in (
        (match.to_source, clean.to_source, source.shape),
        (match.to_target, clean.to_target, target.shape),
    ):
        unharmed = clean.source_faces if there is source.shape else clean.target_faces
        apart = maps.pull(there.vertices, there.faces) - clean_maps.pull(there.vertices, unharmed)
        # Which of two equally good answers is taken may depend on the order of a triangle's corners.
        assert np.percentile(np.linalg.norm(apart, axis=1), 95) < 0.02


@pytest.mark.parametrize("defect", HARMED)
@pytest.mark.parametrize("end", ["source", "target"])
def test_holes_gaps_and_noise_do_little_harm(defect: str, end: str) -> None:
    source, target = known(48, 0.0), known(40, 0.3)
    if end == "source":
        source = HARMED[defect](source)
    else:
        target = HARMED[defect](target)
    match = meshkin.match(source.shape, target.shape)
    assert_valid(match.to_source, len(target.shape.vertices), source.shape)
    assert_valid(match.to_target, len(source.shape.vertices), target.shape)
    error = np.linalg.norm(match.to_source.pull(source.places, source.shape.faces) - target.places, axis=1)
    assert np.median(error) < 0.1  # on the unit sphere that both were made from
    sure = match.to_source.confidence > 0.5
    assert sure.mean() > 0.5
    assert (error[sure] > 0.4).mean() < 0.03


def test_point_pairs_hold_on_a_mesh_with_holes() -> None:
    source, target = known(48, 0.0), with_holes(known(40, 0.3))
    pair = (100, 60)
    match = meshkin.match(source.shape, target.shape, pairs=[pair])
    assert match.to_source.vertex[pair[1]] == pair[0]
    assert match.to_target.vertex[pair[0]] == pair[1]
