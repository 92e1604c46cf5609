"""A job of the worker: a function from a request to its result, and the check of both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_type_hints

from ..base.json_data import Json
from ..base.progress import ProgressCallback
from . import codec
from .requests.base import Request, result_type


@dataclass(frozen=True)
class Job:
    """One job.

    Attributes:
        request: the dataclass of its request.
        function: called with the request and a callback that raises Cancelled when the job was cancelled; returns the
            result.
    """

    request: type[Request[Any]]
    function: Callable[[Any, ProgressCallback], object]

    def answer(self, fields: dict[str, Json], report: ProgressCallback) -> dict[str, Json]:
        """Run the job on the JSON fields of its request; returns the JSON fields of its result.

        Raises what the function raises, and WorkerError ``message-invalid`` for a request that is not valid.
        """
        name = self.request.job
        request = codec.decode(self.request, fields, "A request to the worker", name)
        return codec.encode(self.function(request, report), "A result of the worker", name)


def table(*functions: Callable[[Any, ProgressCallback], object]) -> dict[str, Job]:
    """Jobs by name. Each function's ``request`` is annotated with its request, its return value with the result.

    Raises TypeError for a function that returns something else than its request's result, or for a name given twice.
    """
    jobs: dict[str, Job] = {}
    for function in functions:
        types = get_type_hints(function)
        request = types["request"]
        if types["return"] is not result_type(request) or request.job in jobs:
            raise TypeError(f"{function.__name__} is no job of its own for {request.__name__}.")
        jobs[request.job] = Job(request, function)
    return jobs
