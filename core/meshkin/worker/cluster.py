"""Jobs that the worker hands to a Ray cluster instead of running them itself.

What a request names (snapshots, views, features) travels as bytes, and so does what the job writes: no folder is
shared. The library travels, too; the nodes need the worker's libraries, and the models that are asked for by name. A
node's cache is its own. Ray does the job of a lost node again on another.

Each path of a request has a token while it travels: ``cache/REST`` for what lies in the cache of whoever reads it, or
``NUMBER/NAME`` for what lies in one of the request's folders.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from ..base import variables
from ..base.errors import MeshKinError, WorkerError, from_dict
from ..base.json_data import Json
from ..base.progress import ProgressCallback
from ..base.storage import cache_folder, write_file
from ..base.temporary import temporary_folder
from . import codec
from .job import Job

REMOTE = (
    *("prepare", "features", "match", "match-photo", "find-parts", "skeleton", "joints", "pose", "domains", "strands"),
    *("unwrap", "bake", "texture-photo", "weights", "parts"),
)
"""The jobs that are worth their way; the others take less time than that, or are about this machine."""
RETRIES = 2
"""How often the work of a lost node is done again. Chosen: a second loss is rare, a third is no accident."""
POLL_JOB = 0.1
"""Seconds between two looks at a job. Chosen: a bar moves."""
CONNECT_SECONDS = 10.0
"""Seconds that the cluster's head has to answer. Chosen."""
_CACHE = "cache"
"""The token's beginning of what lies in the cache."""


@dataclasses.dataclass(frozen=True)
class ClusterJob(Job):
    """A job that runs on a cluster where that is wanted (``MESHKIN_COMPUTE=ray``), else here."""

    def answer(self, fields: dict[str, Json], report: ProgressCallback) -> dict[str, Json]:
        """As :meth:`meshkin.worker.job.Job.answer`; raises WorkerError ``ray-missing``, ``ray-failed``, too."""
        if variables.COMPUTE.value != "ray":
            return super().answer(fields, report)
        return _answer(variables.RAY.value or "auto", self, fields, report)


def on_cluster(job: Job) -> Job:
    """The same job, which may run on a cluster if it is worth its way."""
    return ClusterJob(job.request, job.function) if job.request.job in REMOTE else job


# Here ---------------------------------------------------------------------------------------------------------------


def _answer(address: str, job: Job, fields: dict[str, Json], report: ProgressCallback) -> dict[str, Json]:
    """Run a job on the cluster; what it has written is here, too, when this returns."""
    report("Connecting to the Ray cluster", 0.0)
    ray = connected(address)
    places = _Places(_paths(codec.decode(job.request, fields, "A request to the worker", job.request.job)))
    device = fields.get("device")
    wants_gpu = isinstance(device, str) and device != "cpu" and ray.cluster_resources().get("GPU", 0) >= 1
    desk = _desk(ray)
    task = ray.remote(_work).options(num_cpus=1, num_gpus=int(wants_gpu), max_retries=RETRIES, name=job.request.job)
    reference = task.remote(job.request.job, places.as_tokens(fields), places.content(), desk)
    try:
        while not ray.wait([reference], timeout=POLL_JOB)[0]:
            report(*_told(ray, desk))
        outcome = ray.get(reference)
    except BaseException as error:
        with contextlib.suppress(Exception):
            ray.cancel(reference, force=True)
        if isinstance(error, ray.exceptions.RayError):
            raise WorkerError("ray-failed", f"The Ray cluster gave it up: {_last_line(error)}", _ADVICE) from error
        raise
    finally:
        with contextlib.suppress(Exception):
            ray.kill(desk)
    if "error" in outcome:
        raise from_dict(outcome["error"])
    for token, content in outcome["files"].items():
        _write(places.path_of(token), content)
    return cast("dict[str, Json]", _replaced(outcome["result"], places.paths_of_tokens(outcome["tokens"])))


_ADVICE = "Look at the cluster (`ray status`), or choose another way to compute in the preferences."


def connected(address: str) -> Any:
    """Ray, connected to a cluster, to whose nodes this library travels.

    Args:
        address: HOST:PORT of its head, ray://HOST:PORT, or "auto" for the cluster that this machine is part of.

    Raises WorkerError ``ray-missing``, ``ray-failed``.
    """
    try:
        import ray
    except ImportError as error:
        raise WorkerError(
            "ray-missing", f"The Python {sys.executable} has no Ray.", "Install it there: python -m pip install ray."
        ) from error
    if ray.is_initialized():
        return ray
    try:
        if found := re.fullmatch(r"(?:ray://)?\[?([^\s/]+?)\]?:(\d+)", address):
            socket.create_connection((found[1], int(found[2])), CONNECT_SECONDS).close()  # Ray would end this process
        package = str(Path(__file__).resolve().parents[1])
        settings = {"log_to_driver": False, "logging_level": "warning", "runtime_env": {"py_modules": [package]}}
        ray.init(address=address, **settings)
    except Exception as error:  # Ray raises what it likes
        raise WorkerError("ray-failed", f"No Ray cluster at {address}: {_last_line(error)}", _ADVICE) from error
    return ray


def _last_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]


class Desk:
    """Where a node says how far its job is; an actor, which takes nothing of a node."""

    def __init__(self) -> None:
        self._told: tuple[str, float] = ("Waiting for the Ray cluster", 0.0)

    def tell(self, stage: str, fraction: float) -> None:
        """Take what the job reports."""
        self._told = stage, fraction

    def told(self) -> tuple[str, float]:
        """What it has reported last."""
        return self._told


def _desk(ray: Any) -> Any:
    return ray.remote(Desk).options(num_cpus=0, max_restarts=-1, max_task_retries=-1).remote()


