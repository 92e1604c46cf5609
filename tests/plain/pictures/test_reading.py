"""Maps read from pictures by small random Marigold models of the real architecture."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from helpers import small_diffusion
from meshkin.base.color import linear_to_srgb
from meshkin.base.errors import ModelError
from meshkin.models import checking, marigold
from meshkin.models.known import MARIGOLD, folder_of
from meshkin.pictures import models, reading

STEPS, SIZE = 3, 96


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("marigold")
    return {
        kind: small_diffusion.marigold(folder / kind, kind, seed) for seed, kind in enumerate(small_diffusion.MARIGOLD)
    }


@pytest.fixture(scope="module")
def picture() -> NDArray[np.uint8]:
    row, column = np.mgrid[:90, :120]
    waves = [np.sin(row / 9), np.cos(column / 13), np.sin((row + column) / 17)]
    return np.stack([127.5 * (1 + wave) for wave in waves], axis=-1).astype(np.uint8)


def own_call(folder: Path, kind: str, picture: NDArray[np.uint8], seed: int) -> NDArray[np.float32]:
    """The prediction (T, H, W, C) of the pipeline that diffusers itself loads."""
    pipeline = getattr(diffusers, marigold.CLASSES[kind]).from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(seed)
    output = pipeline(picture, num_inference_steps=STEPS, processing_resolution=SIZE, generator=generator)
    return np.asarray(output.prediction)


def read(folder: Path, maps: tuple[str, ...], picture: NDArray[np.uint8], seed: int = 5) -> dict[str, Any]:
    (model,) = models.find_models(maps, str(folder))
    return reading.read_maps(model, picture, None, (seed, STEPS, SIZE), "cpu")


def cosine(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    a, b = one.ravel().astype(np.float64), other.ravel().astype(np.float64)
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_the_maps_are_those_of_diffusers(folders: dict[str, Path], picture: NDArray[np.uint8]) -> None:
    wanted = {kind: own_call(folder, kind, picture, 5) for kind, folder in folders.items()}
    normal = read(folders["marigold-normals"], ("normal",), picture)["normal"]
    depth = read(folders["marigold-depth"], ("depth",), picture)["depth"]
    rest = read(folders["marigold-intrinsics"], ("albedo", "roughness", "metallic"), picture)
    assert normal.shape == (90, 120, 3)
    assert cosine(normal, wanted["marigold-normals"][0]) > 0.999
    np.testing.assert_allclose(np.linalg.norm(normal, axis=-1), 1, atol=1e-5)
    assert depth.shape == (90, 120)
    assert cosine(depth - depth.mean(), (lambda own: own - own.mean())(wanted["marigold-depth"][0, ..., 0])) > 0.999
    own = wanted["marigold-intrinsics"]
    assert cosine(rest["albedo"], own[0]) > 0.999
    assert cosine(rest["roughness"], own[1, ..., 0]) > 0.999
    assert cosine(rest["metallic"], own[1, ..., 1]) > 0.999
    assert cosine(rest["roughness"] - rest["roughness"].mean(), rest["metallic"] - rest["metallic"].mean()) < 0.999


def test_a_seed_repeats_and_another_does_not(folders: dict[str, Path], picture: NDArray[np.uint8]) -> None:
    first, again, other = (read(folders["marigold-depth"], ("depth",), picture, seed)["depth"] for seed in (0, 0, 7))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


def test_what_is_not_the_object_is_gray(folders: dict[str, Path], picture: NDArray[np.uint8]) -> None:
    (model,) = models.find_models(("depth",), str(folders["marigold-depth"]))
    mask = np.zeros(picture.shape[:2], bool)
    mask[20:60, 30:80] = True
    settings = (0, STEPS, SIZE)
    cut = reading.read_maps(model, picture, mask, settings, "cpu")["depth"]
    gray = np.where(mask[..., None], picture, np.uint8(128))
    np.testing.assert_array_equal(cut, reading.read_maps(model, gray, None, settings, "cpu")["depth"])


def test_linear_colors_become_srgb(folders: dict[str, Path], picture: NDArray[np.uint8], tmp_path: Path) -> None:
    """The published model for lighting says that its albedo is linear."""
    shutil.copytree(folders["marigold-intrinsics"], tmp_path / "lighting")
    index = json.loads((tmp_path / "lighting" / "model_index.json").read_text())
    index["target_properties"] = {
        "target_names": ["albedo", "shading"],
        "albedo": {"prediction_space": "linear"},
        "shading": {"prediction_space": "linear", "up_to_scale": True},
    }
    (tmp_path / "lighting" / "model_index.json").write_text(json.dumps(index))
    found = read(tmp_path / "lighting", ("albedo",), picture)
    assert list(found) == ["albedo"]
    srgb = read(folders["marigold-intrinsics"], ("albedo",), picture)["albedo"]
    np.testing.assert_allclose(found["albedo"], linear_to_srgb(srgb), atol=1e-5)


def test_each_map_goes_to_its_model(folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHKIN_MODELS", str(tmp_path))
    for kind in ("marigold-depth", "marigold-intrinsics"):
        shutil.copytree(folders[kind], folder_of(MARIGOLD[kind]))
    found = models.find_models(("metallic", "depth", "albedo"))
    assert [(model.kind, model.maps) for model in found] == [
        ("marigold-intrinsics", ("metallic", "albedo")),
        ("marigold-depth", ("depth",)),
    ]
    named = models.find_models(("normal", "depth"), str(folders["marigold-normals"]))
    assert [model.maps for model in named] == [("normal",), ("depth",)]
    with pytest.raises(ModelError, match="marigold-normals") as missing:
        models.find_models(("normal",))
    assert missing.value.code == "model-missing"
    assert "meshkin models get prs-eth/marigold-normals-v1-1" in missing.value.fix


def change(name: str, **values: Any) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        settings = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(settings | values))

    return run


def pickled(folder: Path) -> None:
    (folder / "unet" / "diffusion_pytorch_model.safetensors").rename(folder / "unet" / "diffusion_pytorch_model.bin")


@pytest.mark.parametrize(
    ("spoil", "word", "code"),
    [
        (change("model_index.json", _class_name="StableDiffusionPipeline"), "unknown kind", "model-wrong"),
        (change("model_index.json", prediction_type="depth"), "it predicts “depth”, not “normals”", "model-wrong"),
        (change("unet/config.json", in_channels=4), "takes 4 channels", "model-wrong"),
        (change("text_encoder/config.json", hidden_size=48), "do not go together", "model-wrong"),
        (change("scheduler/scheduler_config.json", _class_name="PNDMScheduler"), "PNDMScheduler", "model-wrong"),
        (lambda folder: (folder / "vae" / "config.json").unlink(), "vae", "model-damaged"),
        (lambda folder: (folder / "model_index.json").write_text("{"), "model_index.json", "model-damaged"),
        (pickled, "safetensors only", "model-damaged"),
        (lambda folder: shutil.rmtree(folder), "There is no", "model-missing"),
    ],
)
def test_wrong_folders_are_refused_by_name(
    spoil: Callable[[Path], None], word: str, code: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    shutil.copytree(folders["marigold-normals"], tmp_path / "model")
    spoil(tmp_path / "model")
    with pytest.raises(ModelError) as caught:
        models.find_models(("normal",), str(tmp_path / "model"))
    assert caught.value.code == code
    assert word in caught.value.message
    assert str(tmp_path / "model") in caught.value.message
    assert caught.value.fix


def test_models_of_other_roles_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="gives normal, not albedo"):
        models.find_models(("albedo",), str(folders["marigold-normals"]))
    small_diffusion.base(tmp_path / "base")
    with pytest.raises(ModelError, match="stable-diffusion") as caught:
        models.find_models(("albedo",), str(tmp_path / "base"))
    assert caught.value.code == "model-wrong"
    with pytest.raises(ModelError, match="stable-diffusion"):
        checking.verify(folders["marigold-normals"], "stable-diffusion")


def test_weights_that_do_not_fit(folders: dict[str, Path], picture: NDArray[np.uint8], tmp_path: Path) -> None:
    shutil.copytree(folders["marigold-depth"], tmp_path / "model")
    change("vae/config.json", layers_per_block=2)(tmp_path / "model")
    with pytest.raises(ModelError, match="lacks") as caught:
        read(tmp_path / "model", ("depth",), picture)
    assert caught.value.code == "model-wrong"


def test_settings_count_in_the_checksum(folders: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(folders["marigold-normals"], tmp_path / "model")
    change("model_index.json", use_full_z_range=False)(tmp_path / "model")
    one, other = (
        checking.verify(each, "marigold-normals") for each in (folders["marigold-normals"], tmp_path / "model")
    )
    assert one.checksum != other.checksum
