"""Where networks run, in which precision, and in batches that fit the memory there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

from ..base.errors import InputError, MeshKinError, is_out_of_memory
from ..base.progress import ProgressCallback

T = TypeVar("T")

_CPU_BATCH = 4
"""Pictures at a time on a CPU: 8 fall out of the caches of an idle one, 2 wait for other threads on a busy one."""
_LARGEST_BATCH = 64
_WORKING_ROOM = 1 << 30
"""Bytes that networks need beside their weights for one picture."""

_LARGEST_ON_CPU = 10**8
"""Weights with which a processor takes minutes a picture: more are given to one only where it is asked for by name."""


def choose(name: str = "auto") -> torch.device:
    """The device called ``name`` ("cpu", "cuda", "cuda:1", "mps"); "auto" takes a GPU where there is one.

    Raises InputError ``device-missing``.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError("device-missing", f"“{name}” is no device.", "Choose auto, cpu, cuda or mps.") from error
    count = {
        "cpu": 1,
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
    }.get(device.type, 0)
    if device.type == "cuda" and not count:
        raise InputError("device-missing", *_no_cuda())
    if (device.index or 0) >= count:
        raise InputError("device-missing", f"This machine has no device “{name}”.", "Choose “auto” or “cpu”.")
    return device


def _no_cuda() -> tuple[str, str]:
    """Why there is no CUDA device, and what to do."""
    other = "set the device to “cpu”, which takes very much longer"
    if torch.version.cuda is None:
        fix = "Install PyTorch for your card (pytorch.org) with the worker's Python, which “meshkin doctor” names"
        return "The worker's PyTorch was made without CUDA.", f"{fix}, or {other}."
    return "This machine has no CUDA graphics card that PyTorch can use.", f"Update the card's driver, or {other}."


def precision(device: torch.device) -> torch.dtype:
    """Of networks that only look at pictures: float16 on CUDA, which they bear on every card, single elsewhere."""
    return torch.float16 if device.type == "cuda" else torch.float32


def capability(device: torch.device) -> tuple[int, int] | None:
    """The compute capability of a CUDA device; None for any other."""
    return torch.cuda.get_device_capability(device) if device.type == "cuda" else None


def diffusion_precision(capability: tuple[int, int] | None) -> tuple[torch.dtype, torch.dtype]:
    """Of a diffusion model's UNet, ControlNets and text encoder, and of its VAE, as the device prefers it.

    bfloat16 where a CUDA device has it in hardware (compute capability 8.0): it has the range of single precision, so
    that nothing overflows. Older ones have float16, in which the VAE's decoder can overflow: it stays in single
    precision there. Anything else computes in single precision. Sums and latents are float32 everywhere.
    """
    if capability is None:
        return torch.float32, torch.float32
    return (torch.bfloat16, torch.bfloat16) if capability >= (8, 0) else (torch.float16, torch.float32)


def sums_device(device: torch.device, size: int) -> torch.device:
    """Where sums of ``size`` bytes are kept: on the device, or in the computer's memory where they would take more
    than half of what is free there."""
    if device.type != "cuda" or size <= torch.cuda.mem_get_info(device)[0] // 2:
        return device
    return torch.device("cpu")


def batch_size(device: torch.device, picture_bytes: int) -> int:
    """How many pictures to compute at a time.

    Args:
        device: where.
        picture_bytes: memory that one picture's activations take at their peak.
    """
    if device.type != "cuda":
        return _CPU_BATCH
    free, _ = torch.cuda.mem_get_info(device)
    return max(1, min(_LARGEST_BATCH, free // 2 // max(picture_bytes, 1)))


def check_room(device: str, numbers: int) -> None:
    """Raise MeshKinError ``memory-low`` where so many weights, and what they compute, cannot be on the device at once.

    Raises InputError ``device-missing`` as :func:`choose`, and where "auto" would leave many to the processor.
    """
    chosen = choose(device)
    if device == "auto" and chosen.type == "cpu" and numbers > _LARGEST_ON_CPU:
        raise InputError("device-missing", *_no_cuda())
    if chosen.type != "cuda":
        return
    needed = numbers * precision(chosen).itemsize + _WORKING_ROOM
    free = torch.cuda.mem_get_info(chosen)[0] + torch.cuda.memory_reserved(chosen)
    if free < needed:
        raise MeshKinError(
            "memory-low",
            f"The graphics card has {free / 2**30:.1f} GiB free; these features need {needed / 2**30:.1f}.",
            "Close other programs, release GPU memory, or set the device to “cpu”.",
        )


def in_batches(
    count: int, size: int, run: Callable[[slice], T], report: ProgressCallback, stage: str
) -> Iterator[tuple[list[int], T]]:
    """Run over 0 .. count - 1 in batches, each half as large from where the memory ran out.

    Args:
        count: of items.
        size: of the first batches.
        run: computes one batch.
        report: told the progress of ``stage`` before each batch; may raise Cancelled.

    Yields:
        The items of a batch and what ``run`` returned for it.

    Raises:
        MeshKinError: ``memory-low`` when not even one item fits.
    """
    start = 0
    while start < count:
        report(stage, start / count)
        stop = min(start + size, count)
        result: T | None = None
        try:
            result = run(slice(start, stop))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if size == 1:
                raise MeshKinError(
                    "memory-low",
                    "There is too little memory for even one picture.",
                    "Choose a smaller model or resolution, close other programs, or set the device to “cpu”.",
                ) from error
        if result is None:  # out of the handler, whose traceback would keep the failed batch's tensors alive
            size = max(1, size // 2)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            continue
        yield list(range(start, stop)), result
        start = stop
    report(stage, 1.0)
