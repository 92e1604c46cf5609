"""Matches must not get worse: the error of each is at most a tenth above the one that was recorded.

Errors are mean geodesic distances from where some vertices of the target should be on the source, in hundredths of the
square root of the source's area. They were recorded by this very test with version 0.1.0 on Python 3.11; the full
figures are in ``tests/benchmarks/results/correspondence.txt``. A match that gets clearly better: record its new error.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree

import bodies as demo
import correspondence_sets
import measures
import skeleton
from helpers.places import DATA
from meshkin.data.recipe import FeatureChoice
from meshkin.data.snapshot import Snapshot
from meshkin.matching.shapes import match_shapes
from surface import blend

WORSE = 1.1
"""A match may be so many times worse than recorded."""
ASKED = 150
"""Vertices of the target whose error is measured, evenly picked."""


def error(source: Snapshot, target: Snapshot, truth: NDArray[np.integer], features: str | FeatureChoice) -> float:
    """The mean error of a match; ``truth`` (V,) is the right source vertex of each target vertex, -1 for unknown.

    The target's vertices get other numbers, by which those of one base mesh would be known.
    """
    order = np.random.default_rng(0).permutation(len(target.vertices))
    truth = truth[order]
    target = Snapshot.from_arrays(target.vertices[order], np.argsort(order)[target.faces])
    match = match_shapes(source, target, features, device="cpu")
    known = np.flatnonzero(truth >= 0)
    asked = known[np.linspace(0, len(known) - 1, ASKED).astype(int)]
    distances = measures.geodesics(source.vertices, source.faces, truth[asked])
    return float(distances[np.arange(len(asked)), match.to_source.vertex[asked]].mean())


@pytest.mark.skipif(not DATA.is_dir(), reason="the scans are not here (MESHKIN_TEST_DATA names their folder)")
@pytest.mark.parametrize(
    ("names", "recorded"), [(("cat0", "cat1"), 1.63), (("michael1", "michael4"), 0.67), (("dog0", "dog1"), 1.23)]
)
def test_one_body_in_two_poses(names: tuple[str, str], recorded: float) -> None:
    shapes, pairs = correspondence_sets.tosca(DATA)
    pair = next(pair for pair in pairs if (pair.source, pair.target) == names)
    source, target = shapes[pair.source], shapes[pair.target]
    assert isinstance(source, Snapshot)
    assert isinstance(target, Snapshot)
    assert pair.truth is not None
    assert error(source, target, pair.truth, "geometric") <= WORSE * recorded


@pytest.mark.parametrize(("features", "recorded"), [("geometric", 0.76), (FeatureChoice("auto", views=8), 0.81)])
def test_two_people_in_two_poses(features: str | FeatureChoice, recorded: float) -> None:
    anny = demo.Anny()
    rest = anny.body(demo.Look("rest", {"gender": 0.5, "age": 0.66}, "anny", {})).rest
    woman = {"gender": 0.0, "age": 0.6, "muscle": 0.4, "weight": 0.3, "height": 0.5, "proportions": 0.7}
    man = {"gender": 1.0, "age": 0.9, "muscle": 0.5, "weight": 0.8, "height": 0.6, "proportions": 0.4}
    bent = skeleton.mirrored({"upperarm01.L": (0, -30, 0), "lowerarm01.L": (30, 0, 0)})
    bodies = [anny.body(demo.Look("", woman, "anny", {})), anny.body(demo.Look("", man, "anny", bent))]
    shapes, places = [], []
    for body in bodies:
        faces, _, corners, shares = demo.TOPOLOGIES["decimated"](anny, body)
        shapes.append(Snapshot.from_arrays(blend(body.posed, corners, shares), faces))
        places.append(blend(rest, corners, shares))
    truth = cKDTree(places[0]).query(places[1])[1]
    source, target = shapes
    assert error(source, target, truth, features) <= WORSE * recorded
