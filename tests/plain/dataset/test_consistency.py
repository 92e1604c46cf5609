"""The filter of data sets: wrong poses are found, symmetric ones are not wrong, and what is dropped stays away."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from helpers import datasets, small_models
from meshkin.base.errors import Cancelled
from meshkin.base.progress import silent
from meshkin.dataset import consistency
from meshkin.dataset.camera import look_at
from meshkin.dataset.formats import coco
from meshkin.dataset.record import InstanceRecord, ModelRecord, PictureRecord, Symmetries, numbers
from meshkin.worker.jobs.datasets import filter_dataset
from meshkin.worker.requests.datasets import FilterDataset


def test_swapped_poses_score_worst() -> None:
    """Features that show the pose, with as much noise as signal; a tenth of the poses belong to others."""
    random = np.random.default_rng(0)
    count = 200
    azimuth, elevation = random.uniform(0, 2 * np.pi, count), random.uniform(-0.5, 1.2, count)
    signal = np.column_stack([np.sin(k * azimuth + p) for k in (1, 2, 3) for p in (0, 1.6)] + [elevation, elevation**2])
    features = signal @ random.normal(size=(signal.shape[1], 200)) + random.normal(size=(count, 200))
    bins = np.column_stack(
        (azimuth / (2 * np.pi) * 41, np.ceil((elevation / np.pi + 1) * 20.5 - 1), np.full(count, 20))
    ).astype(np.int64)
    swapped = random.permutation(count)[: count // 10]
    bins[swapped] = bins[np.roll(swapped, 1)]
    found = consistency.scores(features.astype(np.float32), bins, 0, silent)
    worst = set(np.argsort(-found)[: round(0.15 * count)].tolist())
    assert len(worst & set(swapped.tolist())) >= 0.8 * len(swapped)


def seen_from(azimuth: float, turns: Symmetries) -> tuple[int, int, int]:
    model = ModelRecord(1, "box", "Box", (-1, -1, -1), (1, 1, 1), 3.5, symmetries=turns)
    angle = np.radians(azimuth)
    pose = look_at(np.array((5 * np.cos(angle), 5 * np.sin(angle), 1.0)), np.zeros(3))
    still = numbers(np.eye(4))
    instance = InstanceRecord(1, 1, "Box", still, model.low, model.high, (0, 0, 4, 4), (0, 0, 4, 4), (16, 16, 16))
    record = PictureRecord(0, 8, 8, numbers(np.eye(3)), numbers(pose), 1, (instance,))
    return consistency.bins_of(record, instance, model)


def test_poses_that_look_alike_are_one() -> None:
    half = Symmetries([list(numbers(datasets.turned(180, (0, 0, 0))))])
    around = Symmetries(continuous=[[0, 0, 1, 0, 0, 0]])
    assert seen_from(40, Symmetries()) != seen_from(220, Symmetries())
    assert seen_from(40, half) == seen_from(220, half)
    assert seen_from(40, half) != seen_from(130, half)
    assert seen_from(40, around) == seen_from(130, around)
    assert seen_from(185, Symmetries())[0] == 21  # of 41, from 0: half a turn
    assert seen_from(40, Symmetries())[2] == 20  # upright


def test_what_is_dropped_stays_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = datasets.make(tmp_path / "set", 16)
    monkeypatch.setenv("MESHKIN_MODELS", str(tmp_path / "models"))
    small_models.efficientnet(tmp_path / "models" / "efficientnet-lite0")
    request = FilterDataset(folder.path, "poses", "", 0.25, 0, "cpu", False)

    def stop(stage: str, share: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        filter_dataset(request, stop)
    assert folder.dropped() == set()
    result = filter_dataset(request, silent)
    assert result.left_out == ("crate",)  # of which there are too few
    assert result.classes["car"] > 0
    assert result.dropped == len(folder.dropped()) > 0
    losses = json.loads((folder.path / "kcf_losses.json").read_text())
    assert set(losses) == {
        f"{number:06d}.png" for number in folder.numbers() if folder.load(number).instances[0].box[2]
    }
    kept = folder.numbers(with_dropped=False)
    worst = {f"{number:06d}.png" for number in folder.dropped()}
    assert min(losses[name] for name in worst) >= sorted(losses.values())[len(losses) // 2]
    coco.write(folder)
    images = json.loads((folder.path / "annotations.json").read_text())["images"]
    assert [image["id"] for image in images] == kept
    assert filter_dataset(FilterDataset(folder.path, "poses", "", 0.0, 0, "cpu", False), silent).dropped == 0
    assert folder.numbers(with_dropped=False) == folder.numbers()