def _told(ray: Any, desk: Any) -> tuple[str, float]:
    """What the job has reported; nothing new while the desk's own node is lost."""
    try:
        told: tuple[str, float] = ray.get(desk.told.remote(), timeout=POLL_JOB)
    except ray.exceptions.RayError:
        return "Waiting for the Ray cluster", 0.0
    return told


class _Places:
    """The paths of a request, and their tokens."""

    def __init__(self, paths: list[Path]) -> None:
        self._cache = cache_folder().absolute()
        self._folders = list(dict.fromkeys(path.absolute().parent for path in paths))
        self._tokens = {str(path): self._token(path.absolute()) for path in paths}

    def _token(self, path: Path) -> str:
        if path.is_relative_to(self._cache):
            return f"{_CACHE}/{path.relative_to(self._cache).as_posix()}"
        return f"{self._folders.index(path.parent)}/{path.name}"

    def as_tokens(self, fields: dict[str, Json]) -> Json:
        """The request's fields with tokens for paths."""
        return _replaced(fields, self._tokens)

    def content(self) -> dict[str, bytes]:
        """What lies at the paths now, by tokens; of folders, all files in them."""
        return {
            f"{token}{suffix}": file.read_bytes()
            for text, token in self._tokens.items()
            for file, suffix in _files(Path(text))
        }

    def path_of(self, token: str) -> Path:
        """Where here lies what has this token."""
        kind, _, rest = token.partition("/")
        return (self._cache if kind == _CACHE else self._folders[int(kind)]) / rest

    def paths_of_tokens(self, tokens: list[str]) -> dict[str, str]:
        """The paths here of tokens."""
        return {token: str(self.path_of(token)) for token in tokens}


def _paths(value: object) -> list[Path]:
    """All paths in a dataclass."""
    if isinstance(value, Path):
        return [value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [path for each in dataclasses.fields(value) for path in _paths(getattr(value, each.name))]
    if isinstance(value, tuple | list):
        return [path for each in value for path in _paths(each)]
    return []


def _files(path: Path) -> Iterator[tuple[Path, str]]:
    """A file, or all files of a folder, each with what its token has more than the path's own."""
    if path.is_file():
        yield path, ""
    elif path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.is_file():
                yield file, f"/{file.relative_to(path).as_posix()}"


def _write(path: Path, content: bytes) -> None:
    write_file(path, lambda file: file.write_bytes(content))


def _replaced(value: Any, texts: dict[str, str]) -> Any:
    """JSON data with some texts replaced by others."""
    if isinstance(value, str):
        return texts.get(value, value)
    if isinstance(value, dict):
        return {name: _replaced(each, texts) for name, each in value.items()}
    return [_replaced(each, texts) for each in value] if isinstance(value, list | tuple) else value


# On a node ----------------------------------------------------------------------------------------------------------


def _work(name: str, fields: dict[str, Json], content: dict[str, bytes], desk: Any) -> dict[str, Any]:
    """Run a job on a node; returns its result and what it has written, by tokens, or its error.

    Args:
        name: of the job.
        fields: of its request, with tokens for paths.
        content: what lies at the paths, by tokens.
        desk: a :class:`Desk`.
    """
    from .jobs.table import JOBS

    def report(stage: str, fraction: float) -> None:
        desk.tell.remote(stage, fraction)

    with temporary_folder() as folder:
        node = _Node(folder)
        for token, data in content.items():
            node.put(token, data)
        job = JOBS[name]
        tokens = [text for text in _texts(fields) if node.is_token(text)]
        try:
            own = cast("dict[str, Json]", _replaced(fields, {token: str(node.path(token)) for token in tokens}))
            result = job.answer(own, report)
        except MeshKinError as error:
            return {"error": error.to_dict()}
        return node.outcome(result)


class _Node:
    """A node's files of one job."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._cache = folder, cache_folder().absolute()
        self._before: dict[Path, int] = {}

    def is_token(self, text: str) -> bool:
        kind, slash, rest = text.partition("/")
        return bool(slash and rest) and (kind == _CACHE or kind.isdecimal())

    def path(self, token: str) -> Path:
        kind, _, rest = token.partition("/")
        path = self._cache / rest if kind == _CACHE else self._folder / kind / rest
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def put(self, token: str, data: bytes) -> None:
        """Write what has come; what the node's cache has already is the same."""
        path = self.path(token)
        if not (token.startswith(_CACHE) and path.exists()):
            _write(path, data)
        self._before[path] = path.stat().st_mtime_ns

    def outcome(self, result: dict[str, Json]) -> dict[str, Any]:
        """The result, and what was written: in the job's folders all that is new, in the cache what it names."""
        tokens = {text: token for text in _texts(result) if (token := self._token_of(Path(text)))}
        new = [file for file, _ in _files(self._folder) if self._before.get(file) != file.stat().st_mtime_ns]
        named = [file for text in tokens for file, _ in _files(Path(text))]
        written = dict.fromkeys([*new, *(file for file in named if file not in self._before)])
        files = {token: file.read_bytes() for file in written if (token := self._token_of(file))}
        return {"result": _replaced(result, tokens), "tokens": list(tokens.values()), "files": files}

    def _token_of(self, path: Path) -> str:
        """The token of a path; "" for one that is none of the job's."""
        if not path.is_absolute():
            return ""
        if path.is_relative_to(self._cache):
            return f"{_CACHE}/{path.relative_to(self._cache).as_posix()}"
        if not path.is_relative_to(self._folder):
            return ""
        inside = path.relative_to(self._folder)
        return inside.as_posix() if len(inside.parts) > 1 else ""


def _texts(value: Any) -> Iterator[str]:
    """All texts in JSON data."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
