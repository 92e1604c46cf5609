"""Jobs about the worker's models and its cache."""

from __future__ import annotations

from pathlib import Path

from ...base.progress import ProgressCallback
from ...base.storage import models_folder
from ...cache import store as cache
from ...features import registry
from ...models import fetching, locating
from ..requests.maintenance import (
    CacheState,
    ClearCache,
    FetchModels,
    FetchModelsResult,
    ListModels,
    ListModelsResult,
    LookAtCache,
    ModelState,
    SetCacheLimit,
)


def fetch_models(request: FetchModels, report: ProgressCallback) -> FetchModelsResult:
    """Fetch models into the model cache."""
    return FetchModelsResult(
        models_folder(), tuple(fetching.get(request.name, report=report, bundles=registry.bundles()))
    )


def list_models(request: ListModels, report: ProgressCallback) -> ListModelsResult:
    """The models known and whether they are there."""
    return ListModelsResult(
        tuple(ModelState(**{**row, "folder": Path(row["folder"])}) for row in locating.listing(registry.bundles()))
    )


def look_at_cache(request: LookAtCache, report: ProgressCallback) -> CacheState:
    """Files and bytes in the cache."""
    info = cache.info()
    shared = Path(info["shared"]) if info["shared"] else None
    return CacheState(Path(info["folder"]), info["files"], info["bytes"], info["limit"], shared)


def set_cache_limit(request: SetCacheLimit, report: ProgressCallback) -> CacheState:
    """Limit the cache, on all machines that use it."""
    cache.set_limit(request.bytes)
    cache.trim()
    return look_at_cache(LookAtCache(), report)


def clear_cache(request: ClearCache, report: ProgressCallback) -> CacheState:
    """Empty the cache."""
    before = look_at_cache(LookAtCache(), report)
    cache.clear()
    return before
