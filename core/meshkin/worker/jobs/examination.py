"""The job that looks at the worker itself. Standard library only: it runs where libraries are missing, too."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

from ...base.progress import ProgressCallback
from .. import requirements
from ..requests.maintenance import Device, ExamineWorker, ExamineWorkerResult


def examine_worker(request: ExamineWorker, report: ProgressCallback) -> ExamineWorkerResult:
    """Python, libraries and devices of this process."""
    return ExamineWorkerResult(sys.version.split()[0], Path(sys.executable), requirements.versions(), tuple(_devices()))


def _devices() -> list[Device]:
    devices = [Device("cpu", 0, platform.processor() or platform.machine())]
    try:
        import torch
    except (ImportError, OSError):  # missing, or a library of the system is
        return devices
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        devices.append(Device(f"cuda:{index}", properties.total_memory, properties.name))
    if torch.backends.mps.is_available():
        devices.append(Device("mps", 0, "Apple GPU"))
    return devices
