"""Commands that need no Blender: doctor, models, cache, worker."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..worker import environment
from ..workflow import doctor
from .arguments import Answer, command
from .console import drive


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
    result = _job("models-get", {"name": arguments.name})
    return [f"{folder} is ready." for folder in result["models"]], result


def _models_list(arguments: argparse.Namespace) -> Answer:
    result = _job("models-list", {})
    return [f"{one['name']}: {one['license']}, {_state(one)}" for one in result["models"]], result


def _state(model: dict[str, Any]) -> str:
    if not model["present"]:
        return "not fetched"
    if not model["ok"]:
        return f"damaged: {model['problem']} {model['fix']}"
    return f"{model['bytes'] / 1e6:.0f} MB, SHA-256 {model['sha256']}"


def _cache_info(arguments: argparse.Namespace) -> Answer:
    result = _job("cache-info", {})
    return [f"{result['folder']}: {result['files']} files, {result['bytes'] / 1e6:.0f} MB"], result


def _cache_clear(arguments: argparse.Namespace) -> Answer:
    result = _job("cache-clear", {})
    return [f"Freed {result['bytes'] / 1e6:.0f} MB in {result['folder']}."], result


def _worker_setup(arguments: argparse.Namespace) -> Answer:
    requirements = environment.worker_requirements()
    python = drive(environment.create(environment.worker_folder(), requirements, arguments.python))
    return [f"The worker is ready: {python}"], {"python": str(python)}


def _job(kind: str, arguments: dict[str, Any]) -> dict[str, Any]:
    from ..worker import client

    result: dict[str, Any] = drive(client.shared().run(kind, arguments))
    return result
