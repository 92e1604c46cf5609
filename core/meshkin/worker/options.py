"""Options of the computing: where it happens, and what may be downloaded."""

from __future__ import annotations

from dataclasses import dataclass

from ..base.options import Choice, option

DEVICES = tuple(Choice(name, name) for name in ("auto", "cpu", "cuda", "cuda:0", "cuda:1", "mps"))


@dataclass(frozen=True)
class WorkerOptions:
    """What the worker computes on, and what it may fetch."""

    device: str = option(
        "auto", "Device", "What computes: auto, cpu, cuda, cuda:1, mps", suggestions=DEVICES, panel=False
    )
    online: bool = option(False, "Online", "Models may be fetched from the hub", panel=False)
