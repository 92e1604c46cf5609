"""Commands that need no Blender: doctor, models, cache, worker."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path
from typing import Any

from ..base.progress import Result
from ..base.storage import UNLIMITED, readable_failure
from ..worker import setup
from ..worker.codec import as_data
from ..worker.requests import Request, maintenance
from ..worker.requests.families import ImportModel
from . import doctor
from .arguments import CommandResult, command
from .console import drive


def add(commands: Any) -> None:
    """Add this module's commands to the parser."""
    command(commands, "doctor", _doctor, "check what MeshKin needs, and say how to get what is missing")

    group = commands.add_parser("models", help="the models that extractors use").add_subparsers(
        dest="what", required=True
    )
    parser = command(group, "get", _models_get, "download models")
    parser.add_argument(
        "name",
        nargs="?",
        default="embedded",
        help="a model of “meshkin models list”, an ID on the Hugging Face Hub, or a name for several models: "
        "embedded or an extractor's name; default: embedded",
    )
    command(group, "list", _models_list, "list the known models with their licenses and checksums")
    parser = command(group, "import", _models_import, "read a published checkpoint, and keep it among the models")
    parser.add_argument("file", type=Path, metavar="FILE", help="the checkpoint; no code in it is run")
    what = "what it is: family, geoaware-head or picture-lora"
    parser.add_argument("--as", dest="role", required=True, metavar="ROLE", help=what)
    parser.add_argument("--name", default="", help="what to call it; default: the file's name")
    parser.add_argument("--license", type=Path, metavar="FILE", help="a text file with the license of the weights")
    parser.add_argument("--replace", action="store_true", help="in place of one of this name")

    group = commands.add_parser("cache", help="computed features and maps on disk").add_subparsers(
        dest="what", required=True
    )
    command(group, "info", _cache_info, "show the cache's folder and size")
    command(group, "clear", _cache_clear, "delete all features and maps")
    parser = command(group, "limit", _cache_limit, "limit this cache's size, on all machines that use its folder")
    text = "size beyond which the oldest is deleted; 0: unlimited; none: as each machine says"
    parser.add_argument("gigabytes", type=_gigabytes, help=text)

    group = commands.add_parser("worker", help="the worker's environment").add_subparsers(dest="what", required=True)
    parser = command(group, "setup", _worker_setup, "create the Python environment that MeshKin computes in")
    parser.add_argument("--python", type=Path, help="Python 3.11 or newer to create it from; default: this one")


def _doctor(arguments: argparse.Namespace) -> CommandResult:
    checks = drive(doctor.examine())
    lines = []
    for check in checks:
        lines.append(f"{'ok     ' if check.ok else 'MISSING'} {check.name}: {check.found}")
        if check.fix:
            lines.append(f"        fix: {check.fix}")
    return lines, doctor.as_data(checks)


def _models_get(arguments: argparse.Namespace) -> CommandResult:
    fetched = _run_request(maintenance.FetchModels(arguments.name))
    return [f"{folder} is ready." for folder in fetched.models], as_data(fetched)


def _models_list(arguments: argparse.Namespace) -> CommandResult:
    states = _run_request(maintenance.ListModels())
    return [f"{model.name}: {model.license}, {_model_state(model)}" for model in states.models], as_data(states)


def _models_import(arguments: argparse.Namespace) -> CommandResult:
    text = ""
    if arguments.license is not None:
        with readable_failure(arguments.license, "reading"):
            text = arguments.license.read_text(encoding="utf-8", errors="replace").strip()
    file = arguments.file.expanduser().absolute()
    request = ImportModel(file, arguments.role, arguments.name, text, arguments.replace)
    imported = _run_request(request)
    return [*imported.lines, f"Kept in {imported.folder}."], as_data(imported)


def _model_state(model: maintenance.ModelState) -> str:
    if not model.present:
        return "not fetched"
    if not model.ok:
        return f"damaged: {model.problem} {model.fix}"
    return f"{model.bytes / 1e6:.0f} MB, SHA-256 {model.sha256}"


def _cache_info(arguments: argparse.Namespace) -> CommandResult:
    state = _run_request(maintenance.LookAtCache())
    return _cache_lines(state), as_data(state)


def _cache_limit(arguments: argparse.Namespace) -> CommandResult:
    state = _run_request(maintenance.SetCacheLimit(arguments.gigabytes))
    return _cache_lines(state), as_data(state)


def _cache_lines(state: maintenance.CacheState) -> list[str]:
    limit = "no limit" if state.limit >= UNLIMITED else f"limit {state.limit / 1e6:.0f} MB"
    lines = [f"{state.folder}: {state.files} files, {state.bytes / 1e6:.0f} MB, {limit}"]
    return [*lines, f"{state.shared}: is read, too"] if state.shared else lines


def _gigabytes(text: str) -> int | None:
    """Bytes; None for “none”. Raises ArgumentTypeError."""
    if text == "none":
        return None
    with contextlib.suppress(ValueError):
        if 0 <= float(text) * 1e9 < UNLIMITED:
            return round(float(text) * 1e9)
    raise argparse.ArgumentTypeError(f"“{text}” is no number of gigabytes, and not “none”")


def _cache_clear(arguments: argparse.Namespace) -> CommandResult:
    deleted = _run_request(maintenance.ClearCache())
    return [f"Freed {deleted.bytes / 1e6:.0f} MB in {deleted.folder}."], as_data(deleted)


def _worker_setup(arguments: argparse.Namespace) -> CommandResult:
    python = drive(setup.set_up(arguments.python))
    return [f"The worker is ready: {python}"], {"python": str(python)}


def _run_request(request: Request[Result]) -> Result:
    """Return the worker's result of a request."""
    from ..worker import client

    return drive(client.shared().run(request))
