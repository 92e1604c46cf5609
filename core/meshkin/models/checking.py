"""Models in folders: of which kind one is, in which files, and whether these are whole."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from ..base.errors import ModelError
from ..base.storage import UNREADABLE, models_folder
from . import heads, marigold, vision

WEIGHTS_FILE = "model.safetensors"
"""The weights of a model, where ``transformers`` saved it."""
CONFIG = "config.json"
"""The configuration of a network."""
RECORD = "meshkin-model.json"
"""What MeshKin notes of a model that it fetched: name, kind, license, source, checksum."""
WEIGHTS_NAMES = (
    "model.fp16.safetensors",
    "diffusion_pytorch_model.fp16.safetensors",
    WEIGHTS_FILE,
    "diffusion_pytorch_model.safetensors",
)
"""Names of the weights of a network that ``diffusers`` saved, in the order of preference."""
NETWORKS = {"unet": "UNet2DConditionModel", "controlnet": "ControlNetModel"}
"""Kinds that are one network of ``diffusers``, and its class."""
FAMILY = "family"
"""The kind of a family (:mod:`meshkin.families`), which users learn themselves."""
FAMILY_TYPE: Literal["meshkin-family"] = "meshkin-family"
"""What the configuration of a family calls its type."""
PICTURE: Literal["picture-lora"] = "picture-lora"
"""The kind of what was learned on pictures (:mod:`meshkin.pictures.learning`): a LoRA, or a small network."""
PICTURE_TYPE: Literal["meshkin-picture"] = "meshkin-picture"
"""What the configuration of these calls its type."""
_BITS = {
    "BOOL": 8,
    "U8": 8,
    "I8": 8,
    "F8_E4M3": 8,
    "F8_E5M2": 8,
    "U16": 16,
    "I16": 16,
    "F16": 16,
    "BF16": 16,
    "U32": 32,
    "I32": 32,
    "F32": 32,
    "U64": 64,
    "I64": 64,
    "F64": 64,
}
"""Bits of a number by safetensors' type (https://github.com/huggingface/safetensors, “Format”)."""
_NOT_NUMBERS = {"F16": ("<u2", 0x7C00), "BF16": ("<u2", 0x7F80), "F32": ("<u4", 0x7F800000)}
"""By type, how NumPy reads its bits, and those bits of the exponent that are all set in what is no number; if no other
bit beside the sign is, it is infinite (IEEE 754)."""
PARTS = ("unet", "vae", "text_encoder")
"""Folders of a Stable Diffusion model that hold weights; ``tokenizer`` and ``scheduler`` lie beside them."""
PIPELINES = ("stable-diffusion", *marigold.CLASSES)
"""Kinds that have a folder for each of :data:`PARTS`."""
SCHEDULER_CONFIG = "scheduler_config.json"
_PARTS_FILES = ("tokenizer/vocab.json", "tokenizer/merges.txt", f"scheduler/{SCHEDULER_CONFIG}")
"""Further files that such a model needs."""


@dataclass(frozen=True)
class Located:
    """A model that is there and whole.

    Attributes:
        folder: holds the weights and ``config.json``, or a folder for each part.
        name: of the model; a user's folder goes by its own name.
        kind: what it is, see :func:`kind_in`.
        checksum: SHA-256 of the weights, or of several files' checksums.
        license: SPDX, or "" where not known.
    """

    folder: Path
    name: str
    kind: str
    checksum: str
    license: str


def verify(folder: Path, kind: str) -> Located:
    """The model in ``folder``, if it is whole and of the right kind.

    Raises:
        ModelError: ``model-missing`` without such a folder; ``model-damaged`` when a file is absent, truncated or not
            what its recorded checksum says; ``model-wrong`` when it is another architecture.
    """
    folder = Path(os.path.abspath(folder))
    if not folder.is_dir():
        raise ModelError("model-missing", f"There is no folder {folder}.", "Name a folder that holds a model.")
    record = _read_json(folder / RECORD) if (folder / RECORD).exists() else {}
    name = str(record.get("name", folder.name))
    actual_kind = kind_in(folder)
    if actual_kind != kind:
        reason = "" if actual_kind else _why_unknown(folder, kind)
        unknown = f"of an unknown kind: {reason}" if reason else "of an unknown kind"
        actual = f"for “{actual_kind}”" if actual_kind else unknown
        raise ModelError(
            "model-wrong",
            f"The model in {folder} is not one for “{kind}” but {actual}.",
            f"Choose a folder with a model for “{kind}”.",
        )
    for path in weights_files(folder, kind):
        if not is_numbers(path):
            raise damaged(path, "holds values that are not numbers")
    checksum = checksum_of(folder, kind)
    if record.get("sha256", checksum) != checksum:
        raise damaged(weights_files(folder, kind)[0], "has changed since it was fetched")
    return Located(folder, name, kind, checksum, str(record.get("license", "")))


