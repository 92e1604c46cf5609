"""What many characters cost: batches of growing size measured on this machine, and from that 10,000 on many machines.

    MESHKIN_WORKER_PYTHON=… python tests/benchmarks/scale.py [--sources 2] [--targets 2,8,24] [--rings 30] [--ray]

Each batch has a cache of its own. Processor seconds are those of all processes that a batch has started (on Linux): the
work that was done, whatever else the machine did meanwhile. Up to 35 shapes have triangles of their own: none is
recognized as a copy. With ``--ray`` (a Python with Ray, and ``MESHKIN_BLENDER``), one batch is run instead by
``--jobs`` 1, 2 and 4 and by as many Ray workers.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from meshkin.batch import manifest, plan, records

CHARACTERS = 10_000
"""What is asked for."""
MACHINES = (1, 10, 100)
SUFFIXES = {"match": ".npz", "features": ".safetensors"}
FEATURES = ("--features", "geometric")
_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER (Linux, sys/prctl.h): what outlives its parent becomes a child of this process."""
_AFTER_SECONDS = 30.0
"""Seconds that what a batch has started gets to end after it (chosen)."""


def write_shape(path: Path, rings: int, seed: int) -> int:
    """Write a bumpy ball with arms, one of a kind for each seed; returns its number of vertices."""
    random = np.random.default_rng(seed)
    rows, columns = rings + seed % 7, 2 * rings + seed % 5
    height = np.linspace(0, np.pi, rows + 1)[1:-1, None]
    angle = np.linspace(0, 2 * np.pi, columns, endpoint=False)[None]
    stretch, phase = random.uniform(0.8, 1.25, 3), random.uniform(-0.2, 0.2, 2)
    radius = 1 + 0.35 * np.sin(2 * angle + phase[0]) * np.sin(height) ** 2 + 0.3 * np.cos(height + phase[1])
    ring = np.stack(
        [
            radius * np.sin(height) * np.cos(angle),
            radius * np.sin(height) * np.sin(angle),
            radius * np.cos(height) + 0 * angle,
        ],
        axis=-1,
    )
    points = np.concatenate([ring.reshape(-1, 3), [[0, 0, 1.3], [0, 0, -0.7]]]) * stretch
    number = np.arange((rows - 1) * columns).reshape(rows - 1, columns)
    right = np.roll(number, -1, axis=1)
    top, bottom = len(points) - 2, len(points) - 1
    quads = np.stack([number[:-1], number[1:], right[1:], right[:-1]], axis=-1).reshape(-1, 4)
    faces = [quad.tolist() for quad in quads]
    faces += [[top, a, b] for a, b in zip(number[0], right[0], strict=True)]
    faces += [[bottom, b, a] for a, b in zip(number[-1], right[-1], strict=True)]
    lines = ["v " + " ".join(f"{value:.5f}" for value in point) for point in points]
    lines += ["f " + " ".join(str(index + 1) for index in face) for face in faces]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return len(points)


@dataclass(frozen=True)
class Run:
    """What one batch cost.

    Attributes:
        seconds: from the start of the command to its end.
        start: from there until its first pair begins, features included.
        pairing: from the first pair's beginning to the last one's end.
        processor: processor seconds of the command and all that it has started.
        features, pairs: median seconds of an item of each kind.
        features_bytes, maps_bytes: of the cache, for each shape and each pair.
        outputs_bytes: of what an item of each kind wrote, with its record and log, on average.
        inputs_bytes: of a shape's file.
    """

    seconds: float
    start: float
    pairing: float
    processor: float
    features: float
    pairs: float
    features_bytes: float
    maps_bytes: float
    outputs_bytes: dict[str, float]
    inputs_bytes: float


