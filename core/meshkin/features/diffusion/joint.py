"""Stable Diffusion looking at all views of one shape at once, each seeing what it sees in some of the others.

In the self-attention of the UNet, the keys and values of a view are joined by those of others (Liu et al. 2023,
https://arxiv.org/abs/2311.12891). So all views have to be in the network at the same time. What acts on each of them
alone (nearly all of the network) works on a few rows at a time; only the maps between layers are there for all. The
result does not depend on how many.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from ...base.errors import is_out_of_memory
from ...models import lora
from .stable_diffusion import StableDiffusion

_ALONE = ("ResnetBlock2D", "FeedForward", "Downsample2D", "Upsample2D", "Attention")
"""Classes of ``diffusers`` whose modules act on each row alone, cross-attention among them."""


class JointDiffusion(StableDiffusion):
    """As :class:`StableDiffusion`; ``evaluate_together`` looks at all views at once.

    Attributes:
        rows_at_a_time: how many rows the network's layers work on at a time; halved where the memory runs out though
            networks that are not in use have left the device.
        tick: called between rows; may raise Cancelled.
    """

    def __init__(
        self, folder: Path, controls: Sequence[Path] = (), device: str = "auto", batch: int | None = None
    ) -> None:
        super().__init__(folder, controls, None, device, False, batch)
        self.rows_at_a_time: int | None = None
        self.tick: Callable[[], None] = _nothing
        self._attended: Sequence[Sequence[int]] = ()
        for name, module in self._unet.named_modules():
            if name.endswith("attn1"):
                module.set_processor(_JointAttention(self))
            elif type(module).__name__ in _ALONE:
                module.forward = _by_rows(module.forward, self)

    @property
    def alphas(self) -> torch.Tensor:
        """The share of the variance that is signal after each of the 1000 steps."""
        alphas: torch.Tensor = self._scheduler.alphas_cumprod
        return alphas

    def adapt(self, tensors: Mapping[str, torch.Tensor], what: str) -> None:
        """Give the UNet the LoRA of a file, which errors call ``what``; raises ModelError ``model-wrong``."""
        lora.fill(self._unet, tensors, what)

    def release(self) -> None:
        """Take the LoRA away: the UNet is what it was, to the last bit."""
        lora.remove(self._unet)

    def rest(self) -> None:
        """Leave the device to others until the networks are used again."""
        self._together = False
        self._use()

    @torch.inference_mode()
    def evaluate_together(
        self,
        latents: torch.Tensor,
        step: int,
        text: torch.Tensor,
        controls: Sequence[torch.Tensor] = (),
        scales: Sequence[float] = (),
        attended: Sequence[Sequence[int]] = (),
        bare: bool = False,
    ) -> torch.Tensor:
        """The noise that the UNet sees, float32 (B n, 4, h, w), in all n views of B branches.

        Args:
            latents: (B n, 4, h, w), all views of the first branch first.
            step: how noisy they are, 0 .. 999.
            text: (B n, tokens, C), from :meth:`encode_text`.
            controls: for each ControlNet its picture of the n views, float (n, 3, H, W) in [0, 1].
            scales: how much each ControlNet counts.
            attended: for each of the n views the views whose keys and values it sees; () for its own.
            bare: without the LoRA, where there is one.

        Raises MeshKinError ``memory-low``.
        """
        self._attended = attended
        while True:
            try:
                with lora.off(self._unet) if bare else contextlib.nullcontext():
                    return self._evaluate_all(latents, step, text, controls, scales)
            except RuntimeError as error:
                holds_idle = self._together and self.device.type != "cpu"
                if not is_out_of_memory(error) or not (holds_idle or self._rows_now(len(latents)) > 1):
                    raise
            # Out of the handler, whose traceback would keep what failed alive.
            if holds_idle:
                self._together = False
            else:
                self.rows_at_a_time = self._rows_now(len(latents)) // 2

    def _evaluate_all(
        self,
        latents: torch.Tensor,
        step: int,
        text: torch.Tensor,
        controls: Sequence[torch.Tensor],
        scales: Sequence[float],
    ) -> torch.Tensor:
        self._use("_unet", "_controls")
        count = len(latents)
        sample = self._last(latents.to(self.device, self.dtype))
        text = text.to(self.device)
        size = self._rows_now(count)
        looks = []
        for start in range(0, count, size):
            self.tick()
            rows = slice(start, min(start + size, count))
            looks.append(self._controlled(sample[rows], step, text[rows], controls, scales, rows))
        down: list[torch.Tensor] = []
        middle: torch.Tensor | None = None
        if looks[0][1] is not None:
            down = [torch.cat(parts) for parts in zip(*(look[0] for look in looks), strict=True)]
            middle = torch.cat([look[1] for look in looks if look[1] is not None])
        prediction = self._look(sample, step, text, down, middle, (), True)[0]
        assert prediction is not None
        return prediction

    def _rows_now(self, count: int) -> int:
        if self.rows_at_a_time is None:
            self.rows_at_a_time = self.batch or (2 if self.device.type == "cpu" else count)
        return min(self.rows_at_a_time, count)


class _JointAttention:
    """Self-attention of ``diffusers`` in which rows see the keys and values of the views that they attend to."""

    def __init__(self, owner: JointDiffusion) -> None:
        self._owner = owner

    def __call__(self, attention: Any, hidden: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        """The block's output for rows (B n, L, C)."""
        attended = self._owner._attended or [(number,) for number in range(len(hidden))]
        count, length, _width = hidden.shape
        views = len(attended)
        size = self._owner._rows_now(count)
        keys, values = (
            torch.cat([layer(rows) for rows in torch.split(hidden, size)]) for layer in (attention.to_k, attention.to_v)
        )

        def heads(rows: torch.Tensor) -> torch.Tensor:
            return rows.reshape(1, -1, attention.heads, rows.shape[-1] // attention.heads).transpose(1, 2)

        seen = []
        for row in range(count):
            self._owner.tick()
            branch = row // views * views
            others = [branch + view for view in attended[row % views]]
            query = heads(attention.to_q(hidden[row : row + 1]))
            own = functional.scaled_dot_product_attention(query, heads(keys[others]), heads(values[others]))
            seen.append(attention.to_out[0](own.transpose(1, 2).reshape(1, length, -1).to(hidden.dtype)))
        return torch.cat(seen)


def _by_rows(whole: Callable[..., torch.Tensor], owner: JointDiffusion) -> Callable[..., torch.Tensor]:
    """A module's function, run on a few rows at a time."""

    def forward(first: torch.Tensor, *rest: Any, **named: Any) -> torch.Tensor:
        count = len(first)
        size = owner._rows_now(count)
        if size >= count:
            return whole(first, *rest, **named)

        def cut(value: Any, rows: slice) -> Any:
            return value[rows] if isinstance(value, torch.Tensor) and value.dim() and len(value) == count else value

        parts = []
        for start in range(0, count, size):
            owner.tick()
            rows = slice(start, start + size)
            more = {name: cut(value, rows) for name, value in named.items()}
            parts.append(whole(first[rows], *(cut(value, rows) for value in rest), **more))
        return torch.cat(parts)

    return forward


def _nothing() -> None:
    """Nobody wants to stop."""
