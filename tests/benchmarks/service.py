"""The local service beside workers of one's own: when the jobs of a second Blender start.

    python tests/benchmarks/service.py [--runs 3] [--views 4]

Run it with a bpy environment's Python and ``core`` on the path; the worker is the one that MeshKin finds. A first
Blender computes features, so that the service has the model loaded; then a second one describes another mesh. Of each
of its jobs: the seconds from when it is asked for to the first thing that the worker says of it. That is its progress,
or, of jobs that report none, such as the first one ("plan"), already the result.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CORE = Path(__file__).resolve().parents[2] / "core"
LIMIT = 0.3
"""Seconds within which the second Blender's first job starts, and its job with the loaded model."""
STARTED = ("Starting the worker", "Waiting for the worker", "Waiting in place")
"""How the stages begin that come before a job is started."""

BLENDER = """
import json, sys, time
import bpy
from meshkin import workflow
from meshkin.base.progress import finish
from meshkin.worker.running import Worker

bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.mesh.primitive_uv_sphere_add(segments=int(sys.argv[1]), ring_count=24)
run, asked = Worker.run, []

def timed(worker, request):
    begin, first = time.perf_counter(), None
    job = run(worker, request)
    try:
        while True:
            progress = next(job)
            if first is None and not progress.stage.startswith({started!r}):
                first = time.perf_counter() - begin
            yield progress
    except StopIteration as end:
        seconds = time.perf_counter() - begin
        asked.append((request.job, seconds if first is None else first, seconds))
        return end.value

Worker.run = timed
views = {views}
begin = time.perf_counter()
options = workflow.Options(features=workflow.FeatureOptions(extractor="dinov2", views=views, resolution=224))
finish(workflow.features([bpy.context.object], options))
print("RESULT", json.dumps([time.perf_counter() - begin, asked]))
"""


def blender(segments: int, views: int, variables: dict[str, str]) -> tuple[float, list[tuple[str, float, float]]]:
    """Features of a sphere in a Blender of its own: seconds, and of each job its name, its start and its end."""
    code = BLENDER.replace("{started!r}", repr(STARTED)).replace("{views}", str(views))
    run = subprocess.run(
        [sys.executable, "-c", code, str(segments)],
        env=os.environ | {"PYTHONPATH": str(CORE)} | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = [line for line in run.stdout.splitlines() if line.startswith("RESULT")]
    seconds, asked = json.loads(line.removeprefix("RESULT"))
    return seconds, asked


def main() -> int:
    """Measure and print; 1 when a job of the second Blender starts too late with the service."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--views", type=int, default=4)
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {arguments.views} views of 224 px, DINOv2 S/14")
    latest = 0.0
    with tempfile.TemporaryDirectory(prefix="meshkin-benchmark-") as name:
        for compute in ("own", "service"):
            variables = {"MESHKIN_COMPUTE": compute, "MESHKIN_HOME": name, "MESHKIN_CACHE": f"{name}/{compute}"}
            environment = os.environ | {"PYTHONPATH": str(CORE)} | variables
            service = None
            if compute == "service":
                command = [sys.executable, "-m", "meshkin", "serve"]
                service = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
                while not list(Path(name).glob("service/*/address.json")):
                    time.sleep(0.1)
            first, _ = blender(32, arguments.views, variables)
            print(f"{compute}: the first Blender's features take {first:.2f} s")
            starts: dict[str, list[float]] = {}
            totals = []
            for number in range(arguments.runs):
                seconds, asked = blender(33 + number, arguments.views, variables)
                totals.append(seconds)
                for job, start, _ in asked:
                    starts.setdefault(job, []).append(start)
            each = ", ".join(f"{job} {statistics.median(times):.3f}" for job, times in starts.items())
            print(f"{compute}: a second Blender's take {statistics.median(totals):.2f} s")
            print(f"  the first word of its jobs comes after: {each} s")
            if service is not None:
                service.terminate()
                service.wait()
                latest = max(*starts["plan"], *starts["features"])
                print(f"  the latest of plan and features in {arguments.runs} runs: {latest:.3f} s (limit {LIMIT} s)")
    return int(latest > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
