"""Skeletons from weights, and what a transfer lost."""

from __future__ import annotations

import igl
import numpy as np
import pytest

from helpers.figures import Figure
from meshkin.base.errors import InputError
from meshkin.base.sides import other_side
from meshkin.transfer.rig.skeletons import examine, extract

FIGURE = Figure()
BODY = FIGURE.body(60)
WEIGHTS = FIGURE.weights(BODY.vertices.astype(np.float64))
NAMES = FIGURE.names
MIRROR = np.array([NAMES.index(other_side(name)) if other_side(name) != name else -1 for name in NAMES])
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
    found = extract(BODY, WEIGHTS)
    assert sorted(NAMES[one] for one in found.column) == sorted(NAMES)
    links = {
        frozenset((NAMES[found.column[bone]], NAMES[found.column[parent]]))
        for bone, parent in enumerate(found.parents)
        if parent >= 0
    }
    assert links == LINKS
    assert NAMES[found.column[0]] in ("spine", "chest")
    assert (found.parents[1:] < np.arange(1, len(found.parents))).all()
    vertices, faces = BODY.vertices.astype(np.float64), BODY.faces.astype(np.int64)
    assert (igl.fast_winding_number(vertices, faces, found.heads) > 0.5).all()
    for bone, column in enumerate(found.column):
        name = NAMES[column]
        if name.startswith(("shin", "forearm")):
            head, tail, _ = FIGURE.bones[name]
            assert np.linalg.norm(found.heads[bone] - head) < 0.04
            assert np.linalg.norm(found.tails[bone] - tail) < 0.05


def test_weak_bones_and_islands() -> None:
    weights = np.column_stack((WEIGHTS, np.zeros(len(WEIGHTS))))
    weights[:3, -1] = 2  # three vertices are no bone
    assert len(NAMES) not in extract(BODY, weights).column
    with pytest.raises(InputError) as raised:
        extract(BODY, np.zeros((len(WEIGHTS), 3)))
    assert raised.value.code == "no-weights"


def test_a_good_transfer_has_nothing_to_say() -> None:
    suit, truth = FIGURE.clothes(0.01, 50)
    found = examine(BODY, WEIGHTS, suit, truth, MIRROR)
    assert not len(found.missing)
    assert not len(found.split)
    assert not len(found.crossed)


def test_lost_split_and_crossed_bones_are_named() -> None:
    number = {name: index for index, name in enumerate(NAMES)}
    lost = WEIGHTS.copy()
    lost[:, number["chest"]] += lost[:, number["head"]]
    lost[:, number["head"]] = 0
    assert [NAMES[one] for one in examine(BODY, WEIGHTS, BODY, lost, MIRROR).missing] == ["head"]
    split = WEIGHTS.copy()
    feet = (BODY.vertices[:, 2] < 0.15) & (BODY.vertices[:, 0] > 0)
    split[feet] = np.eye(len(NAMES))[number["forearm.L"]]
    assert [NAMES[one] for one in examine(BODY, WEIGHTS, BODY, split, MIRROR).split] == ["forearm.L"]
    crossed = WEIGHTS.copy()
    one, two = number["shin.L"], number["shin.R"]
    crossed[:, [one, two]] = crossed[:, [two, one]]
    assert {NAMES[bone] for bone in examine(BODY, WEIGHTS, BODY, crossed, MIRROR).crossed} == {"shin.L", "shin.R"}
