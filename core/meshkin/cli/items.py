"""The runner of batches: carries out commands that come as lines over its input, one after another.

Each leaves its record and its log. Between two, Blender is as it was when it started.
"""

from __future__ import annotations

import json
import os
import queue
import socket
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from ..base.errors import MeshKinError
from ..base.json_data import from_json
from ..batch import records
from ..batch.records import Record
from .console import RESULT_FILE


def run_all(run: Any) -> None:
    """Run commands until the input ends, which ends the process, in the middle of a command, too.

    Args:
        run: the command line: takes the arguments, returns the exit code.
    """
    orders: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(orders,), daemon=True).start()
    while True:
        order = json.loads(orders.get())
        record = from_json(Record, order["record"])
        _redirect(order["log"])
        if "bpy" in sys.modules:
            from ..scene import blend

            blend.forget_all()
        records.write(Path(order["folder"]), _done(record, run))


def _read(orders: queue.SimpleQueue[bytes]) -> None:
    with os.fdopen(os.dup(0), "rb") as stream:
        for line in stream:
            orders.put(line)
    os._exit(1)


def _redirect(log: str) -> None:
    """What is printed from now on goes to a new log, also of code in C."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)


def _done(record: Record, run: Any) -> Record:
    """Run a record's command; returns the record with what came of it."""
    began = time.time()
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "result")
        os.environ[RESULT_FILE] = str(result)
        try:
            exit_code = run(record.arguments)
        except SystemExit as end:  # arguments that cannot be parsed
            exit_code = end.code if isinstance(end.code, int) else 1
        except Exception as error:
            traceback.print_exc()
            exit_code = 1
            failed = records.failure(MeshKinError("unexpected", f"{type(error).__name__}: {error}."))
            result.write_text(json.dumps(failed), encoding="utf-8")
        text = result.read_text(encoding="utf-8") if result.exists() else ""
    answer = json.loads(text or "{}", parse_constant=lambda name: name)  # NaN, which JSON has not
    return records.ended(record, exit_code, began, answer, socket.gethostname())
