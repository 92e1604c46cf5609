"""EfficientNet-Lite features (Tan and Le 2019, https://arxiv.org/abs/1905.11946; without squeeze-and-excitation)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from ....base.errors import InputError, ModelError
from ....models import devices
from ....models.checking import WEIGHTS_FILE
from ... import pictures
from .stages import STRIDES, check_stages

STATISTICS = ((127 / 255,) * 3, (128 / 255,) * 3)
"""Mean and standard deviation of the pictures, as the published Lite models were trained: not ImageNet's."""
_EPSILON = 1e-3
"""Added to the variance in batch normalization, as the published models do."""
_BORDER_PIXELS = 48
"""Pixels kept around the object's box. Measured: cells that show it differ from those of the whole picture by an angle
whose cosine is 0.998 on average and above 0.99 for all but 1 %."""
_NUMBERS_PER_PIXEL = 200
"""Activations that one picture needs at the peak, for each of its pixels. Chosen, with room to spare."""


class Network(nn.Module):
    """Any EfficientNet-Lite up to one of its stages; widths, kernels and depths are read off the weights.

    Args:
        tensors: by timm's names.
        stages: how many of the seven stages to build.

    Raises:
        KeyError, IndexError: when a tensor is missing.
    """

    def __init__(self, tensors: dict[str, torch.Tensor], stages: int) -> None:
        super().__init__()
        self.stem = _convolution(tensors, "conv_stem", "bn1", stride=2)
        self.stages = nn.ModuleList()
        self.channels = []
        for stage in range(stages):
            depth = len({name.split(".")[2] for name in tensors if name.startswith(f"blocks.{stage}.")})
            stride = STRIDES[stage] // STRIDES[max(stage - 1, 0)]
            blocks = [
                _ResidualBlock(tensors, f"blocks.{stage}.{index}", 1 if index else stride) for index in range(depth)
            ]
            self.stages.append(nn.Sequential(*blocks))
            last = "conv_pwl" if stage else "conv_pw"
            self.channels.append(len(tensors[f"blocks.{stage}.{depth - 1}.{last}.weight"]))

    def forward(self, values: torch.Tensor) -> list[torch.Tensor]:
        """The map of each stage for standardized pictures (n, 3, h, w), h and w multiples of the last stage's cell."""
        maps = []
        values = self.stem(values)
        for stage in self.stages:
            values = stage(values)
            maps.append(values)
        return maps


class _ResidualBlock(nn.Module):
    """One inverted residual block: expand (not in the first stage), depthwise, project."""

    def __init__(self, tensors: dict[str, torch.Tensor], name: str, stride: int) -> None:
        super().__init__()
        if f"{name}.conv_pwl.weight" in tensors:
            self.layers = nn.Sequential(
                _convolution(tensors, f"{name}.conv_pw", f"{name}.bn1"),
                _convolution(tensors, f"{name}.conv_dw", f"{name}.bn2", stride),
                _convolution(tensors, f"{name}.conv_pwl", f"{name}.bn3", clip=False),
            )
        else:
            self.layers = nn.Sequential(
                _convolution(tensors, f"{name}.conv_dw", f"{name}.bn1", stride),
                _convolution(tensors, f"{name}.conv_pw", f"{name}.bn2", clip=False),
            )

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.layers(values)
        return values + result if values.shape == result.shape else result


def _convolution(
    tensors: dict[str, torch.Tensor], name: str, norm: str, stride: int = 1, clip: bool = True
) -> nn.Sequential:
    """A convolution with its batch normalization folded in, clipped by ReLU6 unless it projects.

    Padded as TensorFlow's "same" does for even sizes: the odd pixel of a halving goes to the right and below.
    """
    weight = tensors[f"{name}.weight"].float()
    scale = tensors[f"{norm}.weight"].float() / torch.sqrt(tensors[f"{norm}.running_var"].float() + _EPSILON)
    kernel, groups = weight.shape[-1], len(weight) if weight.shape[1] == 1 else 1
    bias = tensors[f"{norm}.bias"].float() - tensors[f"{norm}.running_mean"].float() * scale
    convolution = nn.Conv2d(weight.shape[1] * groups, len(weight), kernel, stride, groups=groups)
    convolution.weight = nn.Parameter((weight * scale.view(-1, 1, 1, 1)).contiguous(memory_format=torch.channels_last))
    convolution.bias = nn.Parameter(bias)
    layers: list[nn.Module] = [convolution]
    before, after = (kernel - stride) // 2, (kernel - stride + 1) // 2
    if before == after:
        convolution.padding = (before, before)
    else:
        layers.insert(0, nn.ZeroPad2d((before, after, before, after)))
    if clip:
        layers.append(nn.ReLU6(inplace=True))  # measured: half the time, which goes into memory
    return nn.Sequential(*layers)


