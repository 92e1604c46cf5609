"""Families: how much better features become that a family has learned, on shapes that it has never seen.

    python tests/benchmarks/family.py --data FOLDER --work FOLDER --blender BLENDER_PYTHON [--cases …] [--steps 1500]
        [--most N] [--matcher]

Runs in the worker's environment; describes shapes as ``correspondence.py`` does, into the same folder ``--work``.
Prints results/family.txt.

"learned from" are the shapes of a family, all others are unseen; sides come from the shapes' own mirror maps. "raw" are
the features that the family reads, "family" what it makes of them: each target vertex asks for the nearest row of the
source. "err" is the mean distance of the answer from the true one, per cent of the square root of the area, along the
surface; "either side" counts the mirror twin as right, too; "wrong side" is the share of answers nearer to the twin, of
vertices that are far from theirs; "bone" the share on the right bone or its neighbor. "matched" is the same through the
matcher, with features of the shape joined to both. "weights": mean squared error of the bones' weights read off the
features of the target by what was fitted on the source alone (*Way: Features*), by the features' own rows.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "packaging" / "demo"), str(ROOT / "tests")]

from correspondence import described, measured, vertex_map
from correspondence_sets import BODY_BONES, SETS, Pair, anny_people
from meshkin.base.progress import silent
from meshkin.cache import store as cache
from meshkin.data.features import Features
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import SurfaceMap
from meshkin.families.kept import Family
from meshkin.families.teaching import Lesson, Pupil, settings_of, teach
from meshkin.geometry.arrays import Singles, nearest_rows, unit_rows
from meshkin.matching.pipeline import match
from meshkin.matching.surfaces import described_pair
from meshkin.transfer.weights.regression import predict_weights

Array = NDArray[Any]


@dataclass(frozen=True)
class Case:
    """A family, and the pairs on which it is measured.

    Attributes:
        name: of the row of the table.
        shapes: the set that its shapes are from, see ``correspondence_sets.py``.
        members: what it is learned from.
        pairs: source and target, at least one of them unseen.
    """

    name: str
    shapes: str
    members: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]


CASES = (
    Case(
        "cats, dogs, horse, wolf",
        "tosca",
        ("cat0", "cat2", "cat5", "dog0", "dog3", "horse0", "wolf0"),
        (("cat10", "cat8"), ("cat10", "cat3"), ("dog2", "dog6"), ("dog3", "dog6"), ("horse0", "horse6"),
         ("wolf0", "wolf1")),
    ),
    Case("cats", "tosca", ("cat0", "cat1", "cat2", "cat4", "cat5"), (("cat10", "cat8"), ("cat3", "cat7"),
                                                                    ("cat6", "cat9"))),
    Case(
        "people",
        "tosca",
        ("david0", "david1", "michael0", "michael3", "victoria0", "victoria1"),
        (("michael12", "michael4"), ("david10", "david6"), ("victoria12", "victoria7")),
    ),
    Case(
        "quadrupeds",
        "quadrupeds",
        ("Alpaca-v1", "Cow-v3", "Donkey-v5", "Fox-v6", "Horse-v7", "ShibaInu-v10"),
        (("Bull-v2", "Deer-v4"), ("Stag-v11", "Wolf-v12"), ("Husky-v9", "Bull-v2"), ("Deer-v4", "Wolf-v12")),
    ),
    Case(
        "parametric people",
        "people",
        tuple(f"person{number} decimated" for number in range(5)),
        (("person6 decimated", "person7 anny"), ("person7 decimated", "person5 anny"),
         ("person6 decimated", "person5 anny")),
    ),
)  # fmt: skip


class Shapes:
    """The shapes of a set with their features; of the last extractor are those of the shape alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.read = lru_cache(maxsize=None)(self._read)

    def _read(self, name: str) -> tuple[Snapshot, Features]:
        path = Path(json.loads((self.folder / f"{name}.json").read_text())["features"])
        return Snapshot.load(self.folder / f"{name}.npz"), cache.read(path)

    def raw(self, name: str) -> Singles:
        """The features of the first extractor, (V, C)."""
        features = self.read(name)[1]
        return features.features[:, : sum(features.origin.channels[0])].astype(np.float32)


def learned(case: Case, shapes: Shapes, steps: int) -> Family:
    """The family of a case."""
    pupils = []
    for name in case.members:
        pupils.append(Pupil(shapes.read(name)[0], shapes.raw(name)))
    recipe = shapes.read(case.members[0])[1].origin.recipe
    return teach(pupils, Lesson(case.name, recipe, settings_of("small", steps), None, "cpu"), silent)


def embedded(family: Family, shapes: Shapes, name: str) -> Singles:
    """The features of a shape by a family."""
    return family.of_surface(shapes.read(name)[0], shapes.raw(name), lambda: None)


def nearest_map(source: Snapshot, target: Snapshot, one: Singles, two: Singles) -> SurfaceMap:
    """Each target vertex on the source vertex with the nearest row."""
    vertex = nearest_rows(unit_rows(one), unit_rows(two))
    return vertex_map(vertex, source, target)


