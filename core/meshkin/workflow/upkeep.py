"""Setting MeshKin up; models, memory and the cache."""

from __future__ import annotations

import contextlib

from ..base.errors import WorkerError
from ..base.progress import Progress, in_step, of_job
from ..worker import client, environment, setup
from ..worker.codec import as_data
from ..worker.requests import maintenance
from ..worker.service import control
from ..worker.service.requests import ReleaseCard
from .options import Options, Report, Steps

SETUP_COSTS = {"worker": 240.0, "models": 60.0}
"""The steps of a setup and about how many seconds they take. Chosen, for a connection of 10 MB/s."""


def set_up(options: Options = Options()) -> Steps:
    """Make the worker's environment, unless one is there that works, and fetch the default models.

    Raises as :func:`meshkin.worker.setup.set_up` and :func:`get_models`.
    """
    return (yield from of_job(_set_up(options), SETUP_COSTS))


def _set_up(options: Options) -> Steps:
    python = environment.chosen() or (yield from in_step("worker", setup.set_up()))
    models = yield from in_step("models", get_models(options))
    return Report("MeshKin is set up.", [f"Its Python is {python}.", models.title, *models.details], models.data)


def get_models(options: Options = Options(), name: str = "embedded") -> Steps:
    """Fetch models into the model cache. Raises ModelError ``model-download-failed``, ``model-damaged``."""
    fetched = yield from client.shared().run(maintenance.FetchModels(name))
    folders = [str(folder) for folder in fetched.models]
    return Report(f"The model is ready in {fetched.folder}.", folders, as_data(fetched))


def release_memory() -> Steps:
    """End the worker: all its memory, on the graphics card too, is Blender's until the next job starts another.

    The local service, where it is used, ends its workers: those that are busy when their job is over.
    """
    yield Progress("Releasing models", 0)
    if client.wants_service():
        with contextlib.suppress(WorkerError):  # it does not run
            released = yield from control.ask(ReleaseCard())
            data = as_data(released)
            if released.later:
                return Report("The models are released as soon as the local service's present job is over.", [], data)
            return Report("The models are released: the local service holds none until its next job.", [], data)
    if not client.running():
        return Report("No worker is running: it holds no memory.")
    client.stop()
    return Report("The models are released: the worker has ended, and the next job starts another.")


def cache_info() -> Steps:
    """How many files and bytes the cache holds."""
    state = yield from client.shared().run(maintenance.LookAtCache())
    title = f"The cache holds {state.files} files, {state.bytes / 1e6:.0f} MB, in {state.folder}."
    return Report(title, [], as_data(state))


def clear_cache() -> Steps:
    """Delete all features and maps from the cache."""
    before = yield from client.shared().run(maintenance.ClearCache())
    return Report(f"The cache is empty: {before.bytes / 1e6:.0f} MB were freed.", [], as_data(before))