def kind_in(folder: Path) -> str:
    """The kind of the model in ``folder``.

    That is "dinov2" (any vision transformer whose tokens form a grid over the picture), "efficientnet", "family",
    "picture-lora", a head (:mod:`meshkin.models.heads`), "stable-diffusion", a part of the latter ("controlnet",
    "unet"), one of those of :mod:`meshkin.models.marigold`, or "".

    Raises ModelError ``model-damaged`` when a file is absent, cut short or cannot be read.
    """
    if (folder / "unet" / CONFIG).exists():
        for part in PARTS:
            config(folder / part)
            tensor_shapes(weights_file(folder / part))
        for name in _PARTS_FILES:
            if not (folder / name).is_file():
                raise damaged(folder / name, "is missing")
        if marigold_kind := marigold.kind_of(_index(folder)):
            return "" if _marigold_refusal(folder, marigold_kind) else marigold_kind
        unet, text = config(folder / "unet"), config(folder / "text_encoder")
        fits = unet.get("in_channels") == 4 and unet.get("cross_attention_dim") == text.get("hidden_size")
        return "stable-diffusion" if fits else ""
    for kind, network in NETWORKS.items():
        if (folder / CONFIG).exists() and config(folder).get("_class_name") == network:
            tensor_shapes(weights_file(folder))
            return kind
    shapes = tensor_shapes(folder / WEIGHTS_FILE)
    if "conv_stem.weight" in shapes and "blocks.6.0.conv_pwl.weight" in shapes:
        return "efficientnet"
    settings = config(folder)
    if settings.get("model_type") == FAMILY_TYPE:
        return FAMILY
    if settings.get("model_type") == PICTURE_TYPE:
        return PICTURE
    if settings.get("model_type") == heads.HEAD_TYPE:
        _check_head(folder, heads.sizes_of(settings, folder), shapes)
        return heads.kind_of(settings, folder)
    return "dinov2" if vision.is_vision_transformer(settings) and not vision.refusal(settings) else ""


def _why_unknown(folder: Path, kind: str) -> str:
    """Why the model in a folder, of no known kind, is not of this kind; "" where nothing can be said."""
    if kind == "dinov2" and (folder / CONFIG).exists():
        return vision.refusal(config(folder))
    if (named := marigold.kind_of(_index(folder))) and (folder / "unet" / CONFIG).exists():
        return _marigold_refusal(folder, named)
    return ""


def _index(folder: Path) -> dict[str, Any]:
    """What ``diffusers`` says of a folder; {} where it says nothing."""
    return config(folder, marigold.INDEX) if (folder / marigold.INDEX).exists() else {}


def _marigold_refusal(folder: Path, kind: str) -> str:
    """As :func:`meshkin.models.marigold.refusal`."""
    configs = {part: config(folder / part) for part in PARTS}
    configs["scheduler"] = config(folder / "scheduler", SCHEDULER_CONFIG)
    return marigold.refusal(kind, _index(folder), configs)


