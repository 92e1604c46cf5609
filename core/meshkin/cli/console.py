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

from ..base.progress import Progress, finish

RESULT_FILE = "MESHKIN_RESULT_FILE"
"""Environment variable: the file to which a Blender that was started for a command writes the command's result."""


def drive(job: Any) -> Any:
    """Run a job's generator to its end and return its result; progress goes to standard error."""
    is_terminal = sys.stderr.isatty()
    stage = ""

    def show(progress: Progress) -> None:
        nonlocal stage
        if is_terminal:
            done = round(progress.fraction * 30)
            print(f"\r\033[K{progress.stage} [{'#' * done}{'.' * (30 - done)}]", end="", file=sys.stderr, flush=True)
        elif progress.stage != stage:
            print(f"{progress.stage} …", file=sys.stderr, flush=True)
        stage = progress.stage

    try:
        return finish(job, show)
    finally:
        if is_terminal and stage:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


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
    """Print the command's result; a Blender that was started for the command writes it to :data:`RESULT_FILE`."""
    if text:
        text += "\n"
    if result_file := os.environ.get(RESULT_FILE):
        Path(result_file).write_text(text, encoding="utf-8")
    else:
        print(text, end="", flush=True)
