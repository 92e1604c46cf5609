"""Published checkpoints: read without running code, every name and shape checked, kept as safetensors."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from helpers import published_families
from helpers.published_families import Published
from meshkin.base.errors import InputError, MeshKinError, ModelError
from meshkin.families import kept
from meshkin.families.importing import import_file
from meshkin.models import locating

State = dict[str, Any]


@pytest.fixture
def checkpoint(home: Path) -> tuple[Published, State]:
    return published_families.checkpoint()


def saved(tmp_path: Path, content: object) -> Path:
    file = tmp_path / "best.pth"
    torch.save(content, file)
    return file


def test_the_moving_average_is_read(tmp_path: Path, checkpoint: tuple[Published, State]) -> None:
    network, content = checkpoint
    folder, lines = import_file(saved(tmp_path, content), "family", "animals", "", False)
    family = kept.load(folder)
    rows = np.random.default_rng(0).normal(size=(7, 16)).astype(np.float32)
    unit = torch.from_numpy(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    goal = network.encoder.net(unit)
    goal = goal / (goal.norm(dim=1, keepdim=True) + 1e-8)
    np.testing.assert_allclose(family.of_cells(rows), goal.detach(), atol=1e-6)
    assert "16-8-4" in lines[0]
    found = locating.locate("family", "animals")
    assert "research only" in found.license
    assert (folder / "LICENSE.txt").read_text(encoding="utf-8").strip() == found.license
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".json", ".safetensors", ".txt"]
    with pytest.raises(InputError) as caught:
        import_file(saved(tmp_path, content), "family", "animals", "", False)
    assert caught.value.code == "family-exists"
    import_file(saved(tmp_path, content), "family", "animals", "MIT", True)
    assert locating.locate("family", "animals").license == "MIT"


def test_a_network_alone_is_read_too(tmp_path: Path, checkpoint: tuple[Published, State]) -> None:
    folder, _ = import_file(saved(tmp_path, checkpoint[0].state_dict()), "family", "", "", False)
    assert folder.name == "best"


def _twice(state: State) -> None:
    state["ema_model.encoder.net.0.block1.0.weight"] = torch.zeros(16, 16)


def _lacking(state: State) -> None:
    del state["ema_model.encoder.net.1.norm1.bias"]


def _surplus(state: State) -> None:
    state["ema_model.head.weight"] = torch.zeros(3)


def _misshapen(state: State) -> None:
    state["ema_model.decoder.net.0.norm1.bias"] = torch.zeros(5)


def _endless(state: State) -> None:
    state["ema_model.decoder.net.0.norm1.bias"] = torch.full((4,), torch.nan)


@pytest.mark.parametrize("spoil", [_twice, _lacking, _surplus, _misshapen, _endless])
def test_other_names_shapes_and_values_are_refused(
    tmp_path: Path, home: Path, checkpoint: tuple[Published, State], spoil: Callable[[State], None]
) -> None:
    content = checkpoint[1]
    spoil(content["model_state_dict"])
    assert refused(ModelError, saved(tmp_path, content)) == "model-wrong"
    assert not (home / "models" / "best").exists()


class Harmful:
    """What makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


def test_no_code_is_run(tmp_path: Path, home: Path) -> None:
    harm = tmp_path / "harm"
    assert refused(ModelError, saved(tmp_path, {"model_state_dict": Harmful(harm)})) == "model-wrong"
    assert not harm.exists()


def test_what_is_no_checkpoint_is_refused(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "best.pth"
    for content in (b"", b"text", bytes(1000)):
        file.write_bytes(content)
        assert refused(ModelError, file) == "model-wrong"
    others: tuple[object, ...] = ([1, 2], {"model_state_dict": {}}, {"weights": torch.zeros(3)})
    for other in others:
        assert refused(ModelError, saved(tmp_path, other)) == "model-wrong"
    assert refused(InputError, tmp_path / "none.pth") == "file-missing"
    with pytest.raises(InputError, match="Choose family"):
        import_file(file, "head", "", "", False)


def refused(error: type[MeshKinError], file: Path) -> str:
    with pytest.raises(error) as caught:
        import_file(file, "family", "", "", False)
    assert caught.value.fix
    return caught.value.code