def _check_head(folder: Path, sizes: heads.HeadSizes, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise ModelError ``model-wrong`` unless the tensors of a head are those that its configuration tells."""
    if problem := heads.difference(sizes, shapes):
        raise ModelError("model-wrong", f"The head in {folder} {problem}.", "Import or learn it again.")


def weights_files(folder: Path, kind: str) -> list[Path]:
    """The files that hold a model's weights, there or not."""
    if kind in PIPELINES:
        return [weights_file(folder / part) for part in PARTS]
    return [weights_file(folder) if kind in NETWORKS else folder / WEIGHTS_FILE]


def weights_file(folder: Path) -> Path:
    """The file that holds a network's weights in a folder of ``diffusers``, there or not."""
    present = [folder / name for name in WEIGHTS_NAMES if (folder / name).is_file()]
    return present[0] if present else folder / WEIGHTS_NAMES[-1]


def config(folder: Path, name: str = CONFIG) -> dict[str, Any]:
    """A model's ``config.json``, or the file of another name; raises ModelError ``model-damaged``."""
    return _read_json(folder / name)


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Name and shape of each tensor in a safetensors file, read from its header.

    Raises ModelError ``model-damaged`` when the file is absent, or not as long as its header says.
    """
    if not path.is_file():
        raise damaged(path, "is missing; weights are read from safetensors only")
    try:
        with path.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > path.stat().st_size:
                raise ValueError("header longer than the file")
            header = json.loads(stream.read(length))
        header.pop("__metadata__", None)
        end = 0
        for tensor in sorted(header.values(), key=lambda tensor: tuple(tensor["data_offsets"])):
            begin, after = tensor["data_offsets"]
            if begin != end or after - begin != _BITS[tensor["dtype"]] * math.prod(map(_size, tensor["shape"])) // 8:
                raise ValueError("tensors that do not fill the file one after the other")
            end = after
        shapes = {name: tuple(tensor["shape"]) for name, tensor in header.items()}
    except (*UNREADABLE, RecursionError) as error:
        raise damaged(path, "cannot be read") from error
    if path.stat().st_size != 8 + length + end:
        raise damaged(path, "is not as long as it should be")
    return shapes


def _size(size: Any) -> int:
    """A number of a tensor's shape; raises ValueError."""
    if type(size) is not int or size < 0:
        raise ValueError(f"{size} is no size")
    return size


def checksum_of(folder: Path, kind: str) -> str:
    """SHA-256 of a model's weights; of several files, the SHA-256 of their checksums.

    For models that ``diffusers`` reads, and for families, the settings beside the weights count too: a VAE's scale or a
    scheduler's steps change features as much as weights do.
    """
    files = weights_files(folder, kind)
    if kind in PIPELINES:
        files += [folder / name for name in (*(f"{part}/{CONFIG}" for part in PARTS), *_PARTS_FILES)]
        if kind in marigold.CLASSES:
            files.append(folder / marigold.INDEX)
    elif kind in NETWORKS or kind in (FAMILY, PICTURE):
        files.append(folder / CONFIG)
    sums = [sha256(path) for path in files]
    return sums[0] if len(sums) == 1 else hashlib.sha256("".join(sums).encode()).hexdigest()


def sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal; computed once for each state of the file."""
    status = path.stat()
    return _sha256(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _sha256(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_numbers(path: Path) -> bool:
    """Whether all weights of a safetensors file are numbers; looked at once for each state of the file."""
    status = path.stat()
    return _is_numbers(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _is_numbers(path: Path, size: int, modified: int) -> bool:
    import numpy as np  # here, because the list of models needs none

    with path.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header = json.loads(stream.read(length))
        for name, tensor in header.items():
            if name != "__metadata__" and tensor["dtype"] in _NOT_NUMBERS:
                kind, exponent = _NOT_NUMBERS[tensor["dtype"]]
                begin, end = tensor["data_offsets"]
                stream.seek(8 + length + begin)
                bits = np.frombuffer(stream.read(end - begin), kind)
                all_but_sign = np.array(~(1 << (8 * bits.itemsize - 1)) & (256**bits.itemsize - 1), kind)
                if ((bits & all_but_sign) > exponent).any():
                    return False
    return True


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(path, "is missing or cannot be read") from error
    if not isinstance(data, dict):
        raise damaged(path, "does not hold what it should")
    return data


def damaged(path: Path, what: str, fix: str = "") -> ModelError:
    """A ``model-damaged`` error about one file."""
    if not fix:
        home = os.path.abspath(models_folder())
        ours = path.parent != Path(home) and path.is_relative_to(home)
        name = path.relative_to(home).parts[0].replace("--", "/") if ours else ""
        fix = f"Run “meshkin models get {name}”." if ours else "Fetch or copy the model again."
        if _is_family(path.parent):
            fix = f"Learn the family “{path.parent.name}” again, or copy it from where it is whole."
    return ModelError("model-damaged", f"The model file {path} {what}.", fix)


def _is_family(folder: Path) -> bool:
    """Whether a folder holds, or held, a family."""
    with contextlib.suppress(*UNREADABLE, RecursionError):
        return bool(json.loads((folder / RECORD).read_text(encoding="utf-8"))["kind"] == FAMILY)
    return False
