"""The jobs of one device: whose turn it is, and the worker that does them one after the other.

Clients take turns: a client that has sent a hundred jobs does not keep another one's first job waiting for more than
the one that runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import traceback
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Protocol

from ...base.errors import Cancelled, MeshKinError, WorkerError
from ...base.json_data import Json
from ...base.progress import POLL_SECONDS, Progress
from .. import messages
from ..running import Worker

Answer = messages.ResultMessage | messages.ErrorMessage
IN_QUEUE = "Waiting in place {} of the queue"
"""What a job does before its turn."""
StartWorker = Callable[[], Worker]


class Owner(Protocol):
    """A client, as far as its jobs know it."""

    pid: int

    def tell(self, message: messages.Message) -> None:
        """Send it a message."""

    def finish(self, job: QueuedJob) -> None:
        """Note that its job has been answered or dropped."""


@dataclass(eq=False)
class QueuedJob:
    """A job of a client.

    Attributes:
        owner: the client.
        run: the message that asked for it.
        turn: the round in which it comes; each client has one job in a round.
        cancelled: whether nobody wants its result any more.
        place: in the queue, from 1, as the client was told last; 0 before.
    """

    owner: Owner
    run: messages.RunMessage
    turn: int = 0
    cancelled: bool = False
    place: int = 0

    def answer(self, message: Answer) -> None:
        """Send the client the answer, unless it does not want it any more."""
        if not self.cancelled:
            self.owner.tell(message)
            self.owner.finish(self)

    def tell(self, message: messages.Message) -> None:
        """Send the client something about it, unless it does not want the job any more."""
        if not self.cancelled:
            self.owner.tell(message)


class Lane:
    """The queue of one device, and its worker."""

    def __init__(self, start_worker: StartWorker) -> None:
        """An empty one, without a worker; ``start_worker`` starts one, and may raise WorkerError."""
        self.waiting: list[QueuedJob] = []  # in the order of their turns
        self.running: QueuedJob | None = None
        self.worker: Worker | None = None
        self._start_worker = start_worker
        self._turn = 0  # of the job that was started last
        self._last_turns: dict[Owner, int] = {}  # of clients that have jobs waiting
        self._changed = asyncio.Event()
        self._released = False

    def add(self, job: QueuedJob) -> None:
        """Put a job into the queue."""
        job.turn = max(self._turn, self._last_turns.get(job.owner, self._turn)) + 1
        self._last_turns[job.owner] = job.turn
        place = next((at for at, other in enumerate(self.waiting) if other.turn > job.turn), len(self.waiting))
        self.waiting.insert(place, job)
        self._tell_places()
        self._changed.set()

    def drop(self, job: QueuedJob) -> None:
        """Let a job end without a result: at once if it waits, as soon as the worker can if it runs."""
        job.cancelled = True
        if job in self.waiting:
            self.waiting.remove(job)
            self._forget_turn(job)
            self._tell_places()

    def release(self) -> bool:
        """End the worker: at once if it does nothing, else after its job; returns whether it does nothing."""
        self._released = True
        self._changed.set()
        return self.running is None

    async def serve(self) -> None:
        """Do one job after the other, until this is cancelled."""
        while True:
            if self._released:
                await self._end_worker()
            if not self.waiting:
                self._changed.clear()
                await self._changed.wait()
                continue
            job = self.running = self.waiting.pop(0)
            self._turn = job.turn
            self._forget_turn(job)
            self._tell_places()
            try:
                job.answer(await self._answer(job))
            finally:
                self.running = None

    async def end(self) -> None:
        """End the worker, whatever it is doing."""
        await self._end_worker()

    async def _end_worker(self) -> None:
        self._released = False
        worker, self.worker = self.worker, None
        if worker is not None:
            await asyncio.to_thread(worker.stop)

    async def _answer(self, job: QueuedJob) -> Answer:
        """Have a job done by the worker; a worker that has died is replaced first."""
        number = job.run.number
        try:
            worker = await self._usable_worker()
            steps = worker.run_fields(job.run.job, dict(job.run.request), job.run.surroundings)
            try:
                result = await self._through(steps, job)
            finally:
                steps.close()
            while worker.cancelling:  # it stops, or is killed
                await asyncio.sleep(POLL_SECONDS)
        except MeshKinError as error:
            return messages.ErrorMessage(number, error.to_dict())
        except Exception as error:  # a bug here must not end the service
            traceback.print_exc(file=sys.stderr)
            what = f"The local service failed with {type(error).__name__}: {error}"
            bug = WorkerError("worker-bug", what, "This is a bug in MeshKin: report it.")
            return messages.ErrorMessage(number, bug.to_dict())
        if result is None:
            return messages.ErrorMessage(number, Cancelled().to_dict())
        return messages.ResultMessage(number, result)

    async def _through(
        self, steps: Generator[Progress, None, dict[str, Json]], job: QueuedJob
    ) -> dict[str, Json] | None:
        """The result of a job, whose progress is passed on; None if it was cancelled meanwhile."""
        last = None
        while not job.cancelled:
            try:
                progress = next(steps)
            except StopIteration as end:
                result: dict[str, Json] = end.value
                return result
            if progress != last:
                job.tell(messages.ProgressMessage(job.run.number, progress.stage, progress.fraction))
            await asyncio.sleep(0 if progress != last else POLL_SECONDS)
            last = progress
        return None

    async def _usable_worker(self) -> Worker:
        if self.worker is None or not self.worker.alive:
            await self._end_worker()
            self.worker = self._start_worker()
        return self.worker

    def _forget_turn(self, job: QueuedJob) -> None:
        """Forget which turn comes next for a client that has no more jobs waiting: it then joins the current round."""
        if not any(other.owner is job.owner for other in self.waiting):
            with contextlib.suppress(KeyError):
                del self._last_turns[job.owner]

    def _tell_places(self) -> None:
        """Tell each client where in the queue its jobs have come."""
        for place, job in enumerate(self.waiting, 1):
            if place != job.place:
                job.place = place
                job.tell(messages.ProgressMessage(job.run.number, IN_QUEUE.format(place), 0.0))
