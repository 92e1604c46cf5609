"""Libraries of the system that Blender's and PyTorch's modules need.

Standard library only: this runs in a plain Python before anything is installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ..base.processes import clean_variables


def missing_libraries(python: Path | str, module: str = "bpy") -> list[tuple[str, str]]:
    """The system libraries that a module needs and that are not installed.

    Returns pairs: the library's file name, and the Debian package that contains it ("" if that is not known). On other
    systems than Linux the list is empty: there the modules bring what they need. The module is not imported.

    Args:
        python: interpreter of the environment that has the module.
        module: its name.
    """
    if not sys.platform.startswith("linux"):
        return []
    code = f"import importlib.util; print(importlib.util.find_spec({module!r}).origin)"
    try:
        file = _output([python, "-I", "-c", code])
        lines = _output(["ldd", file.strip()]).splitlines()
    except FileNotFoundError:  # a system without ldd
        return []
    names = [line.split()[0] for line in lines if line.rstrip().endswith("=> not found")]
    return [(name, DEBIAN_PACKAGES.get(name, "")) for name in dict.fromkeys(names)]


def _output(command: Sequence[Path | str]) -> str:
    ran = subprocess.run(
        [os.fspath(part) for part in command], capture_output=True, env=clean_variables(), text=True, check=False
    )
    return ran.stdout


DEBIAN_PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libGLX.so.0": "libglx0",
    "libICE.so.6": "libice6",
    "libOpenGL.so.0": "libopengl0",
    "libSM.so.6": "libsm6",
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libXrender.so.1": "libxrender1",
    "libXt.so.6": "libxt6",
    "libXxf86vm.so.1": "libxxf86vm1",
    "libatomic.so.1": "libatomic1",
    "libgomp.so.1": "libgomp1",
    "libjack.so.0": "libjack-jackd2-0",
    "libpulse.so.0": "libpulse0",
    "libstdc++.so.6": "libstdc++6",
    "libxkbcommon.so.0": "libxkbcommon0",
}
"""Debian's (and Ubuntu's) package for each system library that Blender's or PyTorch's wheels ask for."""
