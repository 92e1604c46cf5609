"""The DINOv2 extractor against the network as transformers runs it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from helpers import small_models
from meshkin.base.errors import Cancelled, InputError, MeshKinError, ModelError
from meshkin.base.progress import silent
from meshkin.features import pictures
from meshkin.features.extractor import PictureLook
from meshkin.features.network_reader import NetworkReader
from meshkin.features.view_data import Grids, ViewImages
from meshkin.features.vision_transformer import VisionTransformer
from meshkin.models import devices


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "small"
    small_models.dinov2(path)
    return path


def network(folder: Path, layers: list[int], resolution: int = 70) -> VisionTransformer:
    return VisionTransformer(folder, layers, resolution, "cpu")


def reader(found: VisionTransformer, resolution: int = 70) -> NetworkReader:
    return NetworkReader(found, PictureLook("normal", 1.0, resolution), "Reading")


def all_maps(found: VisionTransformer, images: ViewImages) -> list[torch.Tensor]:
    grids = list(reader(found).extract(images, silent))
    return [torch.cat(parts) for parts in zip(*(one.maps for one in grids), strict=True)]


@pytest.mark.parametrize("registers", [False, True])
@pytest.mark.parametrize("resolution", [70, 112])
def test_layers_are_the_networks_hidden_states_after_its_norm(tmp_path: Path, registers: bool, resolution: int) -> None:
    model = small_models.dinov2(tmp_path, registers=registers)
    found = network(tmp_path, [0, 2, 3], resolution)
    picture = torch.rand(2, 3, resolution, resolution)
    side = resolution // 14
    with torch.inference_mode():
        states = model(pictures.standardize(picture), output_hidden_states=True).hidden_states
        wanted = [model.layernorm(states[layer])[:, -side * side :] for layer in (0, 2, 3)]
    assert found.channels == (48, 48, 48)
    for made, tokens in zip(found.maps(picture), wanted, strict=True):
        torch.testing.assert_close(made, tokens.transpose(1, 2).reshape(2, 48, side, side), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("registers", [False, True])
def test_patches_far_from_the_object_take_no_part(tmp_path: Path, registers: bool) -> None:
    model = small_models.dinov2(tmp_path, registers=registers)
    picture = torch.rand(3, 3, 98, 98)
    seen = torch.zeros(3, 98, 98, dtype=torch.bool)
    seen[0, 50, 30] = seen[1, 0, 97] = seen[1, 97, 0] = True  # nothing is seen in the last picture
    kept = torch.zeros(3, 7, 7, dtype=torch.bool)
    kept[0, 2:5, 1:4] = kept[1, :2, 5:] = kept[1, 5:, :2] = True
    made = network(tmp_path, [0, 3], 98).maps(picture, seen)
    with torch.inference_mode():
        embedded = model.embeddings(pictures.standardize(picture))
        leading = embedded.shape[1] - 49
        for number in (0, 1):
            own = torch.cat((torch.arange(leading), leading + torch.nonzero(kept[number].flatten())[:, 0]))
            states = [embedded[number, own][None]]
            states.append(model.encoder(states[0]).last_hidden_state)
            for one, state in zip(made, states, strict=True):
                wanted = model.layernorm(state)[0, leading:]
                torch.testing.assert_close(one[number][:, kept[number]].T, wanted, atol=1e-4, rtol=1e-4)
    for one in made:
        assert not one.permute(0, 2, 3, 1)[~kept].any()


def test_a_model_that_takes_whole_pictures_only_gives_the_same_around_the_object(tmp_path: Path) -> None:
    small_models.transformer(tmp_path, "dino")
    picture, seen = torch.rand(1, 3, 40, 40), torch.zeros(1, 40, 40, dtype=torch.bool)
    seen[0, 0:3, 30] = True
    found = network(tmp_path, [2], 40)
    whole, around = found.maps(picture)[0], found.maps(picture, seen)[0]
    torch.testing.assert_close(around[:, :, :2, 2:], whole[:, :, :2, 2:])
    assert not around[:, :, 2:].any()
    assert not around[:, :, :, :2].any()


def test_in_half_the_bits_features_are_the_same_but_for_rounding(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = small_models.views(3)
    exact = all_maps(network(folder, [3]), images)[0]
    monkeypatch.setattr(devices, "matrix_precision", lambda device: torch.bfloat16)
    quick = all_maps(VisionTransformer(folder, [3], 70, "cpu", quick=True), images)[0]
    assert quick.dtype == torch.float32
    assert not torch.equal(quick, exact)
    assert torch.nn.functional.cosine_similarity(quick, exact).min() > 0.999


@pytest.mark.parametrize(
    ("has", "precision"),
    [({}, torch.float32), ({"avx512_bf16": True}, torch.bfloat16), ({"avx512_bf16": False}, torch.float32)],
)
def test_half_the_bits_only_where_the_processor_multiplies_them(
    has: dict[str, bool], precision: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)
    assert devices.matrix_precision(torch.device("cpu")) == precision
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert devices.matrix_precision(torch.device("cpu")) == torch.float32


@pytest.mark.parametrize("name", sorted(small_models.TRANSFORMERS))
def test_a_patch_of_any_vision_transformer_shows_in_its_cell(name: str, tmp_path: Path) -> None:
    """Through the loading code of real models: registers and class tokens stand aside, positions are interpolated."""
    model = small_models.transformer(tmp_path, name)
    patch = model.config.patch_size
    side = 6  # not the model's own grid
    found = network(tmp_path, [0, 1, 3], side * patch)
    plain = torch.rand(1, 3, side * patch, side * patch, generator=torch.Generator().manual_seed(1))
    changed = plain.clone()
    changed[:, :, patch : 2 * patch, 4 * patch : 5 * patch] += 0.5
    for layer, (before, after) in enumerate(zip(found.maps(plain), found.maps(changed), strict=True)):
        assert before.shape == (1, 48, side, side)
        strength = (after - before)[0].norm(dim=0)
        assert divmod(int(strength.argmax()), side) == (1, 4)
        if layer == 0:
            assert int((strength > 1e-4).sum()) == 1


@pytest.mark.parametrize("name", ["dino", "dinov3"])
def test_other_architectures_are_read_after_their_norm(name: str, tmp_path: Path) -> None:
    model = small_models.transformer(tmp_path, name)
    patch, side = model.config.patch_size, 5
    picture = torch.rand(2, 3, side * patch, side * patch)
    options = {"interpolate_pos_encoding": True} if name == "dino" else {}
    norm = model.layernorm if name == "dino" else model.norm
    with torch.inference_mode():
        states = model(pictures.standardize(picture), output_hidden_states=True, **options).hidden_states
    for layer, made in zip((1, 3), network(tmp_path, [1, 3], side * patch).maps(picture), strict=True):
        with torch.inference_mode():
            tokens = norm(states[layer])[:, -side * side :]
        torch.testing.assert_close(made, tokens.transpose(1, 2).reshape(2, 48, side, side), atol=1e-4, rtol=1e-4)


def test_pictures_are_standardized_as_the_model_tells(tmp_path: Path) -> None:
    model = small_models.transformer(tmp_path, "dino")
    picture = torch.rand(1, 3, 40, 40)
    usual = network(tmp_path, [2], 40).maps(picture)[0]
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.5] * 3, "image_std": [0.5] * 3}))
    own = network(tmp_path, [2], 40).maps(picture)[0]
    assert (usual - own).norm() > 0.01 * usual.norm()
    with torch.inference_mode():
        states = model(2 * picture - 1, output_hidden_states=True, interpolate_pos_encoding=True).hidden_states
        tokens = model.layernorm(states[2])[:, 1:]
    torch.testing.assert_close(own, tokens.transpose(1, 2).reshape(1, 48, 5, 5), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["detection tokens", "another architecture"])
def test_tokens_that_are_no_grid_are_refused(name: str, tmp_path: Path) -> None:
    if name == "detection tokens":
        sizes = {"hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 3, "intermediate_size": 96}
        config = transformers.YolosConfig(**sizes, image_size=[64, 64], patch_size=16)
        transformers.YolosModel(config).save_pretrained(tmp_path)
    else:
        small_models.transformer(tmp_path, "dino")
        file = tmp_path / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "model_type": "bert"}))
    with pytest.raises(ModelError) as caught:
        network(tmp_path, [1], 64).maps(torch.rand(1, 3, 64, 64))
    assert caught.value.code == "model-wrong"


def test_every_view_in_one_batch_in_order_and_as_if_alone(folder: Path) -> None:
    images = small_models.views(5)
    found = network(folder, [1, 3])
    grids: list[Grids] = list(reader(found).extract(images, silent))
    assert [view for one in grids for view in one.views] == [0, 1, 2, 3, 4]
    assert len(grids) > 1
    together = all_maps(found, images)
    for view in range(5):
        alone = all_maps(found, ViewImages(images.normal[view : view + 1], images.depth[view : view + 1]))
        for one, many in zip(alone, together, strict=True):
            assert one.shape == (1, 48, 5, 5)
            torch.testing.assert_close(many[view : view + 1], one, atol=1e-4, rtol=1e-3)


def test_what_comes_after_the_last_layer_is_not_read(folder: Path, tmp_path: Path) -> None:
    images = small_models.views(2)
    tensors = load_file(folder / "model.safetensors")
    for name in tensors:
        if ".layer.2." in name:
            tensors[name] = torch.full_like(tensors[name], torch.nan)
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    for one, other in zip(
        all_maps(network(tmp_path, [2]), images), all_maps(network(folder, [2]), images), strict=True
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("cell", [(0, 0), (1, 3)])
def test_a_patch_of_the_picture_shows_in_its_cell(folder: Path, cell: tuple[int, int]) -> None:
    blank = np.zeros((1, 70, 70, 3), np.float16), np.full((1, 70, 70), np.inf, np.float32)
    normal, depth = blank[0].copy(), blank[1].copy()
    rows, columns = (slice(14 * index, 14 * index + 14) for index in cell)
    normal[0, rows, columns], depth[0, rows, columns] = (0, 0, 1), 3
    for layer in (0, 3):
        found = network(folder, [layer])
        change = all_maps(found, ViewImages(normal, depth))[0] - all_maps(found, ViewImages(*blank))[0]
        strength = change[0].norm(dim=0)
        assert divmod(int(strength.argmax()), 5) == cell
        if layer == 0:
            assert int((strength > 1e-4).sum()) == 1


def test_passes_of_another_resolution_are_resized(folder: Path) -> None:
    large = small_models.views(1, resolution=140)
    small = pictures.resize(pictures.make(large, slice(0, 1), PictureLook("normal", 1.0, 140)), 70)
    found = network(folder, [2])
    torch.testing.assert_close(all_maps(found, large)[0], found.maps(small)[0])


def test_progress_and_cancel_between_batches(folder: Path) -> None:
    told: list[float] = []

    def report(stage: str, fraction: float) -> None:
        told.append(fraction)
        if fraction >= 0.4:
            raise Cancelled

    with pytest.raises(Cancelled):
        list(reader(network(folder, [1])).extract(small_models.views(6), report))
    assert told[0] == 0
    assert told == sorted(told)
    assert 0.4 <= told[-1] < 1


@pytest.mark.parametrize("layers", [[], [4], [-1], [2, 1], [1, 1]])
def test_layers_that_the_model_does_not_have(folder: Path, layers: list[int]) -> None:
    with pytest.raises(InputError, match=r"from 0 .* to 3") as caught:
        network(folder, layers)
    assert caught.value.code == "features-option"


def test_a_resolution_without_whole_patches(folder: Path) -> None:
    with pytest.raises(InputError, match="multiple of 14"):
        network(folder, [1], 72)


def test_a_tensor_lacks_or_has_another_shape(folder: Path, tmp_path: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    name = next(name for name in tensors if "layer.0." in name and "fc1.weight" in name)
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    for changed in ({**tensors, name: tensors[name][:-1].clone()}, {k: v for k, v in tensors.items() if k != name}):
        save_file(changed, tmp_path / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(ModelError) as caught:
            network(tmp_path, [1])
        assert caught.value.code == "model-wrong"


def test_a_config_that_makes_no_network(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "hidden_size": 96}))
    with pytest.raises(ModelError) as caught:
        network(tmp_path, [1])
    assert caught.value.code == "model-wrong"


def test_batches_are_halved_where_memory_runs_out() -> None:
    tried = []

    def run(part: slice) -> int:
        tried.append((part.start, part.stop))
        if part.stop - part.start > 2:
            raise torch.OutOfMemoryError("no memory")
        return part.start

    found = list(devices.in_batches(9, 8, run, silent, "Trying"))
    assert tried[:3] == [(0, 8), (0, 4), (0, 2)]
    assert [item for items, _ in found for item in items] == list(range(9))
    assert [start for _, start in found] == [0, 2, 4, 6, 8]


def test_not_even_one_picture_fits() -> None:
    def run(part: slice) -> int:
        raise torch.OutOfMemoryError("no memory")

    with pytest.raises(MeshKinError) as caught:
        list(devices.in_batches(3, 4, run, silent, "Trying"))
    assert caught.value.code == "memory-low"


@pytest.mark.parametrize("name", ["cuda:63", "abacus", "cpu:1", "xla"])
def test_a_device_that_is_not_there(name: str) -> None:
    with pytest.raises(InputError) as caught:
        devices.choose(name)
    assert caught.value.code == "device-missing"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_agrees_with_the_cpu(folder: Path) -> None:
    images = small_models.views(5)
    exact = all_maps(network(folder, [3]), images)[0]
    found = all_maps(VisionTransformer(folder, [3], 70, "cuda"), images)[0]
    assert found.dtype == torch.float16
    similarity = torch.nn.functional.cosine_similarity(found.float().cpu(), exact)
    assert similarity.min() > 0.999
