"""Checks what MeshKin needs on this machine, and names the command that installs what is missing."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Generator
from dataclasses import asdict, dataclass
from typing import Any

from ..base.errors import MeshKinError, WorkerError
from ..base.progress import Progress
from ..base.storage import cache_folder, models_folder
from ..worker import client, environment
from ..worker.requests import maintenance
from ..worker.service import address

OLDEST_BLENDER = (4, 2)
"""Oldest Blender series that MeshKin is tested with."""


@dataclass(frozen=True)
class Check:
    """Result of one check.

    Attributes:
        name: what was checked.
        ok: whether it can be used.
        found: what is there, or why it cannot be used.
        fix: how to make it usable; "" if it is.
        needed: whether MeshKin cannot work without it.
    """

    name: str
    ok: bool
    found: str
    fix: str = ""
    needed: bool = True


def find_blender() -> str | None:
    """Return the Blender program: ``MESHKIN_BLENDER``, else ``blender`` on the path; None if that is not a program."""
    return shutil.which(os.environ.get("MESHKIN_BLENDER") or "blender")


def examine() -> Generator[Progress, None, list[Check]]:
    """Check Blender and its renderers, memory, the worker with its libraries and devices, the models and the cache."""
    checks = [_blender()]
    yield Progress("Looking for the worker", 0)
    python = environment.find()
    checks.append(Check("memory", True, _memory()))
    if python is None:
        return [*checks, Check("worker", False, "not set up", "meshkin worker setup"), _cache_folder()]
    fix = "meshkin worker setup"
    if os.environ.get("MESHKIN_WORKER_PYTHON"):  # the variable would still win over the worker that is set up
        fix = f"Unset MESHKIN_WORKER_PYTHON (now {python}), then {fix}"
    try:
        state = yield from client.shared().run(maintenance.ExamineWorker())
    except MeshKinError as error:
        return [*checks, Check("worker", False, error.message, fix), _cache_folder()]
    missing = [name for name, version in state.versions.items() if not version]
    lacks = f", lacks {', '.join(missing)}" if missing else ""
    description = f"Python {state.python} at {state.executable}{lacks}"
    checks.append(Check("worker", not missing, description, fix if missing else ""))
    for name, version in state.versions.items():
        checks.append(Check(f"library {name}", bool(version), version or "missing", "" if version else fix))
    for device in state.devices:
        size = f", {device.memory / 2**30:.0f} GiB" if device.memory else ""
        checks.append(Check(f"device {device.name}", True, f"{device.label}{size}"))
    checks += _service()
    if missing:  # the jobs that list models and look at the cache need these libraries
        return [*checks, _cache_folder()]
    return [*checks, *(yield from _models_and_cache())]


def _service() -> list[Check]:
    """The local service, where it runs or is to be used."""
    try:
        found = address.find()
    except WorkerError as error:
        wanted = client.wants_service()
        return [Check("local service", False, error.message, error.fix, needed=False)] if wanted else []
    return [Check("local service", True, f"process {found.pid}, MeshKin {found.version}")]


def _models_and_cache() -> Generator[Progress, None, list[Check]]:
    """Check the models and the cache, through the worker."""
    checks = []
    models = yield from client.shared().run(maintenance.ListModels())
    for model in models.models:
        if model.ok:
            text = f"{model.bytes / 1e6:.0f} MB, {model.license}, SHA-256 {model.sha256[:16]}"
        else:
            text = model.problem if model.present else "not fetched"
        fix = "" if model.ok else f"meshkin models get {model.get}"
        checks.append(Check(f"model {model.name}", model.ok, text, fix, needed=False))  # some features need no model
    cache = yield from client.shared().run(maintenance.LookAtCache())
    checks.append(_cache_folder(f", {cache.files} files, {cache.bytes / 1e6:.0f} MB"))
    return checks


def as_data(checks: list[Check]) -> dict[str, Any]:
    """Return the checks as JSON values; ``ok`` says whether everything that MeshKin needs is there."""
    return {"ok": all(check.ok or not check.needed for check in checks), "checks": [asdict(check) for check in checks]}


def _blender() -> Check:
    """Check the Blender that commands run in: this process, or the program that is started for them."""
    if importlib.util.find_spec("bpy") is not None:
        from ..scene import blend
        from ..scene.render import passes

        return Check(
            "Blender",
            True,
            f"Blender {blend.version()} in this process, renders with {', '.join(passes.available_renderers())}",
        )
    fix = "pip install bpy, or install Blender 4.2 or newer and put it on the path or set MESHKIN_BLENDER to it"
    program = find_blender()
    if program is None:
        variable = os.environ.get("MESHKIN_BLENDER")
        problem = f"MESHKIN_BLENDER is {variable}, which is not a program" if variable else "not found"
        return Check("Blender", False, problem, fix)
    try:
        output = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=False).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return Check("Blender", False, f"{program} does not run: {error}", fix)
    version = re.search(r"Blender (\d+)\.(\d+).*", output)
    if version is None or (int(version[1]), int(version[2])) < OLDEST_BLENDER:
        return Check("Blender", False, f"{program} is {version[0] if version else 'not Blender'}", fix)
    return Check("Blender", True, f"{version[0]} at {program}")


def _memory() -> str:
    """Return the machine's memory and processor cores in words."""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB, {os.cpu_count()} cores"
    return f"{os.cpu_count()} cores"


def _cache_folder(details: str = "") -> Check:
    """Check whether the cache can be written; ``details`` follow the folder's path."""
    folder = cache_folder()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    writable = os.access(existing, os.W_OK)
    fix = "" if writable else "Set MESHKIN_CACHE to a folder that you may write to"
    return Check("cache", writable, f"{folder}{details} (models in {models_folder()})", fix)
