"""Where the local service of this user on this machine is found, and how it and its clients know each other.

The service's folder lies in MeshKin's home, for each machine one, since several may share a home:

- ``lock``: locked while a service runs.
- ``address.json``: an :class:`Address`, for this user's eyes only.
- ``socket``: a Unix socket. Where there can be none (Windows, a path too long, some network disks), the service listens
  on the loopback interface, where any user may knock. So client and service both prove there that they have read the
  token in the address; the token itself is never sent.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import hmac
import json
import os
import platform
import secrets
import socket
import stat
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ... import __version__
from ...base.errors import InputError, WorkerError
from ...base.json_data import from_json, to_json
from ...base.processes import CREATION_FLAGS
from ...base.storage import file_name, home, make_folder, readable_failure, write_file
from ...base.temporary import lock_file
from ..messages import PROTOCOL

_TOKEN_BYTES = 32
"""Bytes of a token, and of a nonce (chosen: nobody guesses them)."""
_CONNECT_SECONDS = 0.2
"""Seconds in which the system connects to a service that runs (chosen: it takes a millisecond)."""
_OWNER_RIGHTS = "*S-1-3-4"
"""Who owns a file, for Windows (Microsoft, “Well-known SIDs”)."""
_LOCK_TRIES, _LOCK_SECONDS = 5, 0.02
"""How often to try to lock, and the seconds between (chosen)."""


@dataclass(frozen=True)
class Address:
    """A service that runs.

    Attributes:
        version: of its MeshKin.
        protocol: of its messages.
        pid: its process number.
        socket: path of its Unix socket; "" if it has none.
        port: on the loopback interface; 0 if it has a Unix socket.
        token: the secret that it shares with its clients.
    """

    version: str
    protocol: int
    pid: int
    socket: str
    port: int
    token: str


def folder() -> Path:
    """The service's folder, there or not."""
    return home() / "service" / file_name(platform.node() or "this machine")


def private_folder() -> Path:
    """The service's folder, made if it is missing, which only this user can open. Raises StorageError."""
    place = make_folder(folder())
    with readable_failure(place, "closing to others"):
        place.chmod(0o700)
        if sys.platform == "win32":
            close_on_windows(place)
    return place


