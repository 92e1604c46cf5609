"""The network of DINOv2 (Oquab et al. 2023, https://arxiv.org/abs/2304.07193), for only those patches that are wanted.

A transformer takes any set of patches, each with its position. Most of a rendered picture is plain background; without
it a block has a third of the work, attention a tenth. The patches of several pictures lie in one long list, so that
matrices are large, and each picture's patches attend to each other alone.

Written after the published code and tested against the network as ``transformers`` runs it; registers: Darcet et al.,
"Vision Transformers Need Registers", 2024.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch.nn import functional

from ..models.checking import WEIGHTS_FILE
from ..models.vision import DINOV2_TYPES

_NORM_EPSILON = 1e-6
"""Added to the variance in layer norms where the configuration tells nothing, as published."""


@dataclass(frozen=True)
class Affine:
    """A weight (D, C) or (C,) and a bias (D,)."""

    weight: torch.Tensor
    bias: torch.Tensor


@dataclass(frozen=True)
class Block:
    """One block of the transformer: x + attend(norm(x)), then x + expand-and-contract(norm(x)).

    Attributes:
        attention_norm, mlp_norm: the layer norms.
        queries: of queries, keys and values, one below the other, (3 C, C).
        output: of what the attention gives; the layer scale is in it.
        expand, contract: of the MLP; the layer scale is in the second.
    """

    attention_norm: Affine
    queries: Affine
    output: Affine
    mlp_norm: Affine
    expand: Affine
    contract: Affine


def fits(settings: Mapping[str, Any]) -> bool:
    """Whether a model's configuration is one of this network; the largest DINOv2 has another MLP."""
    is_usual = settings.get("hidden_act", "gelu") == "gelu" and settings.get("qkv_bias", True)
    return settings.get("model_type") in DINOV2_TYPES and is_usual and not settings.get("use_swiglu_ffn", False)


