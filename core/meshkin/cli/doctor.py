"""What MeshKin finds on this machine, what is missing, and the command that mends it."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Generator
from dataclasses import asdict, dataclass
from typing import Any

from ..base.errors import MeshKinError
from ..base.progress import Progress
from ..base.storage import cache_folder, models_folder
from ..worker import client, environment
from ..worker.requests import maintenance

OLDEST_BLENDER = (4, 2)
"""The oldest series that MeshKin is tested in."""


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Attributes:
        name: what.
        ok: whether it serves.
        found: what is there.
        fix: what to do where it does not serve; "" where it does.
        needed: whether nothing can be done without it.
    """

    name: str
    ok: bool
    found: str
    fix: str = ""
    needed: bool = True


def find_blender() -> str | None:
    """The Blender program: ``MESHKIN_BLENDER``, else ``blender`` on the path; None where that is no program."""
    return shutil.which(os.environ.get("MESHKIN_BLENDER") or "blender")


def examine() -> Generator[Progress, None, list[Check]]:
    """Look at Blender, the render paths, the worker, its devices, memory, models and cache."""
    checks = [_blender()]
    yield Progress("Looking for the worker", 0)
    python = environment.find()
    checks.append(Check("memory", True, _memory()))
    if python is None:
        return [*checks, Check("worker", False, "not set up", "meshkin worker setup"), _folder()]
    mend = "meshkin worker setup"
    if os.environ.get("MESHKIN_WORKER_PYTHON"):  # what is set up counts only without it
        mend = f"Unset MESHKIN_WORKER_PYTHON (now {python}), then {mend}"
    try:
        state = yield from client.shared().run(maintenance.ExamineWorker())
    except MeshKinError as error:
        return [*checks, Check("worker", False, error.message, mend), _folder()]
    missing = [name for name, version in state.versions.items() if not version]
    lacks = f", lacks {', '.join(missing)}" if missing else ""
    place = f"Python {state.python} at {state.executable}{lacks}"
    checks.append(Check("worker", not missing, place, mend if missing else ""))
    for name, version in state.versions.items():
        checks.append(Check(f"library {name}", bool(version), version or "missing", "" if version else mend))
    for device in state.devices:
        size = f", {device.memory / 2**30:.0f} GiB" if device.memory else ""
        checks.append(Check(f"device {device.name}", True, f"{device.label}{size}"))
    if missing:  # the jobs that look at models and cache need them
        return [*checks, _folder()]
    return [*checks, *(yield from _models_and_cache())]


def _models_and_cache() -> Generator[Progress, None, list[Check]]:
    checks = []
    models = yield from client.shared().run(maintenance.ListModels())
    for model in models.models:
        if model.ok:
            text = f"{model.bytes / 1e6:.0f} MB, {model.license}, SHA-256 {model.sha256[:16]}"
        else:
            text = model.problem if model.present else "not fetched"
        fix = "" if model.ok else f"meshkin models get {model.get}"
        checks.append(Check(f"model {model.name}", model.ok, text, fix, needed=False))  # there are features without one
    cache = yield from client.shared().run(maintenance.LookAtCache())
    checks.append(_folder(f", {cache.files} files, {cache.bytes / 1e6:.0f} MB"))
    return checks


def as_data(checks: list[Check]) -> dict[str, Any]:
    """The checks as JSON values; ``ok`` says whether all that is needed is there."""
    return {"ok": all(check.ok or not check.needed for check in checks), "checks": [asdict(check) for check in checks]}


def _blender() -> Check:
    if importlib.util.find_spec("bpy") is not None:
        from ..scene import blend
        from ..scene.render import passes

        return Check(
            "Blender",
            True,
            f"Blender {blend.version()} in this process, renders by {', '.join(passes.available_renderers())}",
        )
    fix = "pip install bpy, or install Blender 4.2 or newer and put it on the path or set MESHKIN_BLENDER"
    program = find_blender()
    if program is None:
        chosen = os.environ.get("MESHKIN_BLENDER")
        return Check("Blender", False, f"MESHKIN_BLENDER is {chosen}: no program" if chosen else "not found", fix)
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=False).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return Check("Blender", False, f"{program} does not run: {error}", fix)
    version = re.search(r"Blender (\d+)\.(\d+).*", said)
    if version is None or (int(version[1]), int(version[2])) < OLDEST_BLENDER:
        return Check("Blender", False, f"{program} is {version[0] if version else 'no Blender'}", fix)
    return Check("Blender", True, f"{version[0]} at {program}")


def _memory() -> str:
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB, {os.cpu_count()} cores"
    return f"{os.cpu_count()} cores"


def _folder(more: str = "") -> Check:
    folder = cache_folder()
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    writable = os.access(nearest, os.W_OK)
    fix = "" if writable else "Set MESHKIN_CACHE to a folder that you may write to"
    return Check("cache", writable, f"{folder}{more} (models in {models_folder()})", fix)
