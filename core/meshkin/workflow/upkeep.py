"""Models, memory and the cache."""

from __future__ import annotations

from ..base.progress import Progress
from ..worker import client
from .options import Job, Options, Report


def get_models(options: Options = Options(), name: str = "embedded") -> Job:
    """Fetch models into the model cache. Raises ModelError ``model-download-failed``, ``model-damaged``."""
    result = yield from client.shared().run("models-get", {"name": name})
    return Report(f"The model is ready in {result['folder']}.", result["models"], result)


def release_memory() -> Job:
    """End the worker: all its memory, on the graphics card too, is Blender's until the next job starts another."""
    yield Progress("Releasing models", 0)
    if not client.running():
        return Report("No worker is running: it holds no memory.")
    client.stop()
    return Report("The models are released: the worker has ended, and the next job starts another.")


def cache_info() -> Job:
    """How many files and bytes the cache holds."""
    result = yield from client.shared().run("cache-info", {})
    return Report(
        f"The cache holds {result['files']} files, {result['bytes'] / 1e6:.0f} MB, in {result['folder']}.", [], result
    )


def clear_cache() -> Job:
    """Delete all features and maps from the cache."""
    result = yield from client.shared().run("cache-clear", {})
    return Report(f"The cache is empty: {result['bytes'] / 1e6:.0f} MB were freed.", [], result)
