"""Jobs about the worker itself, its models and its cache."""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from pathlib import Path

from ... import models
from ...base.progress import ProgressCallback
from ...base.storage import models_folder
from ...cache import store as cache
from ..requests.maintenance import (
    CacheState,
    ClearCache,
    Device,
    ExamineWorker,
    FetchedModels,
    FetchModels,
    ListModels,
    LookAtCache,
    ModelState,
    ModelStates,
    WorkerState,
)

_LIBRARIES = ("torch", "transformers", "diffusers", "safetensors", "numpy", "scipy", "libigl", "robust_laplacian")


def fetch_models(request: FetchModels, report: ProgressCallback) -> FetchedModels:
    """Fetch models into the model cache."""
    return FetchedModels(models_folder(), tuple(models.get(request.name, report=report)))


def list_models(request: ListModels, report: ProgressCallback) -> ModelStates:
    """The models known and whether they are there."""
    return ModelStates(tuple(ModelState(**{**row, "folder": Path(row["folder"])}) for row in models.listing()))


def look_at_cache(request: LookAtCache, report: ProgressCallback) -> CacheState:
    """Files and bytes in the cache."""
    info = cache.info()
    return CacheState(Path(info["folder"]), info["files"], info["bytes"], info["limit"])


def clear_cache(request: ClearCache, report: ProgressCallback) -> CacheState:
    """Empty the cache."""
    before = look_at_cache(LookAtCache(), report)
    cache.clear()
    return before


def examine_worker(request: ExamineWorker, report: ProgressCallback) -> WorkerState:
    """Python, libraries and devices of this process."""
    import torch

    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = ""
    devices = [Device("cpu", 0, platform.processor() or platform.machine())]
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        devices.append(Device(f"cuda:{index}", properties.total_memory, properties.name))
    if torch.backends.mps.is_available():
        devices.append(Device("mps", 0, "Apple GPU"))
    return WorkerState(sys.version.split()[0], Path(sys.executable), versions, tuple(devices))
