"""What another machine has computed: found in the shared cache by jobs, and by what only looks at a match."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from helpers.creatures import creature
from meshkin import workflow
from meshkin.base.progress import finish
from meshkin.scene.mesh import matches

OPTIONS = workflow.Options(features=workflow.FeatureOptions(extractor="geometric"))


def times(folder: Path) -> dict[Path, int]:
    """When each file in a folder was changed, by its place in it."""
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_nothing_is_computed_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, own = tmp_path / "theirs", tmp_path / "own"
    monkeypatch.setenv("MESHKIN_CACHE", str(theirs))
    source, target = creature("source", subdivisions=3), creature("target", 1.2, subdivisions=2)
    made = finish(workflow.match(source, target, OPTIONS))
    before = times(theirs)

    monkeypatch.setenv("MESHKIN_CACHE", str(own))
    monkeypatch.setenv("MESHKIN_SHARED_CACHE", str(theirs))
    loaded = matches.load(source, target).match
    assert [path.parent.name for path in times(own)] == ["maps"]
    shutil.rmtree(own)
    found = finish(workflow.match(source, target, OPTIONS))
    assert times(theirs) == before
    assert set(times(own)) == set(before)
    for path in before:
        assert (own / path).read_bytes() == (theirs / path).read_bytes()
    assert Path(found.data["map"]) == own / Path(made.data["map"]).relative_to(theirs)
    assert np.array_equal(loaded.to_source.face, matches.load(source, target).match.to_source.face)
