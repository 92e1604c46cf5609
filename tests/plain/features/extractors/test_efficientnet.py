"""The EfficientNet-Lite extractor against the network as published, written out plainly."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from helpers import small_models
from meshkin.base.errors import InputError, ModelError
from meshkin.base.progress import silent
from meshkin.features.extractor import PictureLook
from meshkin.features.extractors.efficientnet.network import EfficientNet, Network
from meshkin.features.extractors.efficientnet.stages import STRIDES
from meshkin.features.network_reader import NetworkReader
from meshkin.features.view_data import ViewImages

State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "lite"
    small_models.efficientnet(path)
    return path


def published(state: State, values: torch.Tensor) -> list[torch.Tensor]:
    """What each stage puts out, computed layer by layer from the published names: "same" padding, no folding."""

    def convolve(values: torch.Tensor, name: str, norm: str, stride: int = 1, clip: bool = True) -> torch.Tensor:
        weight = state[f"{name}.weight"]
        kernel, size = weight.shape[-1], values.shape[-1]
        total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
        values = functional.pad(values, (total // 2, total - total // 2) * 2)
        groups = values.shape[1] // weight.shape[1]
        values = functional.conv2d(values, weight, stride=stride, groups=groups)
        mean, variance = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
        values = functional.batch_norm(values, mean, variance, state[f"{norm}.weight"], state[f"{norm}.bias"], eps=1e-3)
        return values.clamp(0, 6) if clip else values

    values = convolve(values, "_conv_stem", "_bn0", 2)
    maps, block = [], 0
    for stage, depth in enumerate(small_models.DEPTHS):
        for index in range(depth):
            name, before = f"_blocks.{block}.", values
            stride = 2 if index == 0 and stage in (1, 2, 3, 5) else 1
            if stage:
                values = convolve(values, name + "_expand_conv", name + "_bn0")
            values = convolve(values, name + "_depthwise_conv", name + "_bn1", stride)
            values = convolve(values, name + "_project_conv", name + "_bn2", clip=False)
            if index:
                values = values + before
            block += 1
        maps.append(values)
    return maps


def maps_of(found: EfficientNet, images: ViewImages) -> list[torch.Tensor]:
    """The maps of all views, as the extractor's reader gives them."""
    look = PictureLook("normal", 1.0, found._resolution)
    grids = list(NetworkReader(found, look, "Reading").extract(images, silent))
    assert [view for one in grids for view in one.views] == list(range(len(images.normal)))
    return [torch.cat(parts) for parts in zip(*(one.maps for one in grids), strict=True)]


