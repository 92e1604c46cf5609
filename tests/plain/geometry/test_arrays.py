"""Helpers for arrays against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshkin.geometry import arrays
from meshkin.geometry.arrays import blocks, expand, nearest_rows, unit_rows


def test_unit_rows_keep_zeros() -> None:
    assert unit_rows(np.array([[3.0, 4], [0, 0]])) == pytest.approx(np.array([[0.6, 0.8], [0, 0]]))
    assert unit_rows(np.ones((2, 3, 4), np.float32)).dtype == np.float32


@pytest.mark.parametrize("block", [1, 1000, 1 << 23])
def test_nearest_rows_in_blocks_of_any_size(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "SIMILARITY_BLOCK", block)
    references, queries = np.random.default_rng(0).normal(size=(2, 70, 5))
    order = np.linalg.norm(queries[:, None] - references, axis=2).argsort(axis=1)
    np.testing.assert_array_equal(nearest_rows(references, queries), order[:, 0])
    np.testing.assert_array_equal(np.sort(nearest_rows(references, queries, 4)), np.sort(order[:, :4]))


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 20))
@settings(max_examples=50, deadline=None)
def test_counts_are_expanded_and_cut_into_blocks(counts: list[int], limit: int) -> None:
    rows, number = expand(np.array(counts, np.int64))
    expected = [(row, entry) for row, count in enumerate(counts) for entry in range(count)]
    assert list(zip(rows.tolist(), number.tolist(), strict=True)) == expected
    cuts = list(blocks(np.array(counts, np.int64), limit))
    assert [row for cut in cuts for row in range(cut.start, cut.stop)] == list(range(len(counts)))
    assert all(sum(counts[cut]) <= limit or cut.stop - cut.start == 1 for cut in cuts)
