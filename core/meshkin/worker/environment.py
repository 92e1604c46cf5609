"""Python environments: finding the worker's, and making one from a list of requirements.

Standard library only: this runs inside Blender, and in a plain Python before anything is installed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import site
import sys
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from ..base import network, processes
from ..base.errors import InputError, StorageError, WorkerError
from ..base.progress import Progress
from ..base.storage import home, make_folder, readable_failure, write_file
from ..base.temporary import lock_file
from . import requirements as worker_requirements

OLDEST_PYTHON = (3, 11)
"""That of the oldest Blender, and the oldest that the libraries' wheels are made for."""

_MARKER = "meshkin-environment.json"
"""Lies in each environment made here: {"requirements": hash, "python": "3.11", "complete": whether it was finished}."""


def worker_folder() -> Path:
    """Where the worker's environment lies."""
    return home() / "worker"


def find() -> Path | None:
    """The Python that runs the worker; None if there is none.

    This is the first of: ``MESHKIN_WORKER_PYTHON`` (even if it does not exist); the environment in
    :func:`worker_folder`, if it is complete and up to date; this interpreter, if it has all the libraries of
    :mod:`meshkin.worker.requirements`.
    """
    if python := chosen():
        return python
    if is_complete(worker_folder(), worker_requirements.read()):
        return python_in(worker_folder())
    # Its own folders only: inside Blender, libraries lie on this process's path that a worker would not find.
    if not worker_requirements.missing(site.getsitepackages()):
        return own_python()
    return None


def chosen() -> Path | None:
    """The worker's Python that ``MESHKIN_WORKER_PYTHON`` names; None if it names none."""
    name = os.environ.get("MESHKIN_WORKER_PYTHON", "")
    return Path(name).expanduser() if name else None


def own_python() -> Path:
    """The interpreter that runs this; inside Blender the one that comes with it, never Blender itself.

    Raises WorkerError ``python-missing``.
    """
    folder = Path(sys.prefix) if sys.platform == "win32" else Path(sys.prefix) / "bin"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for path in (Path(sys.executable), *(folder / f"python{tail}" for tail in (version, "3", "", ".exe"))):
        if path.name.lower().startswith("python") and path.is_file():
            return path
    raise WorkerError(
        "python-missing",
        "The Python interpreter that belongs to this Blender cannot be found.",
        "Install Python 3.11 or newer and choose it for the worker.",
    )


def python_in(folder: Path) -> Path:
    """The interpreter of the environment in ``folder``."""
    return folder / "Scripts" / "python.exe" if sys.platform == "win32" else folder / "bin" / "python"


