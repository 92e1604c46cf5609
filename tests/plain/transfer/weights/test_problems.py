"""What a transfer of skinning weights lost."""

from __future__ import annotations

import numpy as np

from helpers.figures import Figure
from meshkin.base.sides import mirror_indices
from meshkin.transfer.weights.problems import find_problems

FIGURE = Figure()
BODY = FIGURE.body(60)
WEIGHTS = FIGURE.weights(BODY.vertices.astype(np.float64))
NAMES = FIGURE.names
MIRROR = np.array(mirror_indices(NAMES))


def test_a_good_transfer_has_nothing_to_say() -> None:
    suit, truth = FIGURE.clothes(0.01, 50)
    problems = find_problems(BODY, WEIGHTS, suit, truth, MIRROR)
    assert not len(problems.missing)
    assert not len(problems.split)
    assert not len(problems.crossed)


def test_lost_split_and_crossed_bones_are_named() -> None:
    number = {name: index for index, name in enumerate(NAMES)}
    lost = WEIGHTS.copy()
    lost[:, number["chest"]] += lost[:, number["head"]]
    lost[:, number["head"]] = 0
    assert [NAMES[bone] for bone in find_problems(BODY, WEIGHTS, BODY, lost, MIRROR).missing] == ["head"]
    split = WEIGHTS.copy()
    feet = (BODY.vertices[:, 2] < 0.15) & (BODY.vertices[:, 0] > 0)
    split[feet] = np.eye(len(NAMES))[number["forearm.L"]]
    assert [NAMES[bone] for bone in find_problems(BODY, WEIGHTS, BODY, split, MIRROR).split] == ["forearm.L"]
    crossed = WEIGHTS.copy()
    left, right = number["shin.L"], number["shin.R"]
    crossed[:, [left, right]] = crossed[:, [right, left]]
    assert {NAMES[bone] for bone in find_problems(BODY, WEIGHTS, BODY, crossed, MIRROR).crossed} == {"shin.L", "shin.R"}
