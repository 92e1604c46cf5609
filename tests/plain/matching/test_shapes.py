"""A match in plain Python, without Blender."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import meshkin
from helpers import small_models
from helpers.figures import Figure
from meshkin.base.errors import InputError, ModelError


def test_two_bodies_are_matched_in_five_lines() -> None:
    bodies = Figure().body(45), Figure().body(60, 0.3)
    source, target = (meshkin.Snapshot.from_arrays(body.vertices, body.faces) for body in bodies)
    match = meshkin.match(source, target)
    points = match.to_source.pull(source.vertices, source.faces)
    error = np.linalg.norm(points - target.vertices, axis=1) / np.ptp(source.vertices, axis=0).max()
    assert error.mean() < 0.01
    assert match.to_source.confidence.mean() > 0.5


def test_point_pairs_and_flip_are_passed_on() -> None:
    body = Figure().body(30)
    match = meshkin.match(body, body, pairs=[(3, 7)], flip=True)
    assert match.to_source.vertex[7] == 3
    assert match.to_target.vertex[3] == 7
    assert match.notes["flipped"] == match.notes["sided"]


def test_named_features_look_at_ray_cast_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHKIN_MODELS", str(tmp_path))
    small_models.efficientnet(tmp_path / "efficientnet-lite0")
    source, target = Figure().body(30), Figure().body(34, 0.3)
    stages: list[str] = []
    match = meshkin.match(
        source, target, "efficientnet+geometric", report=lambda stage, _: stages.append(stage), device="cpu"
    )
    error = np.linalg.norm(match.to_source.pull(source.vertices, source.faces) - target.vertices, axis=1)
    assert error.mean() < 0.02
    assert "Casting rays" in stages


def test_features_that_cannot_be_computed_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHKIN_MODELS", str(tmp_path))
    body = Figure().body(20)
    with pytest.raises(InputError) as caught:
        meshkin.match(body, body, "nonsense")
    assert caught.value.code == "features-unknown"
    with pytest.raises(ModelError):
        meshkin.match(body, body, "dinov2")


def test_importing_the_package_is_light() -> None:
    """Blender and the command line import it before anything else."""
    code = "import sys, meshkin; print('numpy' in sys.modules, meshkin.__version__)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", meshkin.__version__]
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = meshkin.nothing
