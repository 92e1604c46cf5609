"""The command ``meshkin serve``: the local service in this process, and what is asked of one that runs."""

from __future__ import annotations

import argparse
import contextlib
import math
from typing import Any

from ..base.errors import WorkerError
from ..worker.codec import as_data
from ..worker.service import address, broker, control
from ..worker.service.requests import LookAtService, ReleaseCard, ServiceState
from .arguments import CommandResult, command
from .console import drive, tell

IDLE_MINUTES = 60.0
"""Minutes without a job after which the service ends, where nothing else is asked for (chosen)."""


def add(commands: Any) -> None:
    """Add this module's command to the parser."""
    parser = command(
        commands, "serve", _serve, "compute for all Blenders and scripts of this user, until it is idle or stopped"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--status", action="store_true", help="say what the running service is doing")
    what.add_argument("--release", action="store_true", help="have it release the memory of the graphics card")
    what.add_argument("--stop", action="store_true", help="end it; what it was doing is done by its clients themselves")
    parser.add_argument(
        "--idle",
        type=_minutes,
        default=IDLE_MINUTES,
        metavar="MINUTES",
        help=f"end after so many minutes without a job; 0 for never; default: {IDLE_MINUTES:.0f}",
    )


def _minutes(text: str) -> float:
    """A duration in minutes. Raises ArgumentTypeError."""
    with contextlib.suppress(ValueError):
        if 0 <= float(text) < math.inf:
            return float(text)
    raise argparse.ArgumentTypeError(f"“{text}” is no number of minutes")


def _serve(arguments: argparse.Namespace) -> CommandResult:
    if arguments.status:
        return _status()
    if arguments.release:
        released = drive(control.ask(ReleaseCard()))
        return [f"Workers that have ended: {released.ended}; that will after their job: {released.later}."], as_data(
            released
        )
    if arguments.stop:
        pid = drive(control.end())
        return ["The local service has ended." if pid else "No local service was running."], {"stopped": pid}

    def ready(found: address.Address) -> None:
        where = found.socket or f"port {found.port} of this machine"
        tell(f"The local service is ready: process {found.pid}, {where}.")

    why = broker.serve(arguments.idle * 60, ready)
    return [f"The local service has ended: {why}."], {"why": why}


def _status() -> CommandResult:
    try:
        state = drive(control.ask(LookAtService()))
    except WorkerError as error:
        if error.code != "service-missing":
            raise
        return [error.message], {"ok": False, "running": False}
    return _lines(state), {"running": True, **as_data(state)}


def _lines(state: ServiceState) -> list[str]:
    """The state in words, a sentence a line."""
    idle = f"ends after {state.idle_limit / 60:.0f} min without a job" if state.idle_limit else "does not end when idle"
    lines = [f"MeshKin {state.version}, process {state.pid}, for {state.seconds / 60:.0f} min; {idle}."]
    for device in state.devices:
        does = f"{device.job} for process {device.client}" if device.job else "nothing to do"
        worker = f"process {device.pid}" if device.pid else "no process"
        lines.append(f"{device.device or 'starting'}: {worker}, {does}, {device.waiting} waiting.")
    lines += [f"Process {client.pid}: {client.jobs} jobs, {client.done} done." for client in state.clients]
    return lines