def matched_map(shapes: Shapes, pair: tuple[str, str], rows: list[Singles], weight: float) -> SurfaceMap:
    """The matcher's map from rows beside those of the shape."""
    ends, described = [], []
    for name, values in zip(pair, rows, strict=True):
        shape, features = shapes.read(name)
        origin = features.origin
        own = features.features[:, -sum(origin.channels[-1]) :]
        recipe = replace(origin.recipe, parts=(origin.recipe.parts[0], origin.recipe.parts[-1]))
        origin = replace(origin, recipe=recipe, channels=((values.shape[1],), origin.channels[-1]))
        joined = np.hstack((unit_rows(values) * weight, own)).astype(np.float32)
        described.append(replace(features, features=joined, origin=origin))
        ends.append(shape)
    one, two, intrinsic = described_pair(ends[0], ends[1], described[0], described[1])
    return match(one, two, intrinsic=intrinsic).to_source


def weight_error(shapes: Shapes, pair: tuple[str, str], rows: list[Singles]) -> float:
    """Mean squared error of weights read off features; nan without bones."""
    files = [shapes.folder / f"{name}.weights.npy" for name in pair]
    if not files[0].exists():
        return float("nan")
    names = [np.load(shapes.folder / f"{name}.names.npy").tolist() for name in pair]
    bones = sorted(set(names[0]) & set(names[1]))
    wanted = []
    for file, own in zip(files, names, strict=True):
        weights = np.load(file)[:, [own.index(bone) for bone in bones]].astype(np.float64)
        wanted.append(weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9))
    found = predict_weights(rows[0], rows[1], wanted[0].astype(np.float32), shapes.read(pair[0])[0])
    known = wanted[1].any(axis=1)
    return float(((found - wanted[1])[known] ** 2).mean())


def save_weights(folder: Path) -> None:
    """Write the weights of the parametric people beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, weights in anny_people()[2].items():
        np.save(folder / f"{name}.weights.npy", weights)
        np.save(folder / f"{name}.names.npy", np.array(BODY_BONES))


def some_pairs(case: Case, most: int | None) -> tuple[tuple[str, str], ...]:
    """The pairs of a case, at most so many, evenly picked."""
    return case.pairs[:: -(-len(case.pairs) // most) if most else 1]


def measured_case(case: Case, wanted: argparse.Namespace) -> list[dict[str, Any]]:
    """The figures of each pair of a case, of the raw features and of the family's."""
    shapes = Shapes(wanted.work / case.shapes)
    family = learned(case, shapes, wanted.steps)
    known = {(pair.source, pair.target): pair for pair in SETS[case.shapes](wanted.data)[1]}
    result = []
    for names in some_pairs(case, wanted.most):
        pair = known.get(names) or Pair(*names, case.name)
        source, target = (shapes.read(name)[0] for name in names)
        kinds = {
            "raw": [shapes.raw(name) for name in names],
            "family": [embedded(family, shapes, name) for name in names],
        }
        row: dict[str, Any] = {"case": case.name, "pair": names, "loss": family.record.curve.checked[-1]}
        for kind, rows in kinds.items():
            row[kind] = measured(pair, source, target, nearest_map(source, target, *rows), shapes.folder)
            row[kind]["weights"] = weight_error(shapes, names, rows)
            if wanted.matcher:
                found = matched_map(shapes, names, rows, wanted.weight)
                row[f"{kind}, matched"] = measured(pair, source, target, found, shapes.folder)
        result.append(row)
        print(json.dumps(row), file=sys.stderr, flush=True)
    return result


COLUMNS = ("err", "err either side", "wrong side", "bone", "weights")


def table(rows: list[dict[str, Any]]) -> str:
    """The mean figures of each case, a line for each kind of features."""
    lines = [f"{'':45}" + "".join(f"{name:>16}" for name in COLUMNS)]
    for case in dict.fromkeys(row["case"] for row in rows):
        some = [row for row in rows if row["case"] == case]
        for kind in ("raw", "family", "raw, matched", "family, matched"):
            figures = [row[kind] for row in some if kind in row]
            if figures:
                label = f"{case}, {len(some)} pairs" if kind == "raw" else ""
                lines.append(f"{label:30}{kind:15}" + "".join(_cell(figures, name) for name in COLUMNS))
    return "\n".join(lines)


def _cell(figures: list[dict[str, float]], name: str) -> str:
    values = [each[name] for each in figures if np.isfinite(each.get(name, np.nan))]
    digits = {"weights": 5, "wrong side": 3, "bone": 3}.get(name, 2)
    return f"{np.mean(values):16.{digits}f}" if values else f"{'':16}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--blender", default=sys.executable, help="a Python with bpy")
    parser.add_argument("--work", type=Path, default=Path("build/correspondence"))
    parser.add_argument("--features", default="dinov2+geometric")
    parser.add_argument("--cases", nargs="*", default=[case.name for case in CASES])
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--weight", type=float, default=0.5, help="of the rows beside those of the shape")
    parser.add_argument("--most", type=int, help="only at most so many pairs of each case, evenly picked")
    parser.add_argument("--matcher", action="store_true", help="also through the matcher")
    wanted = parser.parse_args()
    rows = []
    for case in CASES:
        if case.name in wanted.cases:
            shapes, _ = SETS[case.shapes](wanted.data)
            needed = {*case.members, *(name for pair in some_pairs(case, wanted.most) for name in pair)}
            if case.shapes == "people":
                save_weights(wanted.work / case.shapes)
            described(
                {name: shapes[name] for name in needed}, case.shapes, wanted.features, wanted.work, wanted.blender
            )
            rows += measured_case(case, wanted)
    print(table(rows))


if __name__ == "__main__":
    main()
