"""Requests to the worker of :mod:`helpers.worker_with_test_jobs`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from meshkin.base.json_data import Json
from meshkin.worker.requests.base import NoResult, Request


@dataclass(frozen=True)
class EchoResult:
    values: dict[str, Json]
    pid: int
    session: int


@dataclass(frozen=True)
class Echo(Request[EchoResult], job="echo"):
    """Say back the values, and which process it is."""

    values: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Counted:
    counted: int


@dataclass(frozen=True)
class Count(Request[Counted], job="count"):
    """Report this many steps, each of so many seconds."""

    steps: int
    seconds: float = 0.01


@dataclass(frozen=True)
class Sleep(Request[NoResult], job="sleep"):
    """Report once, then hear nothing for so many seconds."""

    seconds: float = 60


@dataclass(frozen=True)
class WaitForFile(Request[NoResult], job="wait-for-file"):
    """Report once, then wait until there is such a file."""

    file: Path


@dataclass(frozen=True)
class CountFiles(Request[Counted], job="count-files"):
    """Wait for the files 0, 1, 2 and so on in a folder, and report how many of this number are there."""

    folder: Path
    files: int


@dataclass(frozen=True)
class HoldLockResult:
    sum: int


@dataclass(frozen=True)
class HoldLock(Request[HoldLockResult], job="hold-lock"):
    """Sum so many numbers in one native call, during which no other thread runs."""

    count: int


@dataclass(frozen=True)
class EndProcess(Request[NoResult], job="end"):
    """End the process by a signal or, without one, with a status."""

    status: int = 0
    signal: int | None = None


@dataclass(frozen=True)
class PrintEverywhere(Request[NoResult], job="print"):
    """Write to the standard output in every way there is."""


@dataclass(frozen=True)
class Flood(Request[NoResult], job="flood"):
    """Write more to the log than it may hold; returns when it has been cut."""


@dataclass(frozen=True)
class Fail(Request[NoResult], job="fail"):
    """Raise what a bug raises."""


@dataclass(frozen=True)
class Refuse(Request[NoResult], job="refuse"):
    """Raise an error that is expected."""


@dataclass(frozen=True)
class Leave(Request[NoResult], job="leave"):
    """Leave Python, as a library might."""


@dataclass(frozen=True)
class Allocate(Request[NoResult], job="allocate"):
    """Ask for more memory than there is; of PyTorch or of Python."""

    tensor: bool


@dataclass(frozen=True)
class FillDisk(Request[NoResult], job="fill-disk"):
    """Write to a device that is full."""


@dataclass(frozen=True)
class Share:
    share: float


@dataclass(frozen=True)
class NotANumber(Request[Share], job="not-a-number"):
    """Report, and return, what is not a number."""


@dataclass(frozen=True)
class LookAtProcessResult:
    modules: tuple[str, ...]
    nice: int
    variables: tuple[str, ...]
    folder: Path
    cache: Path


@dataclass(frozen=True)
class LookAtProcess(Request[LookAtProcessResult], job="process"):
    """Say what the process has loaded, how it yields to others, its environment variables, and its folders."""


@dataclass(frozen=True)
class UseDevice(Request[EchoResult], job="device"):
    """Report once, then wait until there is such a file, and say which process it is."""

    device: str
    file: Path


@dataclass(frozen=True)
class Unknown(Request[NoResult], job="no-such-job"):
    """No worker knows this job."""


@dataclass(frozen=True)
class OtherCount(Request[Counted], job="count"):
    """The job “count” of some other version."""

    steps: str
    folder: Path = Path()


@dataclass(frozen=True)
class OtherResult(Request[Share], job="count"):
    """The job “count”, of which another result is expected."""

    steps: int
    seconds: float
