"""The engine of a Ray cluster: each item is a Ray task, which runs on whichever node has room.

Ray schedules, and does the task of a lost node again on another. All machines share the folders of the manifest and of
the results. Ray is an extra (``pip install meshkin[ray]``), which is imported only when it is used.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..base.errors import InputError, MeshKinError, WorkerError
from ..base.json_data import to_json
from ..worker.cluster import RETRIES, connected
from . import records
from .plan import Plan, Task

QUEUED = 2
"""Tasks that Ray has at once for each processor. Chosen: a node that is done finds the next one at once."""


class RayEngine:
    """Runs tasks on a Ray cluster (a :class:`meshkin.batch.running.Engine`)."""

    def __init__(self, plan: Plan, address: str, jobs: int, work: Callable[[dict[str, Any], str, str], None]) -> None:
        """Connect to a cluster.

        Args:
            plan: whose tasks it will run.
            address: of the cluster; "" for one that runs on this machine, else one made for this batch.
            jobs: how many tasks at once; 0 for as many as the cluster has processors.
            work: runs one item on a node: takes its record as JSON data, the folder of the manifest and the batch's.

        Raises WorkerError ``ray-missing``, ``ray-failed``; InputError ``ray-no-gpu``.
        """
        self._ray = ray = _connected(address)
        self._plan = plan
        self._running: dict[Any, Task] = {}
        resources = ray.cluster_resources()
        if any(task.item.gpu for task in plan.tasks) and not resources.get("GPU"):
            ray.shutdown()
            raise InputError(
                "ray-no-gpu", "Items need a graphics card, and the Ray cluster has none.", "Leave out “gpu”."
            )
        self.slots = jobs or max(int(resources.get("CPU", 1)), 1)
        self._most = self.slots if jobs else QUEUED * self.slots
        self._work = ray.remote(work)

    def takes(self, task: Task) -> bool:
        return len(self._running) < self._most

    def submit(self, task: Task) -> None:
        task.output.parent.mkdir(parents=True, exist_ok=True)
        options = {"num_cpus": 1, "num_gpus": int(task.item.gpu), "max_retries": RETRIES, "name": task.id}
        record = to_json(records.empty(task, task.key))
        folders = (str(self._plan.manifest.parent.resolve()), str(self._plan.folder.resolve()))
        self._running[self._work.options(**options).remote(record, *folders)] = task

    def ended(self) -> list[str]:
        if not self._running:
            return []
        ready, _ = self._ray.wait(list(self._running), num_returns=len(self._running), timeout=0)
        names = []
        for reference in ready:
            task = self._running.pop(reference)
            try:
                self._ray.get(reference)
            except Exception as error:
                self._write_failure(task, error)
            names.append(task.id)
        return names

    def _write_failure(self, task: Task, error: Exception) -> None:
        """The record of a task that Ray gave up."""
        told = getattr(error, "cause", None)  # of what the node raised
        if not isinstance(told, MeshKinError):
            reason = str(error).strip().splitlines() or [type(error).__name__]
            told = MeshKinError(
                "ray-task-failed", f"Ray gave it up: {reason[-1]}", "Look at the cluster (`ray status`)."
            )
        record = records.ended(records.empty(task, task.key), told.exit_code, 0.0, records.failure(told))
        records.write(Path(self._plan.folder), record)

    def close(self) -> None:
        for reference in self._running:
            with contextlib.suppress(Exception):
                self._ray.cancel(reference, force=True)
        self._ray.shutdown()


def _connected(address: str) -> Any:
    """Ray, connected to the cluster at an address; without one, to that of this machine, or else to a new one."""
    try:
        return connected(address or "auto")
    except WorkerError as error:
        if address or error.code == "ray-missing":
            raise
    import ray

    ray.init(include_dashboard=False, log_to_driver=False, logging_level="warning")
    return ray
