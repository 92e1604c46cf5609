"""LoRAs on Stable Diffusion on the command line: pairs, learning, use; published files read; wrong files refused."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import bpy
import pytest

import meshkin
from helpers.places import TESTS
from helpers.shell import blob, check_error, json_result, run, write_mesh

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_home")]

MODELS = """
import sys, torch
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from helpers import small_diffusion
from meshkin.pictures.learning.networks import LoraNetwork
place = Path(sys.argv[1])
small_diffusion.base(place / "base")
small_diffusion.base(place / "other", seed=3)
sides, state = {"lora_A": "down", "lora_B": "up"}, {}
for name, value in LoraNetwork(place / "base").tensors().items():
    layer, side, _ = name.removeprefix("unet.").rsplit(".", 2)
    where, which = layer.removesuffix(".0").rsplit(".", 1)
    state[f"{where}.processor.{which}_lora.{sides[side]}.weight"] = 0.1 * torch.randn(value.shape)
torch.save(state, place / "published.bin")
state["something.else"] = torch.zeros(3)
torch.save(state, place / "wrong.bin")
"""
"""Writes two small models, and files as the published ones are: one whole, one with something else in it."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loras")
    core = str(Path(meshkin.__file__).parent.parent)
    command = [os.environ["MESHKIN_WORKER_PYTHON"], "-c", MODELS, str(folder), str(TESTS), core]
    subprocess.run(command, check=True, capture_output=True)
    for name, stretch in (("one", 1.0), ("two", 1.4)):
        write_mesh(folder / f"{name}.obj", *blob(stretch, 2))
    return folder


def size_of(file: Path) -> tuple[int, int]:
    image = bpy.data.images.load(str(file))
    size = tuple(image.size)
    bpy.data.images.remove(image)
    return size[0], size[1]


def test_a_lora_is_learned_from_rendered_pairs_and_used(place: Path, tmp_path: Path) -> None:
    pairs, lora = tmp_path / "pairs", tmp_path / "albedo.safetensors"
    ran = run(
        "picture", "pairs", place / "one.obj", place / "two.obj", "--count", "3", "--size", "64", "--output", pairs
    )
    assert ran.returncode == 0, ran.stderr
    learn = ("picture", "learn", pairs, "--what", "albedo", "--steps", "2", "--batch", "1", "--output", lora, "--json")
    told = json_result(run(*learn, "--model", place / "base"))
    assert len(list(Path(told["epochs"]).glob("epoch_*.png"))) == len(told["errors"]) == 1
    photo = pairs / "pair_00000.png"
    use = ("picture", "apply", photo, "--with", lora, "--json", "--base")
    assert json_result(run(*use, place / "base", "--output", tmp_path / "map.png"))["ok"]
    assert size_of(tmp_path / "map.png") == size_of(photo)
    check_error(run(*use, place / "other", "--output", tmp_path / "no.png"), 4, "lora-base")
    assert not (tmp_path / "no.png").exists()


def test_a_published_lora_is_imported_and_used(place: Path, tmp_path: Path) -> None:
    ran = run("models", "import", place / "published.bin", "--as", "picture-lora", "--name", "dmp-normals")
    assert ran.returncode == 0, ran.stderr
    assert "not stated" in ran.stdout  # its license
    photo = tmp_path / "photo.png"
    image = bpy.data.images.new("photo", 96, 64)
    image.filepath_raw, image.file_format = str(photo), "PNG"
    image.save()
    use = ("picture", "apply", photo, "--with", "dmp-normals", "--output", tmp_path / "map.png", "--json")
    check_error(run(*use), 4, "lora-base")
    assert json_result(run(*use, "--base", place / "base"))["ok"]
    assert size_of(tmp_path / "map.png") == (96, 64)


def test_wrong_files_are_refused_by_name(place: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.bin").write_bytes(b"")
    for file, code in ((place / "wrong.bin", "model-wrong"), (tmp_path / "empty.bin", "model-damaged")):
        ran = run("models", "import", file, "--as", "picture-lora", "--name", "wrong", "--json")
        assert file.name in check_error(ran, 4, code)["message"]
    ran = run("picture", "learn", tmp_path, "--output", tmp_path / "a.safetensors", "--json")
    check_error(ran, 3, "pairs-missing")
