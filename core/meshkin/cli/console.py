"""What a command prints: its result on standard output, progress and everything else on standard error."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..base.progress import JobProgress, Progress, finish, position
from ..base.storage import readable_failure

RESULT_FILE = "MESHKIN_RESULT_FILE"
"""Environment variable: the file to which a Blender that was started for a command writes the command's result."""


def drive(job: Any) -> Any:
    """Run a job's generator to its end and return its result; progress goes to standard error."""
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    stage = ""

    def show(progress: Progress) -> None:
        nonlocal stage
        if is_terminal:
            done = round(progress.fraction * 30)
            where = position(progress) if isinstance(progress, JobProgress) else ""
            bar = f"{progress.stage} [{'#' * done}{'.' * (30 - done)}] {where}"
            tell(f"\r\033[K{bar.rstrip()}", end="")
        elif progress.stage != stage:
            tell(f"{progress.stage} …")
        stage = progress.stage

    try:
        return finish(job, show)
    finally:
        if is_terminal and stage:
            tell("\r\033[K", end="")


def tell(text: str, end: str = "\n") -> None:
    """Print to standard error; if nobody can read there any more, the job still goes on."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            print(text, end=end, file=sys.stderr, flush=True)


def open_closed_streams() -> None:
    """Open those of the three standard streams that were closed when this process started.

    Else the next file that is opened takes the place of one, and what is printed goes into that file.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8")


def is_inside_blender() -> bool:
    """Whether this process was started to run a command in Blender."""
    return RESULT_FILE in os.environ


def load_blender() -> None:
    """Load Blender, which must not be interrupted meanwhile: Ctrl-C takes effect afterward."""
    if threading.current_thread() is not threading.main_thread():
        return
    can_wait = hasattr(signal, "pthread_sigmask")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if can_wait else set()
    try:
        from ..scene import blend

        blend.mark_temporary_files()

        signal.signal(signal.SIGINT, signal.default_int_handler)  # Blender has replaced it by its own
    finally:
        if can_wait:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C interrupt Python inside the block: Blender without a window replaces Python's handler by its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if previous is not None:  # None: it was Blender's handler, which Python cannot restore
            signal.signal(signal.SIGINT, previous)


@contextlib.contextmanager
def clean_output() -> Iterator[None]:
    """Redirect standard output to standard error inside the block, also for code in C (Blender and libraries)."""
    sys.stdout.flush()
    standard_output = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(standard_output, 1)
        os.close(standard_output)


def print_result(text: str) -> None:
    """Print the command's result; a Blender that was started for the command writes it to :data:`RESULT_FILE`.

    A reader that has gone (``| head``) is no error. Raises StorageError.
    """
    if text:
        text += "\n"
    result_file = os.environ.get(RESULT_FILE)
    with readable_failure(Path(result_file or "the standard output"), "writing to"):
        if result_file:
            Path(result_file).write_text(text, encoding="utf-8")
        else:
            with contextlib.suppress(BrokenPipeError):
                print(text, end="", flush=True)
