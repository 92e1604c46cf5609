"""How many swapped poses the filter of data sets finds, and how long it takes.

    python tests/benchmarks/dataset_filter.py MESH.npz [--count 600] [--share 0.1]

``MESH.npz`` has ``vertices`` (V, 3) and ``faces`` (F, 3), such as ``models/000001.npz`` of a data set. Pictures are
shaded by NumPy alone; then the poses of a share of them are passed on among these.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from helpers import datasets
from meshkin.base.progress import silent
from meshkin.dataset import consistency, sampling
from meshkin.dataset.camera import look_at
from meshkin.dataset.record import DataFolder, ModelRecord, SetRecord, numbers
from meshkin.worker.jobs.datasets import filter_dataset
from meshkin.worker.requests.datasets import FilterDataset

SIZE = 96
"""Pixels along a picture."""


def make(path: Path, mesh: Path, count: int, sampler: str) -> DataFolder:
    """A set of pictures of one shape alone."""
    with np.load(mesh) as data:
        vertices, faces = data["vertices"].astype(np.float64), data["faces"]
    vertices = vertices / np.ptp(vertices, axis=0).max()
    shape = datasets.placed("Shape", 1, vertices, faces, np.eye(4), {})
    low, high = (tuple(map(float, each)) for each in (vertices.min(axis=0), vertices.max(axis=0)))
    SetRecord((ModelRecord(1, "shape", "Shape", low, high, 1.0),), count, "filter").save(path)  # type: ignore[arg-type]
    folder = DataFolder(path)
    for number in range(count):
        drawn = sampling.draw(sampler, number, 1, 2.0, 0.3)
        pose = look_at(drawn.distance * drawn.direction, np.zeros(3))
        datasets.add(folder, number, pose, (SIZE, SIZE), [shape])
    return folder


def swap(folder: DataFolder, share: float) -> set[int]:
    """Pass on the cameras of a share of the pictures among these; returns which."""
    there = folder.numbers()
    chosen = np.random.default_rng(2).permutation(there)[: round(share * len(there))].tolist()
    records = [folder.load(number) for number in chosen]
    for record, other in zip(records, records[1:] + records[:1], strict=True):
        folder.save(replace(record, camera_pose=numbers(np.array(other.camera_pose))))
    return set(chosen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mesh", type=Path)
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--share", type=float, default=0.1)
    parser.add_argument("--sampler", default="dst1")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = make(Path(place), chosen.mesh, chosen.count, chosen.sampler)
        swapped = swap(folder, chosen.share)
        began = time.perf_counter()
        filter_dataset(FilterDataset(folder.path, "poses", "", 1.5 * chosen.share, 0, "cpu", False), silent)
        seconds = time.perf_counter() - began
        losses = json.loads((folder.path / consistency.SCORES).read_text())
        order = sorted(losses, key=lambda name: -losses[name])
        for times in (1.0, 1.5, 2.0):
            worst = {int(name[:6]) for name in order[: round(times * chosen.share * len(order))]}
            print(f"worst {times * chosen.share:.0%}: {len(worst & swapped)} of {len(swapped)} swapped poses")
        found = len(swapped & folder.dropped()) / len(swapped)
        print(f"{chosen.sampler}, {chosen.count} pictures: {found:.0%} dropped, {seconds:.0f} s")


if __name__ == "__main__":
    main()
