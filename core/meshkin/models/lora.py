"""A LoRA on the attention of a UNet of Stable Diffusion: added, filled, read and taken away, by peft and diffusers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from ..base.errors import ModelError

RANK = 4
"""Of a LoRA. Published."""
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
"""The layers of every attention that a LoRA is added to. Published."""

NamedTensors = dict[str, torch.Tensor]


def add(unet: Any, seed: int = 0, rank: int = RANK) -> None:
    """Add a LoRA that changes nothing yet; its numbers are drawn with ``seed``."""
    from peft import LoraConfig

    torch.manual_seed(seed)
    unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=list(ATTENTION), init_lora_weights="gaussian"))


def tensors(unet: Any) -> NamedTensors:
    """The numbers of its LoRA by their names in a file."""
    from peft import get_peft_model_state_dict

    return {f"unet.{name}": value for name, value in get_peft_model_state_dict(unet).items()}


def fill(unet: Any, values: Mapping[str, torch.Tensor], what: str) -> None:
    """Give a UNet the LoRA of a file in place of the one that it may have; raises ModelError ``model-wrong``,
    ``model-damaged``, which call the file ``what``, and leave it as it was."""
    from peft import set_peft_model_state_dict

    before = tensors(unet) if is_there(unet) else None
    remove(unet)
    ranks = {value.shape[0] for name, value in values.items() if name.endswith("lora_A.weight")}
    add(unet, rank=ranks.pop() if len(ranks) == 1 else RANK)
    try:
        check_tensors(values, tensors(unet), what)
    except ModelError:
        remove(unet)
        if before is not None:
            fill(unet, before, what)
        raise
    set_peft_model_state_dict(unet, {name.removeprefix("unet."): value for name, value in values.items()})


def remove(unet: Any) -> None:
    """Take the LoRA away, if there is one: the UNet has its own layers again, which never changed."""
    if is_there(unet):
        unet.unload_lora()


@contextlib.contextmanager
def off(unet: Any) -> Iterator[None]:
    """Let a UNet compute without its LoRA, if it has one."""
    if not is_there(unet):
        yield
        return
    unet.disable_adapters()
    try:
        yield
    finally:
        unet.enable_adapters()


def is_there(unet: Any) -> bool:
    """Whether a UNet has a LoRA."""
    return bool(getattr(unet, "peft_config", None))


def check_tensors(given: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor], what: str) -> None:
    """Raise ModelError ``model-wrong`` unless tensors have the names and shapes of those wanted, ``model-damaged``
    unless they are numbers."""
    fix = "Use it with the model that it was learned on."
    for name, value in wanted.items():
        if name not in given:
            raise ModelError("model-wrong", f"{what} is for another network: it lacks “{name}”.", fix)
        if given[name].shape != value.shape:
            shapes = f"{tuple(given[name].shape)} in place of {tuple(value.shape)}"
            raise ModelError(
                "model-wrong", f"{what} is for another network: it has “{name}” of the shape {shapes}.", fix
            )
        if not torch.isfinite(given[name]).all():
            raise ModelError(
                "model-damaged", f"{what} holds values of “{name}” that are not numbers.", "Make it again."
            )
    if surplus := sorted(set(given) - set(wanted)):
        raise ModelError("model-wrong", f"{what} is for another network: it has “{surplus[0]}”.", fix)
