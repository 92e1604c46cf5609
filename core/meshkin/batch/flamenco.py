"""The engine of a render farm: a job of Blender Studio's Flamenco, submitted and followed over its Manager's REST API.

Flamenco schedules: the job type ``packaging/flamenco/meshkin-batch.js`` makes tasks of it, and Flamenco's workers run
``meshkin batch --only`` on a folder that all machines share. Paths are the Manager's two-way variables.
"""

from __future__ import annotations

import json
import platform
import re
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from ..base.errors import InputError, WorkerError
from ..base.progress import Progress
from .plan import Plan

JOB_TYPE = "meshkin-batch"
"""The job type's name: that of its file without the suffix."""
OLDEST = (3, 3)
"""The first version of Flamenco whose workers know the command ``exec`` (its changelog)."""
PRIORITY = 50
"""Of the job: Flamenco's default."""
POLL = 5.0
"""Seconds between two questions how the job stands. Chosen: tasks take minutes."""
TIMEOUT = 30.0
"""Seconds that the Manager has for an answer. Chosen."""
PATIENCE = 600.0
"""Seconds for which the Manager may be away while a job is followed. Chosen: it is restarted in that time."""
_BUSY = (502, 503, 504)
"""HTTP status codes of a Manager that will answer later: its database is busy (503, its OpenAPI description), or it is
away behind a proxy."""
_ENDED = ("completed", "failed", "canceled")
"""States of a job in which nothing happens any more."""


@dataclass(frozen=True)
class FarmOptions:
    """How a batch is submitted.

    Attributes:
        manager: the Manager's URL.
        chunk: how many items a task has.
        worker_tag: name of the tag of the workers that may take the job; "" for all.
        gpu_task_type: type of the tasks that need a graphics card.
    """

    manager: str
    chunk: int = 10
    worker_tag: str = ""
    gpu_task_type: str = "misc"


def submit(plan: Plan, options: FarmOptions) -> str:
    """Submit a plan as a job; returns the job's ID.

    Raises WorkerError ``flamenco-silent``, ``flamenco-refused``; InputError ``flamenco-old``, ``flamenco-no-type``,
    ``flamenco-no-tag``.
    """
    told = str(_ask(options.manager, "version").get("version", ""))
    found = re.match(r"(\d+)\.(\d+)", told)
    if found and (int(found[1]), int(found[2])) < OLDEST:
        raise InputError("flamenco-old", f"Flamenco {told} cannot run commands.", "Update it to 3.3 or newer.")
    types = _ask(options.manager, "jobs/types").get("job_types", [])
    kind = next((each for each in types if each.get("name") == JOB_TYPE), None)
    if kind is None:
        raise InputError(
            "flamenco-no-type",
            f"The Flamenco Manager {options.manager} has no job type “{JOB_TYPE}”.",
            f"Copy packaging/flamenco/{JOB_TYPE}.js into its folder “scripts”.",
        )
    job: dict[str, Any] = {
        "name": f"MeshKin {plan.manifest.stem}",
        "type": JOB_TYPE,
        "priority": PRIORITY,
        "submitter_platform": platform.system().lower(),
        "settings": {
            "manifest": plan.manifest.resolve().as_posix(),
            "output": plan.folder.resolve().as_posix(),
            "stages": plan.stages(),
            "chunk_size": options.chunk,
            "gpu_task_type": options.gpu_task_type,
            "report": True,
        },
        "metadata": {"project": plan.manifest.stem},
    }
    if etag := kind.get("etag"):
        job["type_etag"] = etag
    if options.worker_tag:
        job["worker_tag"] = _tag(options)
    return str(_ask(options.manager, "jobs", job)["id"])


def _tag(options: FarmOptions) -> str:
    """The ID of the tag of this name."""
    tags = _ask(options.manager, "worker-mgt/tags").get("tags", [])
    for tag in tags:
        if tag.get("name") == options.worker_tag:
            return str(tag["id"])
    names = ", ".join(str(tag.get("name")) for tag in tags) or "none"
    raise InputError("flamenco-no-tag", f"Flamenco has no worker tag “{options.worker_tag}”.", f"Its tags are {names}.")


def follow(options: FarmOptions, job: str) -> Generator[Progress, None, str]:
    """Wait for the end of a job; returns its last status. Closing the generator leaves the job alone.

    Raises as :func:`submit`.
    """
    progress, seen = Progress("Waiting for Flamenco", 0.0), time.monotonic()
    while True:
        try:
            status = str(_ask(options.manager, f"jobs/{job}").get("status", ""))
            tasks = _ask(options.manager, f"jobs/{job}/tasks").get("tasks") or []
            seen = time.monotonic()
        except WorkerError as error:
            if error.code != "flamenco-silent" or time.monotonic() - seen > PATIENCE:
                raise
        else:
            done = sum(task.get("status") == "completed" for task in tasks)
            progress = Progress(f"Flamenco: {status}, {done} of {len(tasks)} tasks", done / max(len(tasks), 1))
            if status in _ENDED:
                return status
        asked = time.monotonic()
        while time.monotonic() - asked < POLL:
            yield progress


def job_page(options: FarmOptions, job: str) -> str:
    """Where people see a job."""
    return f"{options.manager.rstrip('/')}/app/jobs/{job}"


def _ask(manager: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """The Manager's answer to a question, or with a body to a request."""
    url = f"{manager.rstrip('/')}/api/v3/{path}"
    data = None if body is None else json.dumps(body).encode()
    try:
        request = urllib.request.Request(url, data, {"Content-Type": "application/json", "Accept": "application/json"})
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            answer = json.loads(response.read() or "{}")
    except urllib.error.HTTPError as error:
        if error.code in _BUSY:
            busy = f"The Flamenco Manager {manager} is busy ({error.code})."
            raise WorkerError("flamenco-silent", busy, "Try again in a moment.") from error
        said = error.read().decode(errors="replace").strip()
        raise WorkerError(
            "flamenco-refused", f"Flamenco refused {path}: {error.code} {said}.", "Look at the Manager's log."
        ) from error
    except (OSError, ValueError) as error:
        raise WorkerError(
            "flamenco-silent", f"No Flamenco Manager answers at {manager}: {error}.", "Check --manager and the network."
        ) from error
    if not isinstance(answer, dict):
        raise WorkerError("flamenco-silent", f"What answers at {manager} is no Flamenco Manager.", "Check --manager.")
    return answer