def is_complete(folder: Path, requirements: Sequence[str], version: str | None = None) -> bool:
    """Whether ``folder`` holds an environment that :func:`create` finished, and that can be used. Starts no process.

    Args:
        folder: of the environment.
        requirements: it must have been made from exactly these.
        version: of the Python that it must have been made with ("3.11"); None for any.

    The base interpreter of the environment must still be there, too.
    """
    marker = _read_marker(folder)
    if marker is None or marker.get("complete") is not True or marker.get("requirements") != _hash(requirements):
        return False
    if version is not None and marker.get("python") != version:
        return False
    with contextlib.suppress(OSError):
        settings = (folder / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace")
        base = re.search(r"^home\s*=\s*(.*?)\s*$", settings, re.MULTILINE)
        return base is not None and Path(base[1]).is_dir() and python_in(folder).is_file()
    return False


def mark_unfinished(folder: Path) -> None:
    """Let an environment that does not work no longer count as complete, so that :func:`create` makes it anew."""
    marker = _read_marker(folder)
    if marker is not None:
        _write(folder / _MARKER, json.dumps({**marker, "complete": False}))


def create(
    folder: Path, requirements: Sequence[str], python: Path | str | None = None
) -> Generator[Progress, None, Path]:
    """Make a virtual environment with ``requirements`` in ``folder``, unless it is there already.

    The generator yields its latest progress and never waits; it returns the environment's interpreter. An environment
    that was not finished (the generator was closed, failed, or its process was killed) does not count as complete: the
    next call makes it anew. Two processes that make the same environment wait for each other. The output of ``pip`` is
    kept beside the folder, as ``<folder>.log``.

    Args:
        folder: of the environment.
        requirements: pip's requirement lines; ``-e /path`` and paths of wheels too.
        python: the interpreter to make it with. None stands for :func:`own_python`; then an environment that was made
            with any other Python is left as it is.

    Raises WorkerError ``python-missing``, ``python-too-old``, ``venv-missing`` or ``pip-failed``; InputError
    ``folder-taken`` (something else is in it); StorageError.
    """
    folder = Path(os.path.abspath(folder.expanduser()))
    version = None if python is None else (yield from _version(python))
    if is_complete(folder, requirements, version):
        return python_in(folder)
    base = Path(python) if python is not None else own_python()
    version = version or (yield from _version(base))
    if tuple(map(int, version.split("."))) < OLDEST_PYTHON:
        fix = f"Use Python {'.'.join(map(str, OLDEST_PYTHON))} or newer."
        raise WorkerError("python-too-old", f"{base} is Python {version}, which is too old.", fix)
    make_folder(folder.parent)
    lock = folder.with_name(folder.name + ".lock")
    with readable_failure(lock, "writing"), lock.open("ab") as stream:
        while lock_file(stream) is False:
            yield Progress("Waiting for another setup to finish", 0.0)
        if not is_complete(folder, requirements, version):
            if folder.exists() and _read_marker(folder) is None and not _is_empty(folder):
                raise InputError(
                    "folder-taken", f"{folder} holds something that MeshKin did not make.", "Choose another folder."
                )
            try:
                yield from _build(folder, requirements, base, version)
            except Exception:
                shutil.rmtree(folder, ignore_errors=True)
                raise
    return python_in(folder)


def _build(folder: Path, requirements: Sequence[str], base: Path, version: str) -> Generator[Progress, None, None]:
    """Make the environment step by step. Only the last step writes into the marker that it is complete."""
    log = _log_of(folder)
    log.unlink(missing_ok=True)
    if folder.exists():
        status = yield from processes.run_python(
            base, ["-c", _REMOVE, folder], log, Progress("Removing the old one", 0.0)
        )
        _require(status, "remove", folder, base)
    make_folder(folder)
    marker = {"requirements": _hash(requirements), "python": version, "complete": False}
    _write(folder / _MARKER, json.dumps(marker))
    _write(folder / "requirements.txt", "".join(f"{line}\n" for line in requirements))

    status = yield from processes.run_python(
        base, ["-m", "venv", folder], log, Progress("Making the environment", 0.02)
    )
    _require(status, "venv", folder, base)
    yield from _install(folder, requirements, log, base)
    _write(folder / _MARKER, json.dumps({**marker, "complete": True}))


def _install(folder: Path, requirements: Sequence[str], log: Path, base: Path) -> Generator[Progress, None, None]:
    """Let pip install the requirements; where the connection is lost on the way, it is tried again after a while.

    Whole files stay in pip's cache. A pip that knows how goes on in the middle of a file, and tells how much of it is
    there; those that come with Python do not, so a newer one is installed first, if one can be had.
    """
    python, more = python_in(folder), network.pip_sources()
    if not more and all(_PLAIN.match(line) for line in requirements):
        newer: list[Path | str] = [*_PIP, "--upgrade", "--retries", "1", _NEWER_PIP]
        status = yield from processes.run_python(python, newer, log, Progress("Looking for a newer pip", 0.04))
        more += ["--progress-bar", "raw"] if status == 0 else []
    install: list[Path | str] = [*_PIP, *more, "-r", folder / "requirements.txt"]
    trusts_system = False
    for wait in (*network.RETRY_WAITS, None):
        told, looking = network.PipProgress(0.05, 0.85), Progress("Looking for the libraries", 0.05)
        status = yield from processes.run_python(python, install, log, looking, told.read)
        if status and network.UNTRUSTED.search(told.output) and not trusts_system and "PIP_CERT" not in os.environ:
            trusts_system = True  # a company's certificates are usually among those of the system
            install[3:3] = ["--use-feature", "truststore"]
            continue
        if status == 0 or wait is None or not told.has_downloaded or not network.LOST.search(told.output):
            break
        until = time.monotonic() + wait
        yield (lost := Progress(network.WAITING, 0.05))
        while time.monotonic() < until:
            yield lost
    _require(status, "pip", folder, base)


# The pip of a setup that was killed may run on for some seconds, and write into the folder that is being removed.
_REMOVE = """
import os, shutil, sys, time
for wait in range(60):
    shutil.rmtree(sys.argv[1], ignore_errors=wait < 59)
    if not os.path.exists(sys.argv[1]):
        break
    time.sleep(0.5)
"""
_NEWER_PIP = "pip>=25.2"
"""The first that goes on in the middle of a file, and tells how much of it is there (--progress-bar raw)."""
_PLAIN = re.compile(r"[\w.-]+\s*([=<>!~]|$)|#")
"""A requirement that pip looks up where it looks by default."""
_PIP = ("-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--prefer-binary")


def _log_of(folder: Path) -> Path:
    return folder.with_name(folder.name + ".log")


def _write(path: Path, text: str) -> None:
    write_file(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def _hash(requirements: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(requirements).encode()).hexdigest()


def _read_marker(folder: Path) -> dict[str, Any] | None:
    """The content of the folder's marker; None if the folder is no environment that was made here."""
    try:
        marker = json.loads((folder / _MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return marker if isinstance(marker, dict) else None


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _require(status: int, step: str, folder: Path, base: Path) -> None:
    """Raise the error that explains why a step failed; its log says why. A status of 0 is no failure."""
    if status == 0:
        return
    log = _log_of(folder)
    output, end, whole = processes.end_of_file(log, 60), processes.end_of_file(log, 12), f"The whole log is {log}."
    full = shutil.disk_usage(folder.parent).free < 1 << 24  # venv does not pass on the output of its steps
    if full or re.search(r"No space left on device|Errno 28\b|not enough space on the disk", output):
        raise StorageError(
            "disk-full",
            f"There is no space left to make the environment {folder}.",
            "Free some space, or choose another place with MESHKIN_HOME.",
        )
    if step == "venv" and re.search(r"ensurepip|No module named '?venv", output):
        raise WorkerError(
            "venv-missing",
            f"{base} cannot make virtual environments: its “venv” or “ensurepip” module is missing.",
            "On Debian or Ubuntu install the package python3-venv: `sudo apt install python3-venv`.",
        )
    if step == "pip":
        advice = f"{network.advice(output)} {whole}".strip()
        raise WorkerError("pip-failed", f"pip could not install the libraries. Its output ends:\n{end}\n", advice)
    raise WorkerError(
        "environment-failed", f"The environment {folder} could not be made. The log ends:\n{end}\n", whole
    )


def _version(python: Path | str) -> Generator[Progress, None, str]:
    """The interpreter's version ("3.11"); raises WorkerError ``python-missing`` if it is no interpreter."""
    output: list[str] = []
    code = "import sys; print('version %d.%d' % sys.version_info[:2])"
    with contextlib.suppress(OSError):
        yield from processes.run_python(python, ["-c", code], None, Progress("Preparing", 0.0), output.append)
    for line in output:
        if line.startswith("version "):
            return line.split()[1]
    raise WorkerError("python-missing", f"{python} is not a Python interpreter.", "Choose another Python.")


def variables_in_blender(temporary: Path) -> dict[str, str]:
    """Variables for a Blender that is started for commands.

    Args:
        temporary: the folder for temporary files, with which goes what Blender leaves when it is killed.
    """
    variables = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))
    if worker := find():  # it may be this Python, which would not be found inside Blender
        variables["MESHKIN_WORKER_PYTHON"] = str(worker)
    return variables
