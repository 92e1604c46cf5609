"""Commands that need no Blender: doctor, models, cache, worker."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, TypeVar

from ..worker import environment, requirements
from ..worker.codec import as_data
from ..worker.requests import Request, maintenance
from . import doctor
from .arguments import Answer, command
from .console import drive

Result = TypeVar("Result")


def add(commands: Any) -> None:
    """Add the commands to a parser's."""
    command(commands, "doctor", _doctor, "what is there, what is missing, what mends it")

    group = commands.add_parser("models", help="the models that extractors use").add_subparsers(
        dest="what", required=True
    )
    one = command(group, "get", _models_get, "fetch a model")
    one.add_argument("name", nargs="?", default="embedded")
    command(group, "list", _models_list, "the models known, their licenses and checksums")

    group = commands.add_parser("cache", help="computed features and maps").add_subparsers(dest="what", required=True)
    command(group, "info", _cache_info, "how much is kept, and where")
    command(group, "clear", _cache_clear, "delete all that is kept")

    group = commands.add_parser("worker", help="the worker's environment").add_subparsers(dest="what", required=True)
    one = command(group, "setup", _worker_setup, "make the Python environment that does the computing")
    one.add_argument("--python", type=Path, help="the Python 3.11 or newer to make it from; default: this one")


def _doctor(arguments: argparse.Namespace) -> Answer:
    checks = drive(doctor.examine())
    lines = []
    for check in checks:
        lines.append(f"{'ok     ' if check.ok else 'MISSING'} {check.name}: {check.found}")
        if check.fix:
            lines.append(f"        mend it: {check.fix}")
    data = doctor.as_data(checks)
    return lines, data


def _models_get(arguments: argparse.Namespace) -> Answer:
    fetched = _answer(maintenance.FetchModels(arguments.name))
    return [f"{folder} is ready." for folder in fetched.models], as_data(fetched)


def _models_list(arguments: argparse.Namespace) -> Answer:
    states = _answer(maintenance.ListModels())
    return [f"{model.name}: {model.license}, {_state(model)}" for model in states.models], as_data(states)


def _state(model: maintenance.ModelState) -> str:
    if not model.present:
        return "not fetched"
    if not model.ok:
        return f"damaged: {model.problem} {model.fix}"
    return f"{model.bytes / 1e6:.0f} MB, SHA-256 {model.sha256}"


def _cache_info(arguments: argparse.Namespace) -> Answer:
    state = _answer(maintenance.LookAtCache())
    return [f"{state.folder}: {state.files} files, {state.bytes / 1e6:.0f} MB"], as_data(state)


def _cache_clear(arguments: argparse.Namespace) -> Answer:
    before = _answer(maintenance.ClearCache())
    return [f"Freed {before.bytes / 1e6:.0f} MB in {before.folder}."], as_data(before)


def _worker_setup(arguments: argparse.Namespace) -> Answer:
    python = drive(environment.create(environment.worker_folder(), requirements.read(), arguments.python))
    return [f"The worker is ready: {python}"], {"python": str(python)}


def _answer(request: Request[Result]) -> Result:
    """The worker's answer to a request."""
    from ..worker import client

    return drive(client.shared().run(request))