class EfficientNet:
    """The maps of chosen stages of an EfficientNet-Lite.

    Args:
        folder: the model, as :func:`meshkin.models.verify` accepts it.
        stages: ascending, 0 to 6; the pixels along their cells are :data:`stages.STRIDES`.
        resolution: of the pictures, a multiple of the last stage's cell.
        device: as :func:`meshkin.models.devices.choose` takes it.

    Attributes:
        channels: of each stage's map.
        device: where it runs.

    Raises:
        ModelError: ``model-wrong`` when the weights do not fit the architecture.
        InputError: ``features-option`` for stages or a resolution that cannot be, ``device-missing``.
    """

    def __init__(self, folder: Path, stages: Sequence[int], resolution: int = 448, device: str = "auto") -> None:
        check_stages(stages)
        if resolution % STRIDES[stages[-1]]:
            raise InputError(
                "features-option",
                f"A picture of {resolution} pixels has no whole number of cells.",
                f"Use a multiple of {STRIDES[stages[-1]]}.",
            )
        self.device = devices.choose(device)
        self._dtype = devices.precision(self.device)
        self._stages = tuple(stages)
        self._resolution = resolution
        try:
            network = Network(load_file(folder / WEIGHTS_FILE), stages[-1] + 1)
        except (OSError, KeyError, IndexError, RuntimeError, SafetensorError) as error:
            raise ModelError(
                "model-wrong",
                f"The model in {folder} cannot be loaded: {error}",
                "Choose a folder with an EfficientNet-Lite.",
            ) from error
        self._network = network.to(self.device, self._dtype).eval()
        self.channels: tuple[int, ...] = tuple(network.channels[stage] for stage in stages)

    @torch.inference_mode()
    def maps(self, shown: torch.Tensor, seen: torch.Tensor | None = None) -> list[torch.Tensor]:
        """Feature maps of any pictures.

        With the padding of TensorFlow each halving looks half a cell to the right and down, so that a cell's center
        lies (stride - 1) / 2 pixels off the middle of its share of the picture. The picture is shifted by as much, on
        average over the stages read; what is lost at its right and lower edge is background.

        Args:
            shown: float (n, 3, h, w), RGB in [0, 1], h and w multiples of the last stage's cell; on any device.
            seen: bool (n, h, w), where the pictures show the object, to look at it alone: cells outside of its box and
                a border are 0; None for whole pictures.

        Returns:
            For each stage (n, C, h / cell, w / cell), on :attr:`device`, in its precision.
        """
        values = pictures.standardize(shown.to(self.device), STATISTICS).to(self._dtype)
        shift = round(sum((STRIDES[stage] - 1) / 2 for stage in self._stages) / len(self._stages))
        height, width = values.shape[-2:]
        values = functional.pad(values, (shift, 0, shift, 0), mode="replicate")[..., :height, :width]
        if seen is None:
            boxes = [(slice(0, height), slice(0, width))] * len(values)
        else:
            boxes = [_box(picture, STRIDES[self._stages[-1]]) for picture in seen]
        maps = [
            values.new_zeros((len(values), channels, height // STRIDES[stage], width // STRIDES[stage]))
            for stage, channels in zip(self._stages, self.channels, strict=True)
        ]
        # Picture by picture: activations of one fit the caches of a CPU. Measured: 1.4 times as fast as four at once.
        for number, (rows, columns) in enumerate(boxes):
            if rows.stop > rows.start:
                box = values[number : number + 1, :, rows, columns]
                found = self._network(box.contiguous(memory_format=torch.channels_last))
                for stage, whole in zip(self._stages, maps, strict=True):
                    whole[number][:, _cells(rows, stage), _cells(columns, stage)] = found[stage][0]
        return maps

    def picture_bytes(self) -> int:
        """Peak memory of one picture."""
        return _NUMBERS_PER_PIXEL * self._resolution**2 * self._dtype.itemsize


def _box(seen: torch.Tensor, cell: int) -> tuple[slice, slice]:
    """Rows and columns of the box around the object in a picture, with a border, in whole cells; empty for no object.

    Args:
        seen: bool (h, w), where the picture shows it.
        cell: pixels along a cell.
    """

    def span(shown: torch.Tensor) -> slice:
        places = torch.nonzero(shown)
        if not len(places):
            return slice(0, 0)
        start, stop = int(places[0]) - _BORDER_PIXELS, int(places[-1]) + 1 + _BORDER_PIXELS
        return slice(max(start, 0) // cell * cell, min(-(-stop // cell) * cell, len(shown)))

    return span(seen.any(dim=1)), span(seen.any(dim=0))


def _cells(pixels: slice, stage: int) -> slice:
    """The cells of a stage's map that cover a range of pixels, which starts and ends between two of them."""
    return slice(pixels.start // STRIDES[stage], pixels.stop // STRIDES[stage])
