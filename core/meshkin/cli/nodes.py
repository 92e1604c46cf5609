"""What runs the items of a batch on a machine: how runners are started, and what a node of a cluster does."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..base import processes
from ..base.json_data import from_json
from ..base.temporary import temporary_folder
from ..batch import records
from ..batch.records import Record
from ..batch.runners import Runner
from . import blender

POLL_ITEM = 0.05
"""Seconds between two looks whether an item has ended. Chosen."""

_runners: dict[tuple[str, str], Runner] = {}
"""Those of this process, by the folders of the manifest and of the batch."""
_folders = contextlib.ExitStack()
"""Their temporary folders."""


def runner_command() -> Sequence[str]:
    """The command that starts a runner; raises WorkerError ``blender-missing``."""
    code = "from meshkin import cli\nfrom meshkin.cli import items\nitems.run_all(cli.main)"
    return blender.command(processes.package_program(code, reads_input=True))


def run_item(data: dict[str, Any], manifest_folder: str, folder: str) -> None:
    """Run one item in a runner that stays for the next one of the same batch, unless it is done already.

    Args:
        data: its record, as JSON data.
        manifest_folder: the current folder of its command.
        folder: the batch's.
    """
    record, place = from_json(Record, data), Path(folder)
    known = records.read(place, record.id)
    if known is not None and known.is_finished and known.key == record.key:  # by a node that was lost afterward
        return
    records.record_file(place, record.id).unlink(missing_ok=True)
    runner = _runners.get((manifest_folder, folder))
    if runner is None or not runner.is_alive:
        temporary = _folders.enter_context(temporary_folder())
        runner = _runners[manifest_folder, folder] = Runner(runner_command(), Path(manifest_folder), place, temporary)
    runner.begin(record)
    while runner.ended() is None:
        time.sleep(POLL_ITEM)
