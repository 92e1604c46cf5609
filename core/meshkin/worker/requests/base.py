"""What all requests have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Generic, get_args

from ...base.progress import Result


@dataclass(frozen=True)
class Request(Generic[Result]):
    """What the worker is asked for. A subclass is one job: a frozen dataclass whose fields are the job's arguments.

    ::

        @dataclass(frozen=True)
        class CountFiles(Request[CountFilesResult], job="count-files"):
            folder: Path

    Attributes:
        job: the job's name in messages and in the worker's log.
    """

    job: ClassVar[str]
    _result: ClassVar[type[Any]]

    def __init_subclass__(cls, job: str) -> None:
        super().__init_subclass__()
        cls.job = job
        (cls._result,) = get_args(cls.__orig_bases__[0])  # type: ignore[attr-defined]


def result_type(request: Request[Result] | type[Request[Result]]) -> type[Result]:
    """The dataclass that a request is answered with."""
    return request._result


@dataclass(frozen=True)
class NoResult:
    """The answer of a job that has nothing to tell but that it is done."""