def test_stages_are_those_of_the_published_network(tmp_path: Path) -> None:
    state = small_models.efficientnet(tmp_path / "lite")
    network = Network(load_file(tmp_path / "lite" / "model.safetensors"), 7)
    values = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        made, wanted = network(values), published(state, values)
    assert tuple(network.channels) == small_models.WIDTHS
    for stage, (one, other) in enumerate(zip(made, wanted, strict=True)):
        assert one.shape[-1] == 96 // STRIDES[stage]
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_batched_and_alone(folder: Path) -> None:
    images = small_models.views(5, 96)
    found = EfficientNet(folder, [2, 4], resolution=96, device="cpu")
    together = maps_of(found, images)
    assert found.channels == (12, 24)
    assert [tuple(one.shape[1:]) for one in together] == [(12, 12, 12), (24, 6, 6)]
    for view in range(5):
        alone = maps_of(found, ViewImages(images.normal[view : view + 1], images.depth[view : view + 1]))
        for one, many in zip(alone, together, strict=True):
            torch.testing.assert_close(many[view : view + 1], one, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("stage", [1, 2, 4])
def test_a_cell_looks_at_the_middle_of_its_share_of_the_picture(folder: Path, tmp_path: Path, stage: int) -> None:
    # With all weights alike and positive, what a cell sees is spread evenly around its center.
    tensors = load_file(folder / "model.safetensors")
    for name, value in tensors.items():
        if name.endswith(("running_mean", "bias")):
            tensors[name] = torch.zeros_like(value)
        elif value.dim() == 4:
            tensors[name] = torch.full_like(value, 1 / value[0].numel())
        else:
            tensors[name] = torch.ones_like(value)
    save_file(tensors, tmp_path / "model.safetensors")
    found = EfficientNet(tmp_path, [stage], resolution=256, device="cpu")
    cell, bars = STRIDES[stage], torch.arange(0, 256, 8)
    place = (128 // cell, 160 // cell)
    for axis in (0, 1):
        lit = torch.full((1 + len(bars), 3, 256, 256), 0.6)
        for index, start in enumerate(bars):
            lit[1 + index].narrow(1 + axis, int(start), 8).fill_(0.9)
        answers = found.maps(lit)[0][:, 0, place[0], place[1]]
        answers = answers[1:] - answers[0]
        center = (answers * (bars + 4)).sum() / answers.sum()
        assert center.item() == pytest.approx((place[axis] + 0.5) * cell, abs=1)


def test_a_spot_in_the_picture_changes_the_cells_around_it(folder: Path) -> None:
    blank = np.zeros((1, 160, 160, 3), np.float16), np.full((1, 160, 160), np.inf, np.float32)
    normal, depth = blank[0].copy(), blank[1].copy()
    normal[0, 48:64, 96:112], depth[0, 48:64, 96:112] = (1, 0, 0), 3
    found = EfficientNet(folder, [3], resolution=160, device="cpu")
    change = maps_of(found, ViewImages(normal, depth))[0] - maps_of(found, ViewImages(*blank))[0]
    strength = change[0].square().sum(dim=0)
    rows, columns = torch.meshgrid(torch.arange(10) + 0.5, torch.arange(10) + 0.5, indexing="ij")
    assert ((strength * rows).sum() / strength.sum()).item() == pytest.approx(3.5, abs=0.7)
    assert ((strength * columns).sum() / strength.sum()).item() == pytest.approx(6.5, abs=0.7)


def test_cells_around_the_object_alone(folder: Path) -> None:
    found = EfficientNet(folder, [2, 4], resolution=320, device="cpu")
    shown = torch.ones(2, 3, 320, 320)
    shown[0, :, 190:206, 70:86] = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(1))
    seen = torch.zeros(2, 320, 320, dtype=torch.bool)
    seen[0, 190:206, 70:86] = True  # nothing is seen in the second picture
    for cell, whole, around in zip((8, 16), found.maps(shown), found.maps(shown, seen), strict=True):
        box = (slice(128 // cell, 256 // cell), slice(16 // cell, 144 // cell))  # whole cells of 16 px, 48 px around
        inside = torch.zeros(whole.shape[2:], dtype=torch.bool)
        inside[box] = True
        assert not around[0][:, ~inside].any()
        assert not around[1].any()
        assert around[0][:, inside].any(dim=0).all()
        own = (slice(190 // cell, -(-206 // cell)), slice(70 // cell, -(-86 // cell)))
        similarity = functional.cosine_similarity(around[0][:, own[0], own[1]], whole[0][:, own[0], own[1]], dim=0)
        assert similarity.min() > 0.95


def test_an_object_that_fills_the_picture_is_seen_whole(folder: Path) -> None:
    found = EfficientNet(folder, [2, 4], resolution=96, device="cpu")
    shown = torch.rand(2, 3, 96, 96)
    seen = torch.ones(2, 96, 96, dtype=torch.bool)
    for one, other in zip(found.maps(shown), found.maps(shown, seen), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("stages", [[], [7], [-1], [3, 2], [2, 2]])
def test_stages_that_there_are_not(folder: Path, stages: list[int]) -> None:
    with pytest.raises(InputError, match="from 0 to 6"):
        EfficientNet(folder, stages, resolution=96, device="cpu")


def test_a_resolution_without_whole_cells(folder: Path) -> None:
    with pytest.raises(InputError, match="multiple of 16"):
        EfficientNet(folder, [3], resolution=100, device="cpu")


def test_weights_of_another_network(tmp_path: Path) -> None:
    save_file({"conv_stem.weight": torch.zeros(8, 3, 3, 3)}, tmp_path / "model.safetensors")
    with pytest.raises(ModelError) as caught:
        EfficientNet(tmp_path, [2], resolution=96, device="cpu")
    assert caught.value.code == "model-wrong"
