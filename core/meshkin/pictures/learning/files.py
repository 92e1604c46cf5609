"""What was learned, in one file: the numbers as safetensors, and in their header what is noted of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ...base.errors import InputError, ModelError
from ...base.json_data import from_json, to_json
from ...base.storage import UNREADABLE, write_file
from ...models import torch_files
from .record import LearnedRecord

NOTED = "meshkin"
"""The entry of the header that holds the record."""
_LAYER = r"(?:unet\.)?(?P<layer>[\w.]+\.attn[12])\."
_WHICH = r"(?P<which>to_q|to_k|to_v|to_out)"
_PUBLISHED = (
    re.compile(rf"{_LAYER}processor\.{_WHICH}_lora\.(?P<side>down|up)\.weight"),
    re.compile(rf"{_LAYER}{_WHICH}(?:\.0)?\.lora(?:_linear_layer)?\.(?P<side>down|up)\.weight"),
    re.compile(rf"{_LAYER}{_WHICH}(?:\.0)?\.lora_(?P<side>A|B)(?:\.\w+)?\.weight"),
)
"""How LoRA files call their tensors: those of diffusers until 0.20, of diffusers after that, and of peft."""
_SIDES = {"down": "A", "up": "B", "A": "A", "B": "B"}
_NEEDED = "Use a LoRA on the attention of a Stable Diffusion 1.x UNet."


def write(path: Path, tensors: Mapping[str, torch.Tensor], record: Any) -> None:
    """Write what was learned, and a dataclass of what is noted of it, whole or not at all; raises StorageError."""
    kept = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    data = _sorted_header(save(kept, {"format": "pt", NOTED: json.dumps(to_json(record))}))
    write_file(path, lambda file: file.write_bytes(data))


def _sorted_header(data: bytes) -> bytes:
    """A safetensors file with its header sorted: the library writes the entries of the user's in any order."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8:end]), sort_keys=True, ensure_ascii=False).encode()
    header += b" " * (-len(header) % 8)  # as the format wants it: the numbers begin at a multiple of 8
    return len(header).to_bytes(8, "little") + header + data[end:]


def read(path: Path) -> tuple[dict[str, torch.Tensor], LearnedRecord]:
    """What a file holds: what :func:`write` has written, or a published LoRA.

    Raises ModelError ``model-damaged``, ``model-wrong``.
    """
    tensors, noted = read_tensors(path)
    if not noted:
        return lora_tensors(tensors, path), LearnedRecord("", "lora")
    try:
        return tensors, from_json(LearnedRecord, json.loads(noted))
    except (*UNREADABLE, InputError) as error:
        raise _damaged(path, error) from error


def read_tensors(path: Path) -> tuple[dict[str, Any], str]:
    """The tensors of a file, and what is noted in its header; no code in it is run. Raises ModelError."""
    try:
        if path.suffix != ".safetensors":
            return dict(torch_files.load(path)), ""
        with safe_open(path, "pt") as file:
            noted = (file.metadata() or {}).get(NOTED, "")
            return {name: file.get_tensor(name) for name in file.keys()}, noted  # noqa: SIM118
    except (*UNREADABLE, SafetensorError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: BaseException) -> ModelError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return ModelError("model-damaged", f"{path} cannot be read: {reason:.200}.", "Get or learn it again.")


def lora_tensors(state: Mapping[str, Any], path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a LoRA, float32, by the names that peft has for them, beginning with ``unet.``.

    Raises ModelError ``model-wrong`` for a name that is no LoRA's on a UNet's attention, for one that lacks its other
    half, and for shapes that do not fit each other.
    """
    found: dict[str, torch.Tensor] = {}
    for name, value in state.items():
        match = next((match for form in _PUBLISHED if (match := form.fullmatch(name))), None)
        if match is None or not isinstance(value, torch.Tensor) or value.ndim != 2 or not value.is_floating_point():
            raise ModelError("model-wrong", f"{path} holds “{name}”, which no such LoRA has.", _NEEDED)
        which = "to_out.0" if match["which"] == "to_out" else match["which"]
        ours = f"unet.{match['layer']}.{which}.lora_{_SIDES[match['side']]}.weight"
        if not torch.isfinite(value).all():
            raise ModelError("model-damaged", f"{path} holds values of “{name}” that are not numbers.", "Get it again.")
        if ours in found:
            raise ModelError("model-wrong", f"{path} holds “{ours}” twice.", _NEEDED)
        found[ours] = value.float()
    if not found:
        raise ModelError("model-wrong", f"{path} holds no tensors.", _NEEDED)
    ranks = set()
    for name, value in found.items():
        other = found.get(name.replace("lora_A", "lora_B") if "lora_A" in name else name.replace("lora_B", "lora_A"))
        if other is None:
            raise ModelError("model-wrong", f"{path} lacks the other half of “{name}”.", _NEEDED)
        ranks.add(value.shape[0] if "lora_A" in name else value.shape[1])
    if len(ranks) > 1:
        raise ModelError("model-wrong", f"{path} mixes the ranks {sorted(ranks)}.", _NEEDED)
    return found
