"""Runners: processes that carry out one command after another, so that Blender and the worker start once for many."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, cast

from ..base import network, processes
from ..base.errors import WorkerError
from ..base.json_data import to_json
from ..worker import environment
from . import records
from .records import Record

SECONDS_TO_END = 2.0
"""A runner whose input is closed has this long to end with its worker before it is killed. Chosen."""


class Runner:
    """One such process. It ends with this one, however this one ends."""

    def __init__(self, command: Sequence[str], manifest_folder: Path, folder: Path, temporary: Path) -> None:
        """Start it.

        Args:
            command: what starts it.
            manifest_folder: its current folder.
            folder: the batch's.
            temporary: for its temporary files.

        Raises WorkerError ``blender-failed``.
        """
        self._folder, self._log, self._began = folder, temporary / "runner.log", 0.0
        self._record: Record | None = None
        try:
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    list(command),
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=manifest_folder,
                    env={**os.environ, **network.variables(), **environment.variables_in_blender(temporary)},
                    start_new_session=True,
                    creationflags=processes.CREATION_FLAGS,
                )
        except OSError as error:
            raise WorkerError(
                "blender-failed",
                f"{command[0]} cannot be started: {error.strerror}.",
                "Set MESHKIN_BLENDER to Blender's program.",
            ) from error

    @property
    def is_free(self) -> bool:
        return self._record is None

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def begin(self, record: Record) -> None:
        """Give it a command; its record, as it is before, says which."""
        self._record, self._began = record, time.time()
        order = {
            "record": to_json(record),
            "folder": str(self._folder.resolve()),
            "log": str(records.log_file(self._folder, record.id).resolve()),
        }
        with contextlib.suppress(OSError):  # it has died, which ``ended`` will tell
            stream = cast(BinaryIO, self._process.stdin)
            stream.write(json.dumps(order).encode() + b"\n")
            stream.flush()

    def ended(self) -> str | None:
        """The ID of the command that has ended, whose record is written; None while there is none."""
        record = self._record
        if record is None:
            return None
        status = self._process.poll()  # before the record is looked for: it may be the last thing that was done
        if not records.record_file(self._folder, record.id).exists():
            if status is None:
                return None
            records.write(self._folder, self._crashed(record, status))
        self._record = None
        return record.id

    def _crashed(self, record: Record, status: int) -> Record:
        """The record of a command during which the process ended."""
        log = records.log_file(self._folder, record.id)
        if not log.exists():  # it had not even begun
            with contextlib.suppress(OSError):
                log.write_bytes(self._log.read_bytes())
        error = WorkerError(
            "blender-crashed",
            f"Blender crashed during the command: {processes.how_it_ended(status)}.",
            f"{log.name} says where. If it read a file, export that again or choose another format.",
        )
        answer = records.failure(error)
        return records.ended(record, status or error.exit_code, self._began, answer, socket.gethostname())

    def close(self) -> None:
        """End it with all that it has started."""
        with contextlib.suppress(OSError):
            cast(BinaryIO, self._process.stdin).close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(SECONDS_TO_END)
        if sys.platform != "win32":
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