class Dinov2Network:
    """A DINOv2 up to some block.

    Args:
        folder: the model, as ``transformers`` keeps it.
        settings: its configuration.
        blocks: how many to build; the others are not read.
        device: where it runs.
        dtype: precision of its matrices; sums and norms are float32.

    Attributes:
        channels: of every hidden state.
        leading: tokens before those of the patches: the class's and the registers.

    Raises:
        KeyError, RuntimeError, SafetensorError, OSError: when a tensor is missing or has another shape.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, Any], blocks: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.channels = int(settings["hidden_size"])
        self.dtype = dtype
        self._heads = int(settings["num_attention_heads"])
        self._epsilon = float(settings.get("layer_norm_eps", _NORM_EPSILON))
        self._smooth_positions = settings["model_type"] == "dinov2_with_registers"
        with safe_open(folder / WEIGHTS_FILE, framework="pt") as file:

            def read(name: str, *shape: int) -> torch.Tensor:
                tensor: torch.Tensor = file.get_tensor(name)
                if shape and tuple(tensor.shape) != shape:
                    raise KeyError(f"{name} of shape {shape}")
                return tensor.float().to(device)

            width, hidden = self.channels, int(self.channels * float(settings.get("mlp_ratio", 4)))
            self._patches = Affine(
                read("embeddings.patch_embeddings.projection.weight").flatten(1),
                read("embeddings.patch_embeddings.projection.bias", width),
            )
            self._positions = read("embeddings.position_embeddings")[0]
            leading = read("embeddings.cls_token", 1, 1, width)[0] + self._positions[:1]
            if "embeddings.register_tokens" in set(file.keys()):
                leading = torch.cat((leading, read("embeddings.register_tokens")[0]))
            self._first = leading
            self._norm = Affine(read("layernorm.weight", width), read("layernorm.bias", width))
            self._blocks = [
                self._block(lambda name, *shape, at=number: read(f"encoder.layer.{at}.{name}", *shape), width, hidden)
                for number in range(blocks)
            ]
        self.leading = len(leading)

    def _block(self, read: Any, width: int, hidden: int) -> Block:
        """A block from its tensors, which ``read`` gives by name and shape."""

        def norm(name: str) -> Affine:
            return Affine(read(f"{name}.weight", width), read(f"{name}.bias", width))

        def affine(name: str, out: int, into: int, scale: torch.Tensor | None = None) -> Affine:
            weight, bias = read(f"{name}.weight", out, into), read(f"{name}.bias", out)
            if scale is not None:
                weight, bias = weight * scale[:, None], bias * scale
            return Affine(weight.to(self.dtype), bias.to(self.dtype))

        three = [affine(f"attention.attention.{name}", width, width) for name in ("query", "key", "value")]
        return Block(
            norm("norm1"),
            Affine(torch.cat([one.weight for one in three]), torch.cat([one.bias for one in three])),
            affine("attention.output.dense", width, width, read("layer_scale1.lambda1", width)),
            norm("norm2"),
            affine("mlp.fc1", hidden, width),
            affine("mlp.fc2", width, hidden, read("layer_scale2.lambda1", width)),
        )

    def states(self, pictures: torch.Tensor, kept: torch.Tensor, layers: Sequence[int]) -> Iterator[torch.Tensor]:
        """Hidden states of the kept patches after the final layer norm, float32 (M, C) for each layer.

        Args:
            pictures: float (n, 3, h, w), standardized, h and w multiples of the patch size.
            kept: bool (n, rows, columns), which patches take part; M of them, in the order of the pictures, row by row.
            layers: ascending: 0 is the embedding, k what block k puts out.
        """
        counts = kept.flatten(1).sum(dim=1).tolist()
        tokens, is_patch = self._embedded(pictures, kept, counts)
        lengths = [self.leading + count for count in counts]
        done = 0
        for layer in layers:
            for block in self._blocks[done:layer]:
                tokens = self._after(block, tokens, lengths)
            done = layer
            yield functional.layer_norm(tokens, (self.channels,), self._norm.weight, self._norm.bias, self._epsilon)[
                is_patch
            ]

    def _embedded(
        self, pictures: torch.Tensor, kept: torch.Tensor, counts: Sequence[int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """All pictures' tokens one below the other, float32 (T, C), and which of them are patches, bool (T,)."""
        number, rows, columns = kept.shape
        side = pictures.shape[-1] // columns
        cut = pictures.reshape(number, 3, rows, side, columns, side).permute(0, 2, 4, 1, 3, 5)
        patches = functional.linear(cut[kept].flatten(1).float(), self._patches.weight, self._patches.bias)
        patches += self._positions_of(rows, columns)[kept.nonzero()[:, 1], kept.nonzero()[:, 2]]
        parts, is_patch = [], []
        for part in torch.split(patches, list(counts)):
            parts += [self._first, part]
            is_patch += [False] * self.leading + [True] * len(part)
        return torch.cat(parts), torch.tensor(is_patch, device=patches.device)

    def _positions_of(self, rows: int, columns: int) -> torch.Tensor:
        """Embeddings of the positions in a grid, (rows, columns, C), interpolated from the model's own as published."""
        side = round((len(self._positions) - 1) ** 0.5)
        own = self._positions[1:].reshape(side, side, self.channels)
        if (rows, columns) == (side, side):
            return own
        own = own.permute(2, 0, 1)[None]
        smooth = self._smooth_positions
        made = functional.interpolate(own, (rows, columns), mode="bicubic", align_corners=False, antialias=smooth)
        return made[0].permute(1, 2, 0)

    def _after(self, block: Block, tokens: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
        """The tokens (T, C) after a block; ``lengths`` are the numbers of tokens of each picture."""
        triple = self._linear(self._normed(tokens, block.attention_norm), block.queries)
        attended = torch.empty((len(tokens), self.channels), dtype=self.dtype, device=tokens.device)
        ends = itertools.accumulate(lengths)
        for end, length in zip(ends, lengths, strict=True):
            own = slice(end - length, end)
            query, key, value = triple[own].view(length, 3, self._heads, -1).permute(1, 2, 0, 3)
            answer = functional.scaled_dot_product_attention(query[None], key[None], value[None])
            attended[own] = answer[0].transpose(0, 1).reshape(length, self.channels)
        tokens = tokens + self._linear(attended, block.output)
        expanded = functional.gelu(self._linear(self._normed(tokens, block.mlp_norm), block.expand))
        return tokens + self._linear(expanded, block.contract)

    def _normed(self, tokens: torch.Tensor, norm: Affine) -> torch.Tensor:
        return functional.layer_norm(tokens, (self.channels,), norm.weight, norm.bias, self._epsilon).to(self.dtype)

    @staticmethod
    def _linear(values: torch.Tensor, affine: Affine) -> torch.Tensor:
        return functional.linear(values, affine.weight, affine.bias)
