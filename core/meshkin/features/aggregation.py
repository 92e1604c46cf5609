"""The head of "Telling Left from Right": feature maps of a picture aggregated to one map that tells parts apart.

Each input map goes through a residual bottleneck; their sum, weighted by the softmax of the mixing weights, is made a
unit vector in each cell. Names and formulas are those of the published checkpoints (Zhang et al., CVPR 2024,
https://arxiv.org/abs/2311.17034, after Luo et al., "Diffusion Hyperfeatures", 2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from ..base.errors import ModelError
from ..models.checking import WEIGHTS_FILE
from ..models.checking import config as read_config
from ..models.heads import HEAD_GROUPS, HeadSizes, sizes_of
from .network_reader import PictureNetwork


class AggregationHead(nn.Module):
    """A head with weights that are drawn at random.

    Args:
        sizes: of its layers.
    """

    def __init__(self, sizes: HeadSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.bottleneck_layers = nn.ModuleList(nn.Sequential(_Bottleneck(count, sizes)) for count in sizes.inputs)
        self.mixing_weights = nn.Parameter(torch.ones(len(sizes.inputs)))

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """Unit features (n, C, h, w) of pictures.

        Args:
            maps: (n, C_k, h_k, w_k) for each input; smaller ones are enlarged to the first one's size.
        """
        height, width = maps[0].shape[-2:]
        total: torch.Tensor | None = None
        for share, layer, values in zip(self.mixing_weights.softmax(0), self.bottleneck_layers, maps, strict=True):
            if values.shape[-2:] != (height, width):
                values = functional.interpolate(values, (height, width), mode="bilinear", align_corners=False)
            total = share * layer(values) if total is None else total + share * layer(values)
        assert total is not None
        return functional.normalize(total, dim=1)


class _Bottleneck(nn.Module):
    """Convolutions of 1, 3 and 1 cells, each with a group norm, beside a shortcut."""

    def __init__(self, channels: int, sizes: HeadSizes) -> None:
        super().__init__()
        self.conv1 = _NormedConvolution(channels, sizes.bottleneck, 1)
        self.conv2 = _NormedConvolution(sizes.bottleneck, sizes.bottleneck, 3)
        self.conv3 = _NormedConvolution(sizes.bottleneck, sizes.output, 1)
        same = channels == sizes.output
        self.shortcut: nn.Module = nn.Identity() if same else _NormedConvolution(channels, sizes.output, 1)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        inner = functional.relu(self.conv2(functional.relu(self.conv1(values))))
        return functional.relu(self.conv3(inner) + self.shortcut(values))


class _NormedConvolution(nn.Conv2d):
    """A convolution without bias, then a group norm."""

    def __init__(self, channels: int, output: int, size: int) -> None:
        super().__init__(channels, output, size, padding=size // 2, bias=False)
        self.norm = nn.GroupNorm(HEAD_GROUPS, output)
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self.norm(super().forward(values))


class HeadedNetwork:
    """A network whose maps go through a head; see :class:`meshkin.features.network_reader.PictureNetwork`."""

    def __init__(self, network: PictureNetwork, head: AggregationHead) -> None:
        self._network, self._head = network, head
        self.channels: tuple[int, ...] = (head.sizes.output,)
        self.device = network.device

    @torch.inference_mode()
    def maps(self, shown: torch.Tensor, seen: torch.Tensor | None = None) -> list[torch.Tensor]:
        """The head's map (n, C, h, w); 0 where the network left cells out."""
        inputs = [values.float() for values in self._network.maps(shown, seen)]
        is_known = (inputs[0] != 0).any(dim=1, keepdim=True)
        return [self._head(inputs) * is_known]

    def picture_bytes(self) -> int:
        """Peak memory of one picture."""
        return self._network.picture_bytes()


@lru_cache(maxsize=2)
def load_head(folder: Path, checksum: str, device: torch.device) -> AggregationHead:
    """The head in a folder, ready for use; the last two are kept, for as long as their ``checksum`` is the same.

    Raises ModelError ``model-wrong`` when the weights do not fit the configuration.
    """
    head = AggregationHead(sizes_of(read_config(folder), folder))
    try:
        head.load_state_dict(load_file(folder / WEIGHTS_FILE))
    except (RuntimeError, OSError) as error:
        what = f"The head in {folder} does not fit its configuration: {str(error).splitlines()[-1].strip()}."
        raise ModelError("model-wrong", what, "Import or learn it again.") from error
    return head.float().eval().requires_grad_(False).to(device)
