"""Skeletons from skinning weights."""

from __future__ import annotations

import igl
import numpy as np
import pytest

from helpers.figures import Figure
from meshkin.base.errors import InputError
from meshkin.transfer.rig.skeletons import extract_skeleton

FIGURE = Figure()
BODY = FIGURE.body(60)
WEIGHTS = FIGURE.weights(BODY.vertices.astype(np.float64))
NAMES = FIGURE.names
LINKS = {
    frozenset(pair)
    for side in (".L", ".R")
    for pair in (
        ("spine", "chest"),
        ("chest", "head"),
        ("spine", f"thigh{side}"),
        (f"thigh{side}", f"shin{side}"),
        ("chest", f"upperarm{side}"),
        (f"upperarm{side}", f"forearm{side}"),
    )
}


def test_the_figure_s_own_skeleton_is_found() -> None:
    skeleton = extract_skeleton(BODY, WEIGHTS)
    assert sorted(NAMES[column] for column in skeleton.column) == sorted(NAMES)
    links = {
        frozenset((NAMES[skeleton.column[bone]], NAMES[skeleton.column[parent]]))
        for bone, parent in enumerate(skeleton.parents)
        if parent >= 0
    }
    assert links == LINKS
    assert NAMES[skeleton.column[0]] in ("spine", "chest")
    assert (skeleton.parents[1:] < np.arange(1, len(skeleton.parents))).all()
    vertices, faces = BODY.vertices.astype(np.float64), BODY.faces.astype(np.int64)
    assert (igl.fast_winding_number(vertices, faces, skeleton.heads) > 0.5).all()
    for bone, column in enumerate(skeleton.column):
        name = NAMES[column]
        if name.startswith(("shin", "forearm")):
            head, tail, _ = FIGURE.bones[name]
            assert np.linalg.norm(skeleton.heads[bone] - head) < 0.04
            assert np.linalg.norm(skeleton.tails[bone] - tail) < 0.05


def test_weak_bones_and_islands() -> None:
    weights = np.column_stack((WEIGHTS, np.zeros(len(WEIGHTS))))
    weights[:3, -1] = 2  # three vertices are no bone
    assert len(NAMES) not in extract_skeleton(BODY, weights).column
    with pytest.raises(InputError) as raised:
        extract_skeleton(BODY, np.zeros((len(WEIGHTS), 3)))
    assert raised.value.code == "no-weights"