def make(folder: Path, sources: int, targets: int, rings: int) -> Path:
    """Shapes and their manifest."""
    for number in range(sources + targets):
        kind = "s" if number < sources else "t"
        write_shape(folder / f"{kind}{number:05d}.obj", rings, number)
    matrix = {"sources": ["s*.obj"], "targets": ["t*.obj"], "features": list(FEATURES)}
    (folder / "jobs.json").write_text(json.dumps({"matrix": matrix}), encoding="utf-8")
    return folder / "jobs.json"


def children_seconds() -> float:
    """Processor seconds of all processes that this one has started, and they in turn, and that have ended."""
    deadline = time.monotonic() + _AFTER_SECONDS
    with contextlib.suppress(ChildProcessError):  # none is left
        while time.monotonic() < deadline:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.1)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(jobs: Path, out: Path, *arguments: str) -> Run:
    """Run a batch with an empty cache."""
    cache = out.with_name(f"{out.name}-cache")
    command = [sys.executable, "-m", "meshkin", "batch", str(jobs), "--output", str(out), "--json", *arguments]
    began, clock, spent = time.monotonic(), time.time(), children_seconds()
    variables = {**os.environ, "MESHKIN_CACHE": str(cache)}
    ran = subprocess.run(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    seconds = time.monotonic() - began
    processor = children_seconds() - spent
    told = json.loads(ran.stdout.splitlines()[-1])
    assert told["ok"], told
    _, found = records.load_all(out)
    times: dict[str, list[float]] = {}
    written: dict[str, list[float]] = {}
    for record in found:
        times.setdefault(record.verb, []).append(record.seconds)
        files = (record.output, records.record_file(out, record.id), records.log_file(out, record.id))
        written.setdefault(record.verb, []).append(sum(path.stat().st_size for path in files))
    sizes = {kind: sum(path.stat().st_size for path in (cache / kind).iterdir()) for kind in ("features", "maps")}
    inputs = [path.stat().st_size for path in jobs.parent.glob("*.obj")]
    pairs = [record for record in found if record.verb == "match"]
    first, last = min(each.began for each in pairs), max(each.began + each.seconds for each in pairs)
    return Run(
        seconds,
        first - clock,
        last - first,
        processor,
        statistics.median(times["features"]),
        statistics.median(times["match"]),
        sizes["features"] / len(times["features"]),
        sizes["maps"] / len(times["match"]),
        {verb: statistics.mean(each) for verb, each in written.items()},
        statistics.mean(inputs),
    )


def growing(folder: Path, arguments: argparse.Namespace) -> Run:
    """Batches of growing size: what a pair costs must not grow with their number; returns the largest.

    Processor seconds are those of each pair more than in the batch before, with the features of the shapes added.
    """
    head = f"{'shapes':>6} {'pairs':>6} {'seconds':>8} {'features s':>10} {'pair s':>7}"
    print(f"{head} {'processor s/pair':>16} {'cache KB/shape':>14} {'KB/pair':>8} {'load':>6}")
    before = (0, 0.0)
    for targets in map(int, arguments.targets.split(",")):
        jobs = make(folder / f"in{targets}", arguments.sources, targets, arguments.rings)
        run = measured(jobs, folder / f"out{targets}", "--jobs", str(arguments.jobs))
        pairs = arguments.sources * targets
        each = (run.processor - before[1]) / (pairs - before[0])
        before = (pairs, run.processor)
        print(
            f"{arguments.sources + targets:6} {pairs:6} {run.seconds:8.1f} {run.features:10.2f} {run.pairs:7.2f}"
            f" {each:16.2f} {run.features_bytes / 1e3:14.1f} {run.maps_bytes / 1e3:8.1f}"
            f" {os.getloadavg()[0]:6.1f}",
            flush=True,
        )
    return run


def planning(folder: Path, count: int) -> None:
    """What a manifest of many items costs before the first of them runs, and each part of it on a farm."""
    place = folder / "many"
    place.mkdir()
    for number in range(count):
        (place / f"t{number:05d}.obj").write_text(str(number), encoding="ascii")
    (place / "source.obj").write_text("source", encoding="ascii")
    matrix = {"sources": ["source.obj"], "targets": ["t*.obj"]}
    (place / "jobs.json").write_text(json.dumps({"matrix": matrix}), encoding="utf-8")
    began = time.monotonic()
    made = plan.make(manifest.read(place / "jobs.json"), place / "jobs.json", place / "out", SUFFIXES)
    planned = time.monotonic() - began
    began = time.monotonic()
    for task in made.tasks[-10:]:
        assert task.key
    part = time.monotonic() - began
    for task in made.tasks:
        assert task.key
    every = time.monotonic() - began
    print(
        f"A manifest of {len(made.tasks):,} items is planned in {planned:.1f} s. Which of them are done is seen "
        f"in {part:.3f} s for 10 of them, in {every:.1f} s for all."
    )


def on_paper(run: Run, jobs: int) -> None:
    """What :data:`CHARACTERS` cost, each with one source, by what was measured."""
    work = CHARACTERS * (run.features + run.pairs)
    cache = CHARACTERS * (run.features_bytes + run.maps_bytes)
    moved = CHARACTERS * (2 * run.inputs_bytes + run.features_bytes + run.maps_bytes + sum(run.outputs_bytes.values()))
    shared = run.features_bytes + run.inputs_bytes
    print(
        f"\n{CHARACTERS:,} characters, one pair each, {jobs} items at once on each machine, cache in one shared folder:"
    )
    print(f"{'machines':>8} {'hours':>7} {'GB moved':>9} {'MB/s':>6} {'GB cache':>9}")
    for machines in MACHINES:
        seconds = work / jobs / machines
        total = moved + machines * shared  # each reads the source and its features once
        print(f"{machines:8} {seconds / 3600:7.2f} {total / 1e9:9.2f} {total / seconds / 1e6:6.2f} {cache / 1e9:9.2f}")


def engines(folder: Path, arguments: argparse.Namespace) -> None:
    """The same batch by local runners and by Ray workers, one right after the other."""
    targets = int(arguments.targets.split(",")[0])
    count = arguments.sources * targets
    print(f"{count} pairs. Start: until the first pair begins (Ray's own start, Blender's, features).")
    head = f" {'seconds':>8} {'start':>6} {'pairs/min':>10} {'processor s':>11}"
    print(f"\n{'':>8} {'--jobs':>38} {'Ray':>38}\n{'at once':>8}{head}{head} {'load':>6}", flush=True)
    jobs = make(folder / "engines", arguments.sources, targets, arguments.rings)
    for slots in (1, 2, 4):
        cells = ""
        for name, more in (("local", ()), ("ray", ("--engine", "ray", "--address", "local"))):
            run = measured(jobs, folder / f"{name}{slots}", "--jobs", str(slots), *more)
            cells += f" {run.seconds:8.1f} {run.start:6.1f} {60 * count / run.pairing:10.1f} {run.processor:11.1f}"
        print(f"{slots:8}{cells} {os.getloadavg()[0]:6.1f}", flush=True)


def main() -> None:
    parser: Any = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sources", type=int, default=2)
    parser.add_argument("--targets", default="2,8,24")
    parser.add_argument("--rings", type=int, default=30)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--ray", action="store_true", help="compare engines instead")
    arguments = parser.parse_args()
    ctypes.CDLL(None).prctl(_SUBREAPER, 1)
    with tempfile.TemporaryDirectory(prefix="meshkin-scale-") as name:
        folder = Path(name)
        vertices = write_shape(folder / "one" / "shape.obj", arguments.rings, 0)
        print(f"Shapes of about {vertices:,} vertices, geometric features, {os.cpu_count()} cores, no graphics card.\n")
        if arguments.ray:
            engines(folder, arguments)
            return
        run = growing(folder, arguments)
        print()
        planning(folder, CHARACTERS)
        on_paper(run, arguments.jobs)


if __name__ == "__main__":
    main()
