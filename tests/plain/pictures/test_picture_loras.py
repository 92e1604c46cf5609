"""LoRAs on Stable Diffusion: learned, read from published files, and refused where they are for something else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from helpers import picture_pairs, small_diffusion
from meshkin.base.errors import InputError, MeshKinError, ModelError
from meshkin.base.progress import silent
from meshkin.families.importing import import_file
from meshkin.models import checking, locating
from meshkin.pictures.learning import applying, files, importing, networks, training
from meshkin.pictures.learning.options import SMALL
from meshkin.pictures.learning.teaching import PictureTask, teach

State = dict[str, torch.Tensor]
SIZE = 64


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    small_diffusion.quiet()
    folder = tmp_path_factory.mktemp("models") / "base"
    small_diffusion.base(folder)
    return folder


@pytest.fixture
def pairs(home: Path, tmp_path: Path) -> Path:
    return picture_pairs.balls(tmp_path / "pairs", count=4, size=SIZE)


@pytest.fixture(scope="module")
def network(base: Path) -> networks.LoraNetwork:
    return networks.LoraNetwork(base)


def published(tensors: State, seed: int = 5) -> State:
    """Random numbers of these shapes by the names of diffusers 0.20."""
    generator = torch.Generator().manual_seed(seed)
    sides = {"lora_A": "down", "lora_B": "up"}
    state = {}
    for name, value in tensors.items():
        layer, side, _ = name.removeprefix("unet.").rsplit(".", 2)
        place, which = layer.removesuffix(".0").rsplit(".", 1)
        key = f"{place}.processor.{which}_lora.{sides[side]}.weight"
        state[key] = 0.3 * torch.randn(value.shape, generator=generator)  # with large ones, attention is chaotic
    return state


def asked(network: networks.LoraNetwork) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        blends = torch.randn((1, 4, 8, 8), generator=generator)
        return network.velocity(blends, torch.tensor([401]), blends)


def test_a_lora_is_learned_and_used(base: Path, pairs: Path, tmp_path: Path) -> None:
    outputs = [tmp_path / "one.safetensors", tmp_path / "two.safetensors"]
    for output in outputs:
        lesson = training.PictureLesson("normal", 2, 1)
        teach(pairs, output, PictureTask(lesson, str(base), "cpu", False), silent)
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    tensors, record = files.read(outputs[0])
    assert (record.network, record.target, record.size) == ("lora", "normal", SIZE)
    assert any(value.any() for name, value in tensors.items() if "lora_B" in name)  # these begin at zero
    Image.fromarray(picture_pairs.ball(48, np.random.default_rng(7))[0]).save(tmp_path / "ball.png")
    maps = [tmp_path / "map1.png", tmp_path / "map2.png"]
    for found in maps:
        where = applying.Where(str(base), "cpu", False)
        assert applying.apply(tmp_path / "ball.png", str(outputs[0]), where, found, silent) == "normal"
    assert Image.open(maps[0]).size == (48, 48)
    assert maps[0].read_bytes() == maps[1].read_bytes()


def test_another_base_model_is_refused(base: Path, pairs: Path, tmp_path: Path) -> None:
    output = tmp_path / "one.safetensors"
    task = PictureTask(training.PictureLesson("normal", 1, 1), str(base), "cpu", False)
    teach(pairs, output, task, silent)
    other = tmp_path / "other"
    small_diffusion.base(other, seed=3)
    Image.new("RGB", (SIZE, SIZE)).save(tmp_path / "photo.png")
    where = applying.Where(str(other), "cpu", False)
    with pytest.raises(ModelError) as raised:
        applying.apply(tmp_path / "photo.png", str(output), where, tmp_path / "map.png", silent)
    assert raised.value.code == "lora-base"
    task = PictureTask(training.PictureLesson("normal", 1, 1), str(base / "unet"), "cpu", False)
    with pytest.raises(ModelError, match="is not one for"):
        teach(pairs, output, task, silent)


def test_diffusers_reads_what_is_written(network: networks.LoraNetwork, base: Path) -> None:
    state = files.lora_tensors(published(network.tensors()), Path("lora"))
    network.load(state, "lora")
    plain = diffusers.UNet2DConditionModel.from_pretrained(base / "unet").eval()
    plain.load_lora_adapter(state, prefix="unet")
    generator = torch.Generator().manual_seed(1)
    blends = torch.randn((1, 4, 8, 8), generator=generator)
    with torch.no_grad():
        expected = plain(blends, 401, network._text)[0]
    torch.testing.assert_close(asked(network), expected, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(asked(networks.LoraNetwork(base)), expected, atol=1e-3)


@pytest.mark.parametrize("suffix", [".safetensors", ".bin", ".pt"])
def test_a_published_lora_is_imported(network: networks.LoraNetwork, tmp_path: Path, home: Path, suffix: str) -> None:
    state, file = published(network.tensors()), tmp_path / f"normals{suffix}"
    save_file(state, file) if suffix == ".safetensors" else torch.save(state, file)
    folder, lines = import_file(file, "picture-lora", "", "", False, importing.PICTURE_ROLES)
    assert locating.locate(checking.PICTURE, "normals").folder == folder
    assert "not stated" in lines[1]
    tensors, record = importing.load("normals")
    assert (record.network, record.target, record.base) == ("lora", "", "")
    network.load(tensors, "normals")
    wanted = files.lora_tensors(state, file)
    assert all(torch.equal(value, wanted[name]) for name, value in network.tensors().items())
    with pytest.raises(InputError, match="already"):
        import_file(file, "picture-lora", "", "", False, importing.PICTURE_ROLES)


def test_the_names_of_later_libraries_mean_the_same(network: networks.LoraNetwork) -> None:
    old = published(network.tensors())
    wanted = files.lora_tensors(old, Path("lora"))
    for form in ("{}.lora.{}.weight", "unet.{}.lora_linear_layer.{}.weight"):
        state = {}
        for name, value in old.items():
            place, _, rest = name.partition(".processor.")
            which, _, side = rest.removesuffix(".weight").partition("_lora.")
            state[form.format(f"{place}.{which}{'.0' * (which == 'to_out')}", side)] = value
        found = files.lora_tensors(state, Path("lora"))
        assert found.keys() == wanted.keys()
        assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    assert files.lora_tensors({f"{n.replace('.weight', '.default.weight')}": v for n, v in wanted.items()}, Path("l"))


Damage = Callable[[State], State]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda state: {**state, "down_blocks.0.resnets.0.conv1.weight": torch.zeros(2, 2)}, "resnets.0.conv1"),
        (lambda state: dict(list(state.items())[1:]), "other half"),
        (lambda state: {}, "holds no"),
        (lambda state: {name: value * float("nan") for name, value in state.items()}, "not numbers"),
        (lambda state: {name: value[..., None] for name, value in state.items()}, "no such LoRA"),
        (lambda state: {"state": torch.zeros(3)}, "state"),
    ],
)
def test_files_that_are_no_such_lora_are_refused(
    network: networks.LoraNetwork, tmp_path: Path, home: Path, damage: Damage, told: str
) -> None:
    file = tmp_path / "lora.pt"
    torch.save(damage(published(network.tensors())), file)
    with pytest.raises(ModelError, match=told):
        import_file(file, "picture-lora", "", "", False, importing.PICTURE_ROLES)
    with pytest.raises(MeshKinError):
        importing.load("lora")


@pytest.mark.parametrize("content", [b"", b"nothing", b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R."])
def test_files_that_cannot_be_read_are_refused(tmp_path: Path, home: Path, content: bytes) -> None:
    for suffix in (".pt", ".safetensors"):
        (tmp_path / f"lora{suffix}").write_bytes(content)
        with pytest.raises(ModelError, match="cannot be read"):
            import_file(tmp_path / f"lora{suffix}", "picture-lora", "", "", False, importing.PICTURE_ROLES)


def test_a_lora_for_another_network_is_refused(network: networks.LoraNetwork, tmp_path: Path, home: Path) -> None:
    state = files.lora_tensors(published(network.tensors()), Path("lora"))
    wider = {name: torch.cat((value, value), dim=1 if "lora_A" in name else 0) for name, value in state.items()}
    with pytest.raises(ModelError, match="another network: it has"):
        network.load(wider, "lora")
    fewer = {name: value for name, value in state.items() if not name.startswith("unet.mid_block")}
    with pytest.raises(ModelError, match="another network: it lacks"):
        network.load(fewer, "lora")


def test_a_lora_of_another_rank_is_read(network: networks.LoraNetwork) -> None:
    state = files.lora_tensors(published(network.tensors()), Path("lora"))
    twice = {name: torch.cat((value, value), dim=0 if "lora_A" in name else 1) for name, value in state.items()}
    doubled = {name: value / 2**0.5 for name, value in twice.items()}
    network.load(state, "lora")
    once = asked(network)
    network.load(doubled, "lora")  # the same product
    torch.testing.assert_close(asked(network), once, rtol=1e-4, atol=1e-4)


def test_what_was_learned_here_is_imported(home: Path, tmp_path: Path) -> None:
    folder = picture_pairs.balls(tmp_path / "balls")
    file = tmp_path / "balls.safetensors"
    teach(folder, file, PictureTask(training.PictureLesson("depth", 1, 2), SMALL, "cpu", False), silent)
    import_file(file, "picture-lora", "my depth", "", False, importing.PICTURE_ROLES)
    tensors, record = importing.load("my depth")
    assert (record.target, record.network, record.subjects) == ("depth", SMALL, ("ball 0", "ball 1", "ball 2"))
    assert tensors.keys() == load_file(file).keys()
    weights = locating.locate(checking.PICTURE, "my depth").folder / checking.WEIGHTS_FILE
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(ModelError, match="as long"):
        importing.load("my depth")
