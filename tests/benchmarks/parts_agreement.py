"""How far two shapes that are cut together agree on their labels, where the true map between them is known.

    python tests/benchmarks/parts_agreement.py --work FOLDER --blender BLENDER_PYTHON [--only TEXT …]

Runs in the worker's environment. Features and maps are kept in FOLDER. The pairs are those of
``correspondence_sets.py``: TOSCA's bodies in other poses, parametric people of other build, pose and topology. Of a
pair, the first shape is cut into 6, 8 and 12 parts and the second gets the same ones, as *Find Parts* does with two
meshes. Printed is the share of the second one's area whose label is that of its true points on the first.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from correspondence_sets import SETS, Pair
from meshkin.cache import store as cache
from meshkin.data.snapshot import Snapshot
from meshkin.geometry.mesh import face_areas
from meshkin.matching.pipeline import match
from meshkin.matching.surfaces import described_pair
from meshkin.worker.jobs.parts import find_shape_parts
from meshkin.worker.requests.parts import FindParts, PartArrays, ShapeToCut

Array = NDArray[Any]
COUNTS = (6, 8, 12)
"""Numbers of parts."""
CHOSEN = (
    "cat0 cat1", "cat0 cat6", "dog0 dog1", "david0 david6", "horse0 horse6", "michael1 michael4",
    "victoria0 victoria10", "person0 soma", "person3 anny", "person5 decimated",
)  # fmt: skip
"""Pairs that are measured: TOSCA's by both names, of the people the first pair with this source."""


def agreement(one: Snapshot, labels: Array, other: Snapshot, other_labels: Array, truth: Array) -> float:
    """The share of the other's area whose label, of the triangles (G,), is that of its true points.

    Args:
        one, other: both shapes.
        labels, other_labels: of their triangles.
        truth: int (V,), for each vertex of the other the right one of the first, -1 where none is known.
    """
    shares = np.zeros((len(one.vertices), int(max(labels.max(), other_labels.max())) + 1))
    for corner in one.faces.T:
        np.add.at(shares, (corner, labels), face_areas(one.vertices.astype(float), one.faces))
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    true = shares[truth[other.faces]].sum(axis=1).argmax(axis=1)
    areas = face_areas(other.vertices.astype(float), other.faces) * (truth[other.faces] >= 0).all(axis=1)
    return float(areas[true == other_labels].sum() / areas.sum())


def cut(ends: list[Path], features: list[Path], map_file: Path, count: int) -> list[Array]:
    """The labels of the triangles of both shapes, as *Find Parts* gives them."""
    with tempfile.TemporaryDirectory() as folder:
        shapes = tuple(
            ShapeToCut(end, end, path, Path(folder) / f"{number}.npz", map_file if number else None)
            for number, (end, path) in enumerate(zip(ends, features, strict=True))
        )
        answer = find_shape_parts(FindParts(shapes, count, 1.0), lambda *_: None)
        return [PartArrays.load(path).labels for path in answer.parts]


def chosen(data: Path, only: list[str]) -> tuple[dict[str, Any], list[Pair]]:
    """The shapes by name, and the pairs."""
    shapes: dict[str, Any] = {}
    pairs: list[Pair] = []
    for name in ("tosca", "people"):
        found, known = SETS[name](data)
        shapes |= found
        for text in CHOSEN:
            fits = [pair for pair in known if text in (f"{pair.source} {pair.target}", pair.source)]
            pairs += fits[:1]
    return shapes, [pair for pair in pairs if any(text in f"{pair.source} {pair.target}" for text in only or [""])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MESHKIN_TEST_DATA", "data")))
    parser.add_argument("--work", type=Path, required=True, help="folder for features and maps")
    parser.add_argument("--blender", required=True, help="a Python with bpy")
    parser.add_argument("--only", nargs="*", default=[], help="pairs whose names contain one of these")
    arguments = parser.parse_args()
    work = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    shapes, pairs = chosen(arguments.data, arguments.only)
    for name in sorted({name for pair in pairs for name in (pair.source, pair.target)}):
        if not (work / f"{name}.npz").exists():
            shapes[name].save(work / f"{name}.npz")
    script = Path(__file__).with_name("describe.py")
    subprocess.run([arguments.blender, str(script), str(work)], check=True, stdout=subprocess.DEVNULL)
    table = []
    print(f"{'':44}" + "".join(f"{count:>10}" for count in COUNTS))
    for pair in pairs:
        names = (pair.source, pair.target)
        files = [work / f"{name}.npz" for name in names]
        features = [Path(json.loads((work / f"{name}.json").read_text())["features"]) for name in names]
        ends = [Snapshot.load(file) for file in files]
        map_file = work / "maps" / f"{names[0]} to {names[1]}.npz"
        if not map_file.exists():
            map_file.parent.mkdir(exist_ok=True)
            read = [cache.read(path) for path in features]
            one, other, intrinsic = described_pair(ends[0], ends[1], read[0], read[1])
            match(one, other, intrinsic=intrinsic).save(map_file)
        assert pair.truth is not None
        row = []
        for count in COUNTS:
            labels = cut(files, features, map_file, count)
            row.append(agreement(ends[0], labels[0], ends[1], labels[1], pair.truth))
        table.append(row)
        print(f"{' -> '.join(names):44}" + "".join(f"{value:10.3f}" for value in row), flush=True)
    print(f"{'mean':44}" + "".join(f"{value:10.3f}" for value in np.mean(table, axis=0)))


if __name__ == "__main__":
    main()
