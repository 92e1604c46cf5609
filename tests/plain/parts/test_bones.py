"""Parts by bones."""

from __future__ import annotations

import numpy as np

from meshkin.parts.bones import bones_in_parts

NAMES = ["root", "spine", "head", "arm.L", "hand.L", "finger.L", "arm.R", "hand.R", "twist.R"]
PARENTS = np.array([-1, 0, 1, 1, 3, 4, 1, 6, 6])
AREAS = np.array([0.0, 4.0, 2.0, 1.5, 0.4, 0.1, 1.6, 0.5, 0.0])


def parts(count: int) -> dict[str, str]:
    """The bone that stands for each bone's part."""
    return {name: NAMES[part] for name, part in zip(NAMES, bones_in_parts(AREAS, PARENTS, count), strict=True)}


def test_chains_join_before_they_join_what_they_branch_from() -> None:
    assert parts(20)["twist.R"] == "arm.R"  # it moves nothing
    assert parts(20)["finger.L"] == "finger.L"
    assert parts(6)["finger.L"] == "hand.L"
    arms = {"arm.L": ("arm.L", "hand.L", "finger.L"), "arm.R": ("arm.R", "hand.R", "twist.R")}
    assert parts(4) == {
        **{name: name for name in ("root", "spine", "head")},
        **{bone: arm for arm, bones in arms.items() for bone in bones},
    }
    assert {parts(1)[name] for name in NAMES[1:]} == {"spine"}


def test_the_bone_that_moves_most_gives_the_name() -> None:
    chain = np.array([1.0, 2.0, 5.0]), np.array([-1, 0, 1])
    np.testing.assert_array_equal(bones_in_parts(*chain, 2), [1, 1, 2])
    np.testing.assert_array_equal(bones_in_parts(*chain, 1), [2, 2, 2])


def test_roots_join_the_largest_one() -> None:
    np.testing.assert_array_equal(bones_in_parts(np.array([1.0, 3.0, 2.0]), np.array([-1, -1, -1]), 2), [1, 1, 2])
    np.testing.assert_array_equal(bones_in_parts(np.array([1.0, 3.0, 2.0]), np.array([-1, -1, -1]), 1), [1, 1, 1])