def close_on_windows(place: Path) -> None:
    """Let only this user see what is in a folder, also what comes later: there, permissions are lists of access rights,
    and those of the folder above may let others read. Raises OSError."""
    programs = Path(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32")
    user = _said(programs / "whoami.exe", "/user", "/fo", "csv", "/nh").rpartition(",")[2].strip().strip('"')
    rights = [f"{who}:(OI)(CI)F" for who in (f"*{user}", _OWNER_RIGHTS)]
    _said(programs / "icacls.exe", str(place), "/inheritance:r", "/grant:r", *rights)


def _said(program: Path, *arguments: str) -> str:
    """What a program prints; raises OSError if it fails."""
    command = [str(program), *arguments]
    run = subprocess.run(command, capture_output=True, check=False, creationflags=CREATION_FLAGS)
    said = run.stdout.decode(errors="replace")
    if run.returncode:
        raise OSError(errno.EPERM, f"{program.name}: {(said + run.stderr.decode(errors='replace')).strip()}")
    return said


def find() -> Address:
    """The service of this user on this machine.

    Raises WorkerError ``service-missing``, or ``worker-version`` for one that speaks otherwise.
    """
    found = noted()
    if found is None or not is_running():
        raise WorkerError(
            "service-missing",
            "The local service does not run.",
            "Start it with `meshkin serve`, or choose “Own Worker”.",
        )
    if (found.protocol, found.version) != (PROTOCOL, __version__):
        raise other_version(found.version, __version__)
    return found


def other_version(service: str, client: str) -> WorkerError:
    """The error that service and client are of different versions."""
    return WorkerError(
        "worker-version",
        f"The local service is MeshKin {service}, but this is MeshKin {client}.",
        "Stop it with `meshkin serve --stop` and start the one of this version with `meshkin serve`.",
    )


def noted() -> Address | None:
    """The service that this user's file tells of, running or not; None if there is no such file."""
    path = folder() / "address.json"
    try:
        with path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            if sys.platform != "win32" and (status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o077):
                return None  # another user wrote it, or could have read the token
            data = json.loads(stream.read())
        known = {name: data[name] for name in Address.__annotations__}  # one of another version may say more
        return from_json(Address, known)
    except (OSError, ValueError, LookupError, TypeError, InputError):
        return None


def is_replaced(own: Address) -> bool:
    """Whether clients cannot find this service any more: its file was removed, or tells of another one."""
    try:
        (folder() / "address.json").stat()
    except FileNotFoundError:
        return True
    except OSError:  # a network disk that does not answer for a moment
        return False
    found = noted()
    return found is not None and found != own


def note(address: Address) -> None:
    """Let clients find this service. Raises StorageError."""
    text = json.dumps(to_json(address))

    def write(temporary: Path) -> None:
        temporary.write_text(text, encoding="utf-8")
        temporary.chmod(0o600)

    path = folder() / "address.json"
    write_file(path, write)
    with readable_failure(path, "closing to others"):
        path.chmod(0o600)


def remove() -> None:
    """Let nobody find the service any more."""
    for name in ("address.json", "socket"):
        with contextlib.suppress(OSError):
            (folder() / name).unlink()


def lock() -> BinaryIO | None:
    """The service's lock, held until it is closed or this process ends; None if a service runs. Raises StorageError."""
    path = private_folder() / "lock"
    for _ in range(_LOCK_TRIES):
        with readable_failure(path, "writing"):
            stream = path.open("ab")
        locked = lock_file(stream)
        if locked or (locked is None and not _answers()):
            return stream
        stream.close()
        time.sleep(_LOCK_SECONDS)  # it may be held by one who looks whether it is held
    return None


def is_running() -> bool:
    """Whether a service of any version runs on this machine for this user."""
    try:
        with (folder() / "lock").open("ab") as stream:
            locked = lock_file(stream)
    except OSError:
        return False
    return _answers() if locked is None else not locked


def _answers() -> bool:
    """Whether there is something at the noted address: for a home on a network disk without locks."""
    found = noted()
    if found is None:
        return False
    try:
        connect(found).close()
    except OSError:
        return False
    return True


def connect(to: Address) -> socket.socket:
    """A connection to a service; raises OSError."""
    deadline = time.monotonic() + _CONNECT_SECONDS
    while True:
        stream = socket.socket(socket.AF_UNIX if to.socket else socket.AF_INET, socket.SOCK_STREAM)
        stream.settimeout(_CONNECT_SECONDS)
        try:
            stream.connect(to.socket or ("127.0.0.1", to.port))
        except OSError as error:
            stream.close()
            if not isinstance(error, BlockingIOError) or time.monotonic() > deadline:
                raise
            time.sleep(_CONNECT_SECONDS / 20)  # many others knock at this moment
        else:
            stream.settimeout(None)
            return stream


def new_token() -> str:
    """A secret."""
    return secrets.token_hex(_TOKEN_BYTES)


new_nonce = new_token
"""A text that was never used before."""


def proof(token: str, whose: str, nonce: str) -> str:
    """What only those who have the token can answer to a nonce.

    Args:
        token: of the service.
        whose: "client" or "service", so that neither can repeat what the other said.
        nonce: the client's.
    """
    return hmac.new(token.encode(), f"{whose} {nonce}".encode(), hashlib.sha256).hexdigest()


def is_proof(given: str, token: str, whose: str, nonce: str) -> bool:
    """Whether this is the :func:`proof`."""
    return hmac.compare_digest(given.encode(), proof(token, whose, nonce).encode())
