"""The network of a family: features in, points of a sphere out, and back.

Source: Uzolas, Eisemann and Kellnhofer, "Surface-Aware Distilled 3D Semantic Features" (SIGGRAPH Asia 2025), whose
released code has the same layers with widths 2048, 1024, 512, 256.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

LEAST_NORM = 1e-8
"""Added to the length of a row before it is divided by it, as in the released code."""


class FamilyBlock(nn.Module):
    """LN(SiLU(W2 LN(SiLU(W1 x)))): the first layer keeps the width, the second one changes it."""

    def __init__(self, width: int, result: int) -> None:
        super().__init__()
        self.fc1, self.norm1 = nn.Linear(width, width), nn.LayerNorm(width)
        self.fc2, self.norm2 = nn.Linear(width, result), nn.LayerNorm(result)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Rows (N, width) in, (N, result) out."""
        inner: torch.Tensor = self.norm1(nn.functional.silu(self.fc1(rows)))
        outer: torch.Tensor = self.norm2(nn.functional.silu(self.fc2(inner)))
        return outer


class FamilyNetwork(nn.Module):
    """An encoder to unit rows, and a decoder that mirrors it.

    Attributes:
        widths: of the input, of the layers between, and of the embedding.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.widths = tuple(widths)
        steps = list(zip(self.widths[:-1], self.widths[1:], strict=True))
        self.encoder = nn.Sequential(*(FamilyBlock(one, two) for one, two in steps))
        self.decoder = nn.Sequential(*(FamilyBlock(two, one) for one, two in reversed(steps)))

    def encode(self, rows: torch.Tensor) -> torch.Tensor:
        """The embedding of rows (N, C), unit rows (N, E)."""
        return _unit(self.encoder(rows))

    def decode(self, embedded: torch.Tensor) -> torch.Tensor:
        """The directions of the rows (N, C) that were embedded as (N, E)."""
        return _unit(self.decoder(embedded))


def reconstruction_loss(rows: torch.Tensor, decoded: torch.Tensor) -> torch.Tensor:
    """One minus the cosine between rows (N, C) and what was decoded of them, on average."""
    return (1 - nn.functional.cosine_similarity(rows, decoded, dim=1)).mean()


def distance_loss(embedded: torch.Tensor, anchors: torch.Tensor, distances: torch.Tensor) -> torch.Tensor:
    """How far half the cosine distance of embedded points is from their distance along the surface, on average.

    Args:
        embedded: (N, E), unit rows.
        anchors: (A, E), unit rows.
        distances: (N, A), in [0, 1]: 1 for the farthest pair.
    """
    return (distances - (1 - embedded @ anchors.T) / 2).abs().mean()


def _unit(rows: torch.Tensor) -> torch.Tensor:
    return rows / (rows.norm(dim=1, keepdim=True) + LEAST_NORM)
