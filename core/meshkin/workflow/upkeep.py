"""Models, memory and the cache."""

from __future__ import annotations

from ..progress import Progress
from ..worker import client
from .options import Job, Options, Report


def get_models(options: Options = Options(), name: str = "embedded") -> Job:
    """Fetch models into the model cache. Raises ModelError ``model-download-failed``, ``model-damaged``."""
    result = yield from client.shared().run("models-get", {"name": name})
    return Report(f"The model is ready in {result['folder']}.", result["models"], result)


def release_memory() -> Job:
    """Have the worker forget its models: their memory is Blender's then, until the next job needs them."""
    yield Progress("Releasing models", 0)
    if not client.running():
        return Report("No worker is running: it holds no memory.")
    result = yield from client.shared().run("release", {})
    return Report(f"The models are released: {result['bytes'] / 1e6:.0f} MB of graphics memory were freed.", [], result)


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
