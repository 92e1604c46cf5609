"""Requests about the worker itself, its models and its cache."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .base import Request


@dataclass(frozen=True)
class FetchModelsResult:
    """Models in the model cache.

    Attributes:
        folder: the model cache.
        models: the folder of each.
    """

    folder: Path
    models: tuple[Path, ...]


@dataclass(frozen=True)
class FetchModels(Request[FetchModelsResult], job="models-get"):
    """Fetch the models that this name stands for ("embedded", that of an extractor, or one model's)."""

    name: str


@dataclass(frozen=True)
class ModelState:
    """One model, there or not.

    Attributes:
        name: what users call it.
        kind: the kind of network; "" if it is not known.
        license: of the weights, SPDX; "" if it is not known.
        upstream: where it comes from, in words.
        present: whether its folder is there.
        ok: whether it is there and whole.
        problem: what is wrong with it, in words; "" if it is whole.
        fix: what mends that; "" if it is whole.
        get: the name to fetch it by.
        folder: where it lies, or would lie.
        bytes: size of its weights.
        sha256: of its weights; "" if it is not whole.
    """

    name: str
    kind: str
    license: str
    upstream: str
    present: bool
    ok: bool
    problem: str
    fix: str
    get: str
    folder: Path
    bytes: int
    sha256: str


@dataclass(frozen=True)
class ListModelsResult:
    """The models that MeshKin knows by name, and all others in the model cache."""

    models: tuple[ModelState, ...]


@dataclass(frozen=True)
class ListModels(Request[ListModelsResult], job="models-list"):
    """Look at the models."""


@dataclass(frozen=True)
class CacheState:
    """What the cache holds.

    Attributes:
        folder: where it is.
        files: how many files.
        bytes: size of all files.
        limit: bytes above which the oldest are deleted.
        shared: where the cache behind it is, which is only read; None if there is none.
    """

    folder: Path
    files: int
    bytes: int
    limit: int
    shared: Path | None


@dataclass(frozen=True)
class SetCacheLimit(Request[CacheState], job="cache-limit"):
    """Give the cache a limit of its own, for all machines that use it.

    Attributes:
        bytes: that it may hold; 0 for no limit, None for the limit of each machine.
    """

    bytes: int | None


@dataclass(frozen=True)
class LookAtCache(Request[CacheState], job="cache-info"):
    """Count what the cache holds."""


@dataclass(frozen=True)
class ClearCache(Request[CacheState], job="cache-clear"):
    """Delete everything in the cache; the result is what it held before."""


@dataclass(frozen=True)
class Device:
    """A processor to compute on.

    Attributes:
        name: PyTorch's ("cpu", "cuda:0", "mps").
        memory: bytes of its own; 0 if it has none, or that is not known.
        label: what it is, in words.
    """

    name: str
    memory: int
    label: str


@dataclass(frozen=True)
class ExamineWorkerResult:
    """What the worker runs on.

    Attributes:
        python: version of its Python.
        executable: its interpreter.
        versions: by library that it requires, the version that is there; "" if the library is missing.
        devices: what it can compute on.
    """

    python: str
    executable: Path
    versions: dict[str, str]
    devices: tuple[Device, ...]


@dataclass(frozen=True)
class ExamineWorker(Request[ExamineWorkerResult], job="doctor"):
    """Look at the worker's Python, libraries and devices."""
