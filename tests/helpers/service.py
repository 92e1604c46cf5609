"""The local service as a real process, whose workers have the jobs of tests."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from helpers.places import CORE
from helpers.processes import wait_for
from helpers.workers import COMMAND
from meshkin.base.progress import finish
from meshkin.worker.service import address, control
from meshkin.worker.service.requests import LookAtService, ServiceState


def python_with_test_jobs(folder: Path, command: tuple[object, ...] = COMMAND) -> Path:
    """A program that takes a Python's arguments, and is a worker with the jobs of tests."""
    program = folder / "python"
    program.write_text(f"#!/bin/sh\nexec {' '.join(map(str, command))}\n")
    program.chmod(0o755)
    return program


def begin(*arguments: str, **variables: str) -> subprocess.Popen[str]:
    """``meshkin serve`` with these arguments, in the home and with the worker of the test."""
    command = [sys.executable, "-m", "meshkin", "serve", *arguments]
    environment = os.environ | {"PYTHONPATH": str(CORE)} | variables
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def started(*arguments: str, **variables: str) -> subprocess.Popen[str]:
    """The same, once clients can find it."""
    process = begin(*arguments, **variables)

    def is_ready() -> bool:
        assert process.poll() is None, process.communicate()
        found = address.noted()
        return found is not None and found.pid == process.pid

    wait_for(is_ready, "the service is not ready")
    return process


def state() -> ServiceState:
    """What the service is doing."""
    return finish(control.ask(LookAtService()))


class RawClient:
    """A connection to the service, on which anything can be said."""

    def __init__(self) -> None:
        found = address.find()
        self.address = found
        self.socket = socket.socket(socket.AF_UNIX if found.socket else socket.AF_INET)
        self.socket.connect(found.socket or ("127.0.0.1", found.port))  # waits where many others knock
        self.socket.settimeout(30)
        self.lines = self.socket.makefile("rb")

    def introduce(self, **changes: Any) -> None:
        """Say who one is, as the protocol wants it but for some fields, and take the welcome."""
        kind, hello = self.receive()
        assert kind == "HELLO"
        proof = address.proof(self.address.token, "client", "nonce")
        fields = {"protocol": hello["protocol"], "version": hello["version"], "pid": os.getpid()}
        self.send("CLIENT", **{**fields, "nonce": "nonce", "proof": proof, **changes})

    def send(self, kind: str, **fields: Any) -> None:
        self.socket.sendall(json.dumps([kind, fields]).encode() + b"\n")

    def receive(self) -> tuple[str, dict[str, Any]]:
        """The next message that is no beat; "" for the end."""
        while line := self.lines.readline():
            kind, fields = json.loads(line)
            if kind != "BEAT":
                return kind, fields
        return "", {}

    def close(self) -> None:
        self.lines.close()
        self.socket.close()
