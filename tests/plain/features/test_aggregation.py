"""Heads on feature maps: the published formulas and names, files that are none, and one that is learnt."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from helpers import shapes
from meshkin.base.errors import InputError, MeshKinError, ModelError
from meshkin.base.progress import silent
from meshkin.data.recipe import PartModel
from meshkin.families import importing
from meshkin.features.aggregation import AggregationHead, load_head
from meshkin.features.head_training import HeadSettings, KnownPicture, learn, sample
from meshkin.models import heads
from meshkin.models.checking import sha256, verify
from meshkin.models.head_files import keep_learnt
from meshkin.models.head_fitting import check_fits


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHKIN_MODELS", str(tmp_path / "models"))


def random_state(seed: int = 0) -> dict[str, torch.Tensor]:
    """Random values under the published names."""
    generator = torch.Generator().manual_seed(seed)
    state = {name: torch.randn(shape, generator=generator) for name, shape in heads.PUBLISHED.shapes().items()}
    return {**state, "logit_scale": torch.tensor(2.0), "self_logit_scale": torch.tensor(1.0)}


def published_formula(state: dict[str, torch.Tensor], maps: list[torch.Tensor]) -> torch.Tensor:
    """The aggregation as its paper and its code describe it, written out, in double precision."""

    def convolved(values: torch.Tensor, name: str, padding: int) -> torch.Tensor:
        values = functional.conv2d(values, state[f"{name}.weight"].double(), padding=padding)
        groups = values.reshape(len(values), 32, -1)
        centered = groups - groups.mean(dim=2, keepdim=True)
        normed = centered / torch.sqrt((centered**2).mean(dim=2, keepdim=True) + 1e-5)
        weight, bias = (state[f"{name}.norm.{part}"].double().view(1, -1, 1, 1) for part in ("weight", "bias"))
        return normed.reshape(values.shape) * weight + bias

    total = torch.zeros(1)
    mixing = torch.exp(state["mixing_weights"].double())
    for number, values in enumerate(maps):
        name = f"bottleneck_layers.{number}.0"
        values = functional.interpolate(values.double(), maps[0].shape[2:], mode="bilinear", align_corners=False)
        inner = convolved(values, f"{name}.conv1", 0).clamp(min=0)
        inner = convolved(convolved(inner, f"{name}.conv2", 1).clamp(min=0), f"{name}.conv3", 0)
        has_shortcut = f"{name}.shortcut.weight" in state
        beside = convolved(values, f"{name}.shortcut", 0) if has_shortcut else values
        total = total + mixing[number] / mixing.sum() * (inner + beside).clamp(min=0)
    return total / total.norm(dim=1, keepdim=True)


def random_maps(side: int = 12) -> list[torch.Tensor]:
    """Maps of the published channels; the coarser ones of Stable Diffusion are smaller."""
    generator = torch.Generator().manual_seed(3)
    sizes = zip(heads.PUBLISHED.inputs, (side, side // 2, side // 4, side), strict=True)
    return [torch.randn((2, channels, size, size), generator=generator) for channels, size in sizes]


@pytest.mark.parametrize("suffix", [".PTH", ".pt"])
def test_the_published_checkpoint_gives_what_the_published_formulas_give(tmp_path: Path, suffix: str) -> None:
    state, file = random_state(), tmp_path / f"best_856{suffix}"
    torch.save(state, file)
    folder, lines = importing.import_file(file, "geoaware-head", "", "", False)
    assert folder.name == "best_856"
    assert any("5.15 million" in line for line in lines)
    assert any("License" in line for line in lines)
    located = verify(folder, "geoaware-head")
    head = load_head(folder, located.checksum, torch.device("cpu")).double()
    maps = random_maps()
    ours = head([values.double() for values in maps])
    load_head.cache_clear()
    np.testing.assert_allclose(ours.numpy(), published_formula(state, maps).numpy(), atol=1e-6)
    single = load_head(folder, located.checksum, torch.device("cpu"))(maps)
    np.testing.assert_allclose(single.numpy(), published_formula(state, maps).numpy(), atol=1e-5)
    assert not {"logit_scale", "self_logit_scale"} & load_file(folder / "model.safetensors").keys()


def without(name: str) -> Any:
    return {key: value for key, value in random_state().items() if key != name}


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (without("bottleneck_layers.2.0.conv2.norm.bias"), "bottleneck_layers.2.0.conv2.norm.bias"),
        ({**random_state(), "mixing_weights": torch.ones(3)}, "mixing_weights"),
        ({**random_state(), "surplus": torch.ones(3)}, "surplus"),
        ({**random_state(), "mixing_weights": "text"}, "mixing_weights"),
        ([1, 2, 3], "wrong.pth"),
        (print, "wrong.pth"),
    ],
    ids=["missing", "shape", "surplus", "text", "list", "code"],
)
def test_what_is_no_published_head_is_refused_by_name(content: Any, named: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "wrong.pth")
    with pytest.raises(ModelError, match=named.replace(".", r"\.")) as caught:
        importing.import_file(tmp_path / "wrong.pth", "geoaware-head", "head", "", False)
    assert caught.value.code == "model-wrong"
    assert not (tmp_path / "models" / "head").exists()


def test_a_head_is_not_replaced_unasked(tmp_path: Path) -> None:
    torch.save(random_state(), tmp_path / "one.pth")
    folder, _ = importing.import_file(tmp_path / "one.pth", "geoaware-head", "mine", "MIT", False)
    before = sha256(folder / "model.safetensors")
    torch.save(random_state(1), tmp_path / "two.pth")
    with pytest.raises(InputError, match="mine"):
        importing.import_file(tmp_path / "two.pth", "geoaware-head", "mine", "", False)
    assert sha256(folder / "model.safetensors") == before
    importing.import_file(tmp_path / "two.pth", "geoaware-head", "mine", "", True)
    assert sha256(folder / "model.safetensors") != before
    assert verify(folder, "geoaware-head").license != "MIT"


def test_a_learnt_head_is_refused_by_another_model_and_layer(tmp_path: Path) -> None:
    lesson = heads.HeadLesson("small", "abc", (9,), ("cat",), 10)
    head = AggregationHead(heads.HeadSizes((64,), 32, 64))
    folder = keep_learnt(head.state_dict(), head.sizes, lesson, "learnt")
    assert verify(folder, "feature-head").license
    model = PartModel("small", "", "abc", "")
    check_fits(folder, model, (9,))
    for other, layers in ((dataclasses.replace(model, name="other", checksum="d"), (9,)), (model, (8,))):
        with pytest.raises(ModelError):
            check_fits(folder, other, layers)
    with pytest.raises(MeshKinError):
        verify(folder, "geoaware-head")


def pictures(seed: int, count: int = 6, side: int = 12) -> list[KnownPicture]:
    """A half of a ball from several sides: the maps tell its height, with changes that are the same all over a picture.

    Left and right look alike in each cell; what tells them apart is what lies beside them.
    """
    random = np.random.default_rng(seed)
    ball = shapes.sphere(24, 16).vertices
    result = []
    for _ in range(count):
        turn = random.uniform(-0.5, 0.5)
        rotation = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
        seen = ball[(ball @ rotation.T)[:, 1] < -0.2]
        places = ((seen @ rotation.T)[:, [0, 2]] * (1, -1) * 0.45 + 0.5).astype(np.float32)
        y, x = (np.mgrid[:side, :side] + 0.5) / side
        waves = np.stack([np.sin(3 * k * x) for k in range(1, 9)] + [np.sin(3 * k * y) for k in range(1, 9)])
        maps = np.concatenate((waves, random.normal(0, 2, (16, 1, 1)) + random.normal(0, 1, (16, side, side))))
        result.append(KnownPicture((torch.from_numpy(maps.astype(np.float32)),), places, seen.astype(np.float32)))
    return result


def recall(head: AggregationHead | None, tests: list[KnownPicture]) -> float:
    """Share of the points whose most similar place in another picture is nearly the right one."""
    right = []
    for one, two in itertools.pairwise(tests):
        maps = [head([picture.maps[0][None]]) if head else picture.maps[0][None] for picture in (one, two)]
        rows, others = (
            sample(grid, torch.from_numpy(picture.places)) for grid, picture in zip(maps, (one, two), strict=True)
        )
        found = two.points[(rows @ others.T).argmax(dim=1).numpy()]
        right.append(np.linalg.norm(found - one.points, axis=1) < 0.3)
    return float(np.concatenate(right).mean())


def test_learning_raises_the_recall_on_another_surface_and_is_repeatable() -> None:
    settings = HeadSettings(bottleneck=32, output=64, steps=60, points=60, tolerance=0.05)
    head, losses = learn([pictures(0), pictures(1)], silent, settings)
    again, _ = learn([pictures(0), pictures(1)], silent, settings)
    assert losses[-1] < 0.8 * losses[0]
    for name, value in head.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    held_out = pictures(7)
    assert recall(head, held_out) > recall(None, held_out) + 0.1
