"""Options of the worker: the device that computes, and whether models may be downloaded."""

from __future__ import annotations

from dataclasses import dataclass

from ..base.options import Choice, option

DEVICES = tuple(Choice(name, name) for name in ("auto", "cpu", "cuda", "cuda:0", "cuda:1", "mps"))
"""The devices that are suggested, by their names in PyTorch."""


@dataclass(frozen=True)
class WorkerOptions:
    """Where the worker computes, and whether it may download models."""

    device: str = option(
        "auto", "Device", "Device that computes: auto, cpu, cuda, cuda:1 or mps", suggestions=DEVICES, panel=False
    )
    online: bool = option(False, "Online", "Allow downloading models from the Hugging Face Hub", panel=False)
