"""Networks of ``diffusers`` and ``transformers``, loaded from folders and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..base.errors import ModelError
from .checking import weights_file


def load_network(network_class: Any, folder: Path, dtype: torch.dtype, **options: Any) -> Any:
    """One network, in evaluation mode, on the CPU.

    Args:
        network_class: of ``diffusers`` or ``transformers``.
        folder: holds its weights as safetensors, and its configuration.
        dtype: of its weights.
        options: given to ``from_pretrained`` of a class of ``transformers``.

    Raises ModelError ``model-wrong`` when the weights do not fit the configuration.
    """
    variant = "fp16" if ".fp16." in weights_file(folder).name else None
    fixed = {"use_safetensors": True, "local_files_only": True, "variant": variant, "output_loading_info": True}
    precision = {"dtype" if options else "torch_dtype": dtype}  # transformers and diffusers call it differently
    try:
        network, report = network_class.from_pretrained(folder, **fixed, **precision, **options)
    except (OSError, ValueError, RuntimeError, KeyError, AttributeError, TypeError) as error:
        raise _wrong(folder, f"cannot be loaded: {error}") from error
    if missing := sorted(report["missing_keys"]):
        raise _wrong(folder, f"lacks {len(missing)} of its tensors, such as {missing[0]}")
    if report["mismatched_keys"]:
        raise _wrong(folder, f"has tensors of other sizes than its config.json says: {report['mismatched_keys']}")
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def compile_attention(network: Any) -> None:
    """Compile the attention blocks, all alike, so that each kind is compiled once.

    Without a compiler on the machine the blocks run as they are.
    """
    torch._dynamo.config.suppress_errors = True
    for module in network.modules():
        if type(module).__name__ == "BasicTransformerBlock":
            module.compile(dynamic=True)


def weight_bytes(network: Any) -> int:
    """Bytes that the weights of a network take."""
    return sum(value.numel() * value.element_size() for value in network.parameters())


def quieten() -> None:
    """Keep the libraries from writing bars and advice to the worker's log."""
    import diffusers.utils.logging
    import transformers.utils.logging

    for library in (diffusers.utils.logging, transformers.utils.logging):
        library.set_verbosity_error()
        library.disable_progress_bar()


def _wrong(folder: Path, what: str) -> ModelError:
    fix = "Fetch or copy the model again, or choose another."
    return ModelError("model-wrong", f"The model in {folder} {what}.", fix)
