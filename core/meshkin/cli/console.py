"""What a command says while it runs and in the end: results on standard output, all else on standard error."""

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
"""Environment variable: where a Blender that was started for a command leaves what is to be printed."""


def drive(job: Any) -> Any:
    """Run a job to its end, its progress on standard error."""
    bar = sys.stderr.isatty()
    stage = ""

    def show(progress: Progress) -> None:
        nonlocal stage
        if bar:
            done = round(progress.fraction * 30)
            print(f"\r\033[K{progress.stage} [{'#' * done}{'.' * (30 - done)}]", end="", file=sys.stderr, flush=True)
        elif progress.stage != stage:
            print(f"{progress.stage} …", file=sys.stderr, flush=True)
        stage = progress.stage

    try:
        return finish(job, show)
    finally:
        if bar and stage:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C interrupt Python also where Blender has put a handler of its own, which it does without a window."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if before is not None:  # else Blender's, which Python cannot give back
            signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def clean_output() -> Iterator[None]:
    """Send what Blender and libraries print on standard output to standard error, also from C."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def tell(text: str) -> None:
    """Print the result; in a Blender that was started for it, leave it to be printed."""
    if text:
        text += "\n"
    if result := os.environ.get(RESULT_FILE):
        Path(result).write_text(text, encoding="utf-8")
    else:
        print(text, end="", flush=True)
