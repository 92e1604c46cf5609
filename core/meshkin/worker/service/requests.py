"""Requests that the local service answers itself."""

from __future__ import annotations

from dataclasses import dataclass

from ..requests.base import Request


@dataclass(frozen=True)
class DeviceState:
    """The worker of one device.

    Attributes:
        device: what it computes on, PyTorch's name.
        pid: its process number; 0 if it is not started.
        job: what it is doing; "" for nothing.
        client: process number of the one who asked for that; 0 for nobody.
        waiting: how many jobs wait for it.
    """

    device: str
    pid: int
    job: str
    client: int
    waiting: int


@dataclass(frozen=True)
class ClientState:
    """A program that uses the service.

    Attributes:
        pid: its process number.
        jobs: how many of its jobs are running or waiting.
        done: how many are over.
    """

    pid: int
    jobs: int
    done: int


@dataclass(frozen=True)
class ServiceState:
    """What the service is doing.

    Attributes:
        pid: its process number.
        version: of its MeshKin.
        seconds: since it was started.
        idle_limit: seconds without a job after which it ends; 0 for never.
        devices: those in use.
        clients: all but the one who asks.
    """

    pid: int
    version: str
    seconds: float
    idle_limit: float
    devices: tuple[DeviceState, ...]
    clients: tuple[ClientState, ...]


@dataclass(frozen=True)
class LookAtService(Request[ServiceState], job="service-state"):
    """Look at the service, its workers and its clients."""


@dataclass(frozen=True)
class ReleasedCard:
    """Workers that have released what they held.

    Attributes:
        ended: how many ended at once.
        later: how many end after the job that they are doing.
    """

    ended: int
    later: int


@dataclass(frozen=True)
class ReleaseCard(Request[ReleasedCard], job="service-release"):
    """End the workers, with all the memory that they hold: those with a job when it is over."""
