"""A match in plain Python, without Blender."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import meshkin
from helpers import small_models
from helpers.beasts import beast
from meshkin.base.errors import InputError, ModelError
from meshkin.data.recipe import FeatureChoice

VIEWS = 6
NAMED = FeatureChoice("efficientnet+geometric", views=VIEWS, resolution=128)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small random EfficientNet is the only model there is."""
    monkeypatch.setenv("MESHKIN_MODELS", str(tmp_path))
    small_models.efficientnet(tmp_path / "efficientnet-lite0")


@pytest.mark.parametrize("features", ["geometric", NAMED])
@pytest.mark.usefixtures("models")
def test_two_bodies_are_matched_in_five_lines(features: str | FeatureChoice) -> None:
    (body, body_places, _), (other_body, other_places, _) = beast(48, 0.0, 0), beast(40, 0.3, 0)
    source = meshkin.Snapshot.from_arrays(body.vertices, body.faces)
    target = meshkin.Snapshot.from_arrays(other_body.vertices, other_body.faces)
    match = meshkin.match(source, target, features, device="cpu")
    error = np.linalg.norm(match.to_source.pull(body_places, source.faces) - other_places, axis=1)
    assert error.mean() < 0.07  # on the unit sphere that both were made from
    assert match.to_source.confidence.mean() > 0.8


@pytest.mark.usefixtures("models")
def test_models_look_at_ray_cast_pictures() -> None:
    body, _, _ = beast(24, 0.0, 0)
    stages: list[str] = []
    meshkin.match(body, body, NAMED, device="cpu", report=lambda stage, _: stages.append(stage))
    assert stages.count("Casting rays") == 2 * VIEWS


def test_point_pairs_and_flip_are_passed_on() -> None:
    body, _, _ = beast(32, 0.0, 0)
    match = meshkin.match(body, body, pairs=[(30, 70)], flip=True)
    assert match.to_source.vertex[70] == 30
    assert match.to_target.vertex[30] == 70
    assert match.notes["flipped"]


@pytest.mark.parametrize(
    ("features", "error", "code"),
    [
        ("nonsense", InputError, "features-unknown"),
        (FeatureChoice("efficientnet", style="textured"), InputError, "features-color"),
        ("dinov2", ModelError, "model-missing"),
    ],
)
@pytest.mark.usefixtures("models")
def test_features_that_cannot_be_computed_are_named(features: Any, error: type[InputError], code: str) -> None:
    body, _, _ = beast(24, 0.0, 0)
    with pytest.raises(error) as caught:
        meshkin.match(body, body, features)
    assert caught.value.code == code


def test_importing_the_package_is_light() -> None:
    """Blender and the command line import it before anything else."""
    code = "import sys, meshkin; print('numpy' in sys.modules, meshkin.__version__)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", meshkin.__version__]
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = meshkin.nothing
