"""Checkpoints as the published code of families writes them."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import nn


class Block(nn.Module):
    """A block as the published code has it: most layers go by two names."""

    def __init__(self, width: int, result: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, width), nn.Linear(width, result)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(result)
        self.block1 = nn.Sequential(self.fc1, nn.SiLU())
        self.block2 = nn.Sequential(self.fc2, nn.SiLU(), self.norm2)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.block2(self.norm1(self.block1(rows)))
        return out


class Coder(nn.Module):
    """Blocks, one after the other."""

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.net = nn.Sequential(*(Block(one, two) for one, two in itertools.pairwise(widths)))


class Published(nn.Module):
    """A network of 16, 8 and 4 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = Coder([16, 8, 4]), Coder([4, 8, 16])


def checkpoint() -> tuple[Published, dict[str, Any]]:
    """A small network, and the file in which it is the moving average beside another one."""
    torch.manual_seed(0)
    network, online = Published(), Published()
    state = {f"ema_model.{name}": value for name, value in network.state_dict().items()}
    state |= {f"online_model.{name}": value for name, value in online.state_dict().items()}
    return network, {"model_state_dict": {**state, "initted": torch.tensor(True), "step": torch.tensor(9)}, "it": 5}
