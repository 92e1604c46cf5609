"""The local service: takes jobs from clients over a socket, and has workers do them, one for each device.

Everything happens in one thread, in turns (asyncio); what waits, waits for a socket, or looks at a worker again after a
moment. A worker is a child of this process, as it is of a Blender without the service: its messages are passed on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from ... import __version__
from ...base.errors import Cancelled, MeshKinError, WorkerError
from ...base.progress import POLL_SECONDS
from ...base.variables import IDLE_SECONDS
from .. import codec, messages
from ..child import start_child
from ..requests.maintenance import ExamineWorker
from ..running import Worker
from . import address
from .clients import Client
from .lanes import Lane, QueuedJob
from .requests import ClientState, DeviceState, LookAtService, ReleaseCard, ReleasedCard, ServiceState

_MOST_CLIENTS = 200
"""Clients at once (chosen: below the 256 files that macOS lets a process open)."""
_BACKLOG = 512
"""Connections that wait to be taken (chosen)."""
_CPU = "cpu"
_MAC_PEER, _MAC_PEER_BYTES = 1, 76
"""LOCAL_PEERCRED, and the size of ``struct xucred`` (macOS, sys/un.h and sys/ucred.h)."""


def serve(idle_seconds: float, ready: Callable[[address.Address], None]) -> str:
    """Run the service in this process until it is idle for so long, or stopped; returns why it ended.

    Args:
        idle_seconds: without a job, after which it ends; 0 for never.
        ready: called when clients can find it.

    Raises WorkerError ``service-runs`` if there is one, ``worker-missing``, ``worker-start-failed``; StorageError.
    """
    lock = address.lock()
    if lock is None:
        found = address.noted()
        who = f": MeshKin {found.version}, process {found.pid}" if found else ""
        fix = "End it with `meshkin serve --stop` to start another."
        raise WorkerError("service-runs", f"The local service runs already{who}.", fix)
    with lock:
        os.environ.setdefault(IDLE_SECONDS.name, "0")  # models stay loaded as long as the service runs
        address.remove()  # what a killed service left behind
        service = _Service(idle_seconds)
        try:
            return asyncio.run(service.run(ready))
        finally:
            if address.noted() in (service.own, None):  # else another one began on a disk without locks
                address.remove()


def _start_worker() -> Worker:
    return Worker(start_child())


class _Service:
    """The clients, and the queues of the devices."""

    def __init__(self, idle_seconds: float) -> None:
        self._idle_seconds = idle_seconds
        self._started = self._used = time.monotonic()
        self._why = ""  # it ended
        self.own: address.Address | None = None
        self._stopped = asyncio.Event()
        self._clients: set[Client] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lanes: dict[str, Lane] = {}
        self._early = Lane(_start_worker)  # nobody serves it: jobs that came before the devices were known
        self._devices: tuple[str, ...] = ()  # the one that “auto” means comes first; empty until they are known

    async def run(self, ready: Callable[[address.Address], None]) -> str:
        """Serve until the end; returns why it came."""
        first = _start_worker()  # raises what is wrong with its environment before any client comes
        server, own = await self._listen()
        self.own = own
        self._catch_signals()
        try:
            address.note(own)
            ready(own)
            self._go_on(self._look_at_devices(first))
            while not self._why:
                self._beat(own)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopped.wait(), 0 if self._why else messages.BEAT_SECONDS)
            return self._why
        finally:
            server.close()
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.gather(*(lane.end() for lane in self._lanes.values()), asyncio.to_thread(first.stop))

    def _go_on(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside everything else; it is cancelled at the end."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()

        def end(*_: object) -> None:
            self._why = "it was stopped"
            loop.call_soon_threadsafe(self._stopped.set)

        for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), end)

    def _beat(self, own: address.Address) -> None:
        """Tell all clients that the service is there; end it if it is of no more use."""
        for client in self._clients:
            if client.pid:  # the others wait for a welcome
                client.tell(messages.BeatMessage())
        now = time.monotonic()
        if any(client.jobs for client in self._clients) or any(lane.running for lane in self._lanes.values()):
            self._used = now
        if self._idle_seconds and now - self._used >= self._idle_seconds:
            self._why = "it was idle"
        elif address.is_replaced(own):
            self._why = "its address was removed"

    # Where it listens, and to whom

    async def _listen(self) -> tuple[asyncio.Server, address.Address]:
        """Listen on a Unix socket or, where there can be none, on the loopback interface."""
        token, path, port = address.new_token(), str(address.folder() / "socket"), 0

        async def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._go_on(self._talk(Client(reader, writer), writer.get_extra_info("socket"), token))

        limit = messages.LARGEST_MESSAGE + 1
        stream = _unix_socket(path)
        if stream is None:
            server = await asyncio.start_server(welcome, "127.0.0.1", 0, limit=limit, backlog=_BACKLOG)
            path, port = "", server.sockets[0].getsockname()[1]
        else:
            server = await asyncio.start_unix_server(welcome, sock=stream, limit=limit, backlog=_BACKLOG)
        return server, address.Address(__version__, messages.PROTOCOL, os.getpid(), path, port, token)

    async def _talk(self, client: Client, stream: socket.socket, token: str) -> None:
        """Talk with one client until it leaves."""
        try:
            if len(self._clients) >= _MOST_CLIENTS or not _is_own_user(stream):
                return
            self._clients.add(client)
            if await client.introduce(token):
                while (message := await client.receive()) is not None and not isinstance(message, messages.ByeMessage):
                    self._take(client, message)
        except (WorkerError, OSError):  # what it says makes no sense, or it is gone
            pass
        finally:
            self._clients.discard(client)
            for number in list(client.jobs):  # it is not told that they are cancelled: it goes on without the service
                self._drop(client.take_back(number))
            await client.close()

    def _take(self, client: Client, message: messages.Message) -> None:
        if isinstance(message, messages.CancelMessage):
            self._drop(client.take_back(message.number))
            client.tell(messages.ErrorMessage(message.number, Cancelled().to_dict()))
        elif isinstance(message, messages.RunMessage) and message.job in (LookAtService.job, ReleaseCard.job):
            answer = self._look(client) if message.job == LookAtService.job else self._release()
            result = codec.encode(answer, "An answer of the service", message.job)
            client.tell(messages.ResultMessage(message.number, result))
        elif isinstance(message, messages.RunMessage) and (job := client.new_job(message)) is not None:
            self._lane_of(job).add(job)

    def _drop(self, job: QueuedJob | None) -> None:
        if job is not None:
            for lane in (self._early, *self._lanes.values()):
                lane.drop(job)

    # Devices

    async def _look_at_devices(self, first: Worker, again: bool = False) -> None:
        """Ask the first worker for the devices, and another one if it dies; it becomes that of what “auto” means."""
        found = [_CPU]
        steps = first.run(ExamineWorker())
        try:
            while True:
                next(steps)
                await asyncio.sleep(POLL_SECONDS)
        except StopIteration as end:
            found = [device.name for device in end.value.devices]
        except MeshKinError as error:  # clients will be told by their own jobs
            print(error, file=sys.stderr, flush=True)
            if not again and not first.alive:
                await asyncio.to_thread(first.stop)
                await self._look_at_devices(_start_worker(), again=True)
                return
        finally:
            steps.close()
        default = next((name for name in found if name.startswith("cuda")), _CPU)
        self._devices = (default, *(name for name in found if name != default))
        self._lane(default).worker = first
        for early in list(self._early.waiting):
            self._early.waiting.remove(early)
            self._lane_of(early).add(early)

    def _lane_of(self, job: QueuedJob) -> Lane:
        """The queue for a job: of the device that its request names, of the CPU if it names none."""
        if not self._devices:
            return self._early
        name = job.run.request.get("device", _CPU)
        if name == "cuda":
            name = "cuda:0"
        if job.run.job == ExamineWorker.job or name not in self._devices:
            name = self._devices[0]  # “auto”; a device that is not there is refused by any worker
        return self._lane(str(name))

    def _lane(self, device: str) -> Lane:
        if device not in self._lanes:
            self._lanes[device] = Lane(_start_worker)
            self._go_on(self._lanes[device].serve())
        return self._lanes[device]

    # What the service answers itself

    def _look(self, asks: Client) -> ServiceState:
        devices = [_state(name, lane) for name, lane in self._lanes.items()]
        if self._early.waiting:
            devices.append(_state("", self._early))
        known = [client for client in self._clients if client.pid and client is not asks]
        clients = [ClientState(client.pid, len(client.jobs), client.done) for client in known]
        seconds = time.monotonic() - self._started
        return ServiceState(os.getpid(), __version__, seconds, self._idle_seconds, tuple(devices), tuple(clients))

    def _release(self) -> ReleasedCard:
        at_once = [lane.release() for lane in self._lanes.values() if lane.worker is not None]
        return ReleasedCard(sum(at_once), len(at_once) - sum(at_once))


def _state(device: str, lane: Lane) -> DeviceState:
    job, worker = lane.running, lane.worker
    pid = worker.pid if worker is not None and worker.alive else 0
    name, client = (job.run.job, job.owner.pid) if job else ("", 0)
    return DeviceState(device, pid, name, client, len(lane.waiting))


def _unix_socket(path: str) -> socket.socket | None:
    """A socket in the file system that only this user can open; None where there can be none."""
    if sys.platform == "win32":
        return None
    stream = socket.socket(socket.AF_UNIX)
    try:
        stream.bind(path)  # its folder is closed to others
        os.chmod(path, 0o600)
    except OSError:
        stream.close()
        return None
    return stream


def _is_own_user(stream: socket.socket) -> bool:
    """Whether the process at the other end of a Unix socket is this user's; True where the system does not tell."""
    if sys.platform == "win32" or stream.family != socket.AF_UNIX:
        return True  # it has to prove that it has read the token
    with contextlib.suppress(OSError):
        if sys.platform == "darwin":
            data = stream.getsockopt(0, _MAC_PEER, _MAC_PEER_BYTES)
            return int(struct.unpack_from("=I", data, 4)[0]) == os.getuid()
        data = stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", data)[1]) == os.getuid()
    return True
