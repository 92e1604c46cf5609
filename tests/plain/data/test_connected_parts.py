"""Connected parts of meshes, against relabeling one face after another."""

from __future__ import annotations

import numpy as np
import pytest

from meshkin.data.snapshot import connected_parts


@pytest.mark.parametrize("seed", range(5))
def test_parts_of_random_meshes(seed: int) -> None:
    random = np.random.default_rng(seed)
    faces = random.integers(0, 300, (random.integers(1, 250), 3))
    label = list(range(300))
    for face in faces:  # reference: relabel one by one
        names = {label[index] for index in face}
        label = [min(names) if one in names else one for one in label]
    expected = np.unique(label, return_inverse=True)[1]
    np.testing.assert_array_equal(connected_parts(300, faces), expected)


def test_parts_of_a_long_strip() -> None:
    order = np.random.default_rng(0).permutation(100_000)
    faces = np.stack((order[:-2], order[1:-1], order[2:]), axis=1)
    assert (connected_parts(len(order), faces) == 0).all()
    assert (connected_parts(len(order), np.flip(faces)) == 0).all()
