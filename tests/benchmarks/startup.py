"""What the add-on costs at the start of Blender: starts with it enabled and without, by turns.

    python packaging/build_extension.py
    python tests/benchmarks/startup.py dist/meshkin-VERSION.zip [--blender blender] [--runs 15]

Each kind of start has its own fresh folder of user settings; the zip is installed in one of them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT = 0.1
"""Seconds that the add-on may cost."""
INSTALL = """
import bpy
bpy.ops.extensions.package_install_files(filepath={path!r}, repo="user_default", enable_on_install=True)
assert "bl_ext.user_default.meshkin" in bpy.context.preferences.addons
bpy.ops.wm.save_userpref()
"""
PLAIN = "import bpy; bpy.ops.wm.save_userpref()"


def main() -> int:
    """Measure and print; 1 when the add-on costs more than :data:`LIMIT`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("zip", type=Path)
    parser.add_argument("--blender", default="blender")
    parser.add_argument("--runs", type=int, default=15)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="meshkin-startup-") as name:
        folders = {"without": Path(name) / "without", "with": Path(name) / "with"}
        for folder in folders.values():
            folder.mkdir()
        start(arguments.blender, folders["without"], PLAIN)
        start(arguments.blender, folders["with"], INSTALL.format(path=str(arguments.zip.resolve())))
        checks = {"without": "not in", "with": "in"}
        code = "import bpy; assert 'bl_ext.user_default.meshkin' {} bpy.context.preferences.addons"
        times: dict[str, list[tuple[float, float]]] = {"without": [], "with": []}
        for run in range(arguments.runs + 1):
            for kind in ("without", "with") if run % 2 else ("with", "without"):
                taken = start(arguments.blender, folders[kind], code.format(checks[kind]))
                if run > 0:  # the first start of each kind fills the system's file cache
                    times[kind].append(taken)
    version = subprocess.run([arguments.blender, "--version"], capture_output=True, text=True, check=True).stdout
    print(f"{version.splitlines()[0]}, in the background, {os.cpu_count()} cores, no GPU, {arguments.runs} starts each")
    medians = {}
    for kind, pairs in times.items():
        clock = sorted(seconds for seconds, _ in pairs)
        processor = sorted(seconds for _, seconds in pairs)
        medians[kind] = statistics.median(clock), statistics.median(processor)
        print(
            f"{kind:8} the add-on: median {medians[kind][0]:.3f} s ({clock[0]:.3f} to {clock[-1]:.3f}), "
            f"processor time {medians[kind][1]:.3f} s ({processor[0]:.3f} to {processor[-1]:.3f})"
        )
    cost, processor_cost = (medians["with"][index] - medians["without"][index] for index in (0, 1))
    print(f"the add-on costs {cost:+.3f} s, {processor_cost:+.3f} s of processor time (limit {LIMIT} s)")
    return int(cost > LIMIT)


def start(blender: str, folder: Path, code: str) -> tuple[float, float]:
    """Start Blender with user settings in ``folder``, run ``code``, quit; seconds by the clock and of the processor."""
    variables = {**os.environ, "BLENDER_USER_RESOURCES": str(folder)}
    used = os.times()
    begun = time.perf_counter()
    command = [blender, "--background", "--python-exit-code", "1", "--python-expr", code]
    done = subprocess.run(
        command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\nBlender failed.")
    seconds, after = time.perf_counter() - begun, os.times()
    return seconds, after.children_user + after.children_system - used.children_user - used.children_system


if __name__ == "__main__":
    sys.exit(main())
