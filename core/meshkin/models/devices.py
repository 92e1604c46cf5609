"""Devices that networks run on: which one, in which precision, and how many pictures its memory holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch

from ..base.errors import InputError, MeshKinError, is_out_of_memory
from ..base.progress import ProgressCallback, Result

_CPU_BATCH = 4
"""Pictures at a time on a CPU. Chosen by timing: 8 do not fit the caches of an idle CPU, and with 2 the threads of a
busy one wait for each other."""
_LARGEST_BATCH = 64
"""Most pictures at a time on a graphics card. Chosen: the card is busy then, and a job that is cancelled stops soon."""
_WORKING_ROOM = 1 << 30
"""Bytes that networks need beside their weights for one picture. Chosen, with room to spare."""
_LARGEST_ON_CPU = 10**8
"""Weights up to which "auto" leaves networks to a CPU. Chosen: with more a CPU takes minutes for each picture, and
computes them only where the user names it."""

_BFLOAT16_FEATURES = frozenset({"avx512_bf16", "amx_bf16"})
"""Instruction sets that multiply bfloat16, as PyTorch names them."""


def choose(name: str = "auto") -> torch.device:
    """The device with this name ("cpu", "cuda", "cuda:1", "mps"); "auto" takes a CUDA device where there is one.

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
    """The precision of networks that only look at pictures: float16 on CUDA, float32 elsewhere.

    These networks compute well in float16 on every card.
    """
    return torch.float16 if device.type == "cuda" else torch.float32


def matrix_precision(device: torch.device) -> torch.dtype:
    """The precision of a transformer's matrices: bfloat16 on a CPU that multiplies it, else as :func:`precision`.

    Measured on a CPU with AVX-512 BF16: half the time; the features' cosine to those of float32 is above 0.9999.
    """
    if device.type == "cpu" and not _BFLOAT16_FEATURES.isdisjoint(name for name, has in _cpu_features() if has):
        return torch.bfloat16
    return precision(device)


def _cpu_features() -> Iterable[tuple[str, object]]:
    """Names of what the processor may have, and whether it does; nothing where PyTorch does not tell."""
    tell = getattr(torch.cpu, "get_capabilities", dict)
    found: dict[str, object] = tell()
    return found.items()


def capability(device: torch.device) -> tuple[int, int] | None:
    """The compute capability of a CUDA device; None for any other."""
    return torch.cuda.get_device_capability(device) if device.type == "cuda" else None


def diffusion_precision(capability: tuple[int, int] | None) -> tuple[torch.dtype, torch.dtype]:
    """The precision of a diffusion model: of its UNet, ControlNets and text encoder, and of its VAE.

    A CUDA device of compute capability 8.0 or more computes bfloat16 in hardware, which has the range of float32:
    nothing overflows. Older CUDA devices compute float16, in which the VAE's decoder can overflow; the VAE stays in
    float32 there. Other devices compute in float32. Sums and latents are float32 everywhere.

    Args:
        capability: compute capability of a CUDA device; None for another device.
    """
    if capability is None:
        return torch.float32, torch.float32
    return (torch.bfloat16, torch.bfloat16) if capability >= (8, 0) else (torch.float16, torch.float32)


def sums_device(device: torch.device, size: int) -> torch.device:
    """The device that keeps sums of ``size`` bytes: this one, or the CPU where they would take more than half of the
    memory that is free on it."""
    if device.type != "cuda" or size <= torch.cuda.mem_get_info(device)[0] // 2:
        return device
    return torch.device("cpu")


def batch_size(device: torch.device, picture_bytes: int) -> int:
    """How many pictures to compute at a time on a device.

    Args:
        device: the device.
        picture_bytes: memory that one picture's activations take at their peak.
    """
    if device.type != "cuda":
        return _CPU_BATCH
    free, _ = torch.cuda.mem_get_info(device)
    return max(1, min(_LARGEST_BATCH, free // 2 // max(picture_bytes, 1)))


def check_room(device: str, numbers: int) -> None:
    """Check that a device holds so many weights at once, and what networks compute with them.

    Args:
        device: as :func:`choose` takes it.
        numbers: how many weights.

    Raises:
        MeshKinError: ``memory-low`` when the graphics card has too little free memory.
        InputError: ``device-missing`` as :func:`choose`, and where "auto" finds no card for so many weights.
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
    count: int, size: int, run: Callable[[slice], Result], report: ProgressCallback, stage: str
) -> Iterator[tuple[list[int], Result]]:
    """Compute items in batches; where the memory runs out, this batch and the next ones are half as large.

    Args:
        count: number of items.
        size: items of the first batch.
        run: computes one batch of items, which a slice numbers.
        report: told the progress of ``stage`` before each batch; may raise Cancelled.

    Yields:
        The numbers of a batch's items, and what ``run`` returned for them.

    Raises:
        MeshKinError: ``memory-low`` when not even one item fits.
    """
    start = 0
    while start < count:
        report(stage, start / count)
        stop = min(start + size, count)
        result: Result | None = None
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
        if result is None:  # outside of the handler: its traceback would keep the failed batch's tensors alive
            size = max(1, size // 2)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            continue
        yield list(range(start, stop)), result
        start = stop
    report(stage, 1.0)
