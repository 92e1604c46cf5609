"""Diff3F's models: where they are looked for, and those that are absent, damaged or of another kind."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from helpers import recipes
from helpers.painting import SMALL, Resolve, painter
from meshkin.base.errors import ModelError
from meshkin.features import building, recipe, registry
from meshkin.models import fetching, locating

DEFAULTS = {role: asked.default for role, asked in registry.find("diff3f").roles.items() if asked.default}
"""The names of the models that are read unless told otherwise, by role."""

pytestmark = pytest.mark.usefixtures("home")


def test_models_that_are_not_there_and_where_they_are_looked_for(home: Path, folders: dict[str, str]) -> None:
    with pytest.raises(ModelError, match="meshkin models get diff3f") as caught:
        recipes.resolve("diff3f")
    assert caught.value.code == "model-missing"
    (home / "models").mkdir(parents=True)
    for role, name in DEFAULTS.items():
        (home / "models" / name.replace("/", "--")).symlink_to(folders[role])
    part = recipes.resolve("diff3f", settings=SMALL).parts[0]
    assert {role: model.name for role, model in part.models.items()} == {
        role: name.replace("/", "--") for role, name in DEFAULTS.items()
    }
    assert part.settings["layers"] == [3]


def test_folders_put_there_by_hand_count_as_fetched(home: Path, folders: dict[str, str]) -> None:
    """As a machine without the hub has them: nothing is downloaded, and what is damaged is named with its fix."""
    for role, name in DEFAULTS.items():
        shutil.copytree(folders[role], home / "models" / name.replace("/", "--"))
    assert fetching.get("diff3f", bundles=registry.bundles()) == [
        home / "models" / name.replace("/", "--") for name in DEFAULTS.values()
    ]
    rows = {row["name"]: row for row in locating.listing(registry.bundles())}
    assert all(rows[name]["ok"] for name in DEFAULTS.values())
    unet = home / "models" / DEFAULTS["base"].replace("/", "--") / "unet" / "diffusion_pytorch_model.safetensors"
    unet.write_bytes(unet.read_bytes()[:-100])
    with pytest.raises(ModelError) as caught:
        recipes.resolve("diff3f", settings=SMALL)
    assert caught.value.code == "model-damaged"
    assert caught.value.fix == f"Run “meshkin models get {DEFAULTS['base']}”."
    rows = {row["name"]: row for row in locating.listing(registry.bundles())}
    assert [name for name in DEFAULTS.values() if not rows[name]["ok"]] == [DEFAULTS["base"]]


def test_files_in_half_precision_as_the_hub_names_them(
    folders: dict[str, str], resolve: Resolve, tmp_path: Path
) -> None:
    chosen = {}
    for role in ("base", "depth"):
        chosen[role] = str(tmp_path / role)
        shutil.copytree(folders[role], tmp_path / role)
        for file in list((tmp_path / role).rglob("*.safetensors")):
            file.rename(file.with_suffix(".fp16.safetensors"))
    renamed, plain = resolve(**chosen, steps=2), resolve(steps=2)
    assert renamed.parts[0].models["base"].checksum == plain.parts[0].models["base"].checksum
    assert painter(renamed).channels == painter(plain).channels


def broken(folders: dict[str, str], tmp_path: Path, role: str) -> Path:
    copy = tmp_path / "copy"
    shutil.copytree(folders[role], copy)
    return copy


@pytest.mark.parametrize(
    ("role", "file"),
    [
        ("base", "unet/diffusion_pytorch_model.safetensors"),
        ("base", "vae/diffusion_pytorch_model.safetensors"),
        ("base", "text_encoder/model.safetensors"),
        ("depth", "diffusion_pytorch_model.safetensors"),
        ("dinov2", "model.safetensors"),
    ],
)
def test_truncated_and_absent_weights(
    role: str, file: str, folders: dict[str, str], resolve: Resolve, tmp_path: Path
) -> None:
    copy = broken(folders, tmp_path, role)
    content = (copy / file).read_bytes()
    (copy / file).write_bytes(content[:-10])
    for _ in range(2):
        with pytest.raises(ModelError) as caught:
            resolve(**{role: str(copy)})
        assert caught.value.code == "model-damaged"
        (copy / file).unlink(missing_ok=True)


@pytest.mark.parametrize("file", ["tokenizer/vocab.json", "scheduler/scheduler_config.json", "vae/config.json"])
def test_files_that_are_absent(file: str, folders: dict[str, str], resolve: Resolve, tmp_path: Path) -> None:
    copy = broken(folders, tmp_path, "base")
    (copy / file).unlink()
    with pytest.raises(ModelError) as caught:
        painter(resolve(base=str(copy)))
    assert caught.value.code == "model-damaged"


def test_models_of_another_architecture(folders: dict[str, str], resolve: Resolve, tmp_path: Path) -> None:
    for role, other in (("base", "depth"), ("depth", "base"), ("normal", "dinov2"), ("dinov2", "depth")):
        with pytest.raises(ModelError) as caught:
            resolve(**{role: folders[other]})
        assert caught.value.code in ("model-wrong", "model-damaged")
    copy = broken(folders, tmp_path, "normal")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "cross_attention_dim": 1024}))
    with pytest.raises(ModelError, match="ControlNet") as caught:  # one for Stable Diffusion 2
        resolve(normal=str(copy))
    assert caught.value.code == "model-wrong"
    copy = broken(folders, tmp_path / "inpainting", "base")
    config = json.loads((copy / "unet" / "config.json").read_text())
    (copy / "unet" / "config.json").write_text(json.dumps({**config, "in_channels": 9}))
    with pytest.raises(ModelError) as caught:
        resolve(base=str(copy))
    assert caught.value.code == "model-wrong"


def test_weights_that_do_not_fit_their_config(folders: dict[str, str], resolve: Resolve, tmp_path: Path) -> None:
    """As a job finds it before it renders."""
    for role, part, changed in (
        ("base", "vae", {"layers_per_block": 2}),
        ("base", "vae", {"block_out_channels": [8, 8, 16, 32]}),
        ("base", "unet", {"layers_per_block": 3}),
        ("base", "text_encoder", {"num_hidden_layers": 3}),
        ("depth", "", {"layers_per_block": 3}),
        ("dinov2", "", {"hidden_size": 96}),
    ):
        shutil.rmtree(tmp_path / "copy", ignore_errors=True)
        file = broken(folders, tmp_path, role) / part / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **changed}))
        with pytest.raises(ModelError) as caught:
            building.prepare(resolve(**{role: str(tmp_path / "copy")}), "cpu")
        assert caught.value.code == "model-wrong"


def test_settings_beside_the_weights_count_for_the_key(
    folders: dict[str, str], resolve: Resolve, tmp_path: Path
) -> None:
    plain = recipe.key(resolve(), "shape")
    copy = broken(folders, tmp_path, "base")
    assert recipe.key(resolve(base=str(copy)), "shape") == plain
    file = copy / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "prediction_type": "v_prediction"}))
    assert recipe.key(resolve(base=str(copy)), "shape") != plain
