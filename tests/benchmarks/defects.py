"""How much ordinary defects of the target's mesh hurt a match: flipped faces, holes, gaps, noise and more.

    python tests/benchmarks/defects.py --data FOLDER [--features NAME] [--views N] [--pairs N] [--defects NAME ...]

Runs in the worker's environment, with ``anny`` added; pictures are ray cast. Ten known pairs (five of people, five of
TOSCA); only the target is changed, and its features are those of the changed mesh. Each row's figures are kept in WORK
(``--work``, one line of JSON for each) as soon as they are known, so that a run that is broken off goes on where it
was.

For each defect, over the pairs: err (mean geodesic error x100 / sqrt(area), at :data:`ASKED` vertices of the target);
the largest share of a pair's error in its clean error; mean confidence; the share of vertices whose answer is farther
off than 5, and than 15, though its confidence is above .5; the pairs whose err is above 1.5 times the clean one.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import igl
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

import correspondence_sets
import measures
from correspondence_sets import snapshot
from meshkin.data.features import Features
from meshkin.data.recipe import FeatureChoice
from meshkin.data.snapshot import Snapshot
from meshkin.data.views import of_recipe
from meshkin.features.compute import compute
from meshkin.features.ray_casting import cast_passes
from meshkin.features.recipe import resolve
from meshkin.geometry.adjacency import edge_graph
from meshkin.geometry.mesh import bounding_diagonal
from meshkin.matching.pipeline import MATCHER_VERSION, match
from meshkin.matching.surfaces import described_pair

Array = NDArray[Any]

PAIRS = (
    ("people", "person4 anny", "person6 decimated"),
    ("tosca", "michael1", "michael4"),
    ("tosca", "cat0", "cat1"),
    ("people", "person1 anny", "person7 decimated"),
    ("tosca", "victoria1", "victoria4"),
    ("tosca", "dog0", "dog1"),
    ("people", "person7 anny", "person0 decimated"),
    ("people", "person2 anny", "person5 decimated"),
    ("tosca", "horse0", "horse5"),
    ("people", "person3 anny", "person1 decimated"),
)
"""Set, source and target. Chosen: small meshes, bodies unlike each other."""
ASKED = 300
"""Vertices of the target at which a map is measured, evenly picked. Chosen."""
HOLE_SHARE = 0.01
"""Share of the area that each of ten holes takes. Chosen: as wide as a hand."""
GAP = 0.01
"""Width of the gap between pieces, in diagonals of the bounding box. Chosen."""
WORSE = 1.5
"""The error of a defective mesh may be so many times that of the clean one. The goal."""


@dataclass(frozen=True)
class Damaged:
    """A mesh that was changed: vertices (V, 3), faces (F, 3), and the original vertex of each of its vertices, (V,)."""

    vertices: Array
    faces: Array
    original: Array

    @staticmethod
    def of_faces(vertices: Array, faces: Array, original: Array | None = None) -> Damaged:
        """Return a mesh without the vertices that no face has."""
        used, compact = np.unique(faces, return_inverse=True)
        original = np.arange(len(vertices)) if original is None else original
        return Damaged(vertices[used], compact.reshape(-1, 3), original[used])


def flipped(faces: Array, which: Array) -> Array:
    """Return faces of which some, bool (F,), are wound the other way."""
    return np.where(which[:, None], faces[:, ::-1], faces)


def clean(vertices: Array, faces: Array) -> Damaged:
    """The mesh as it is."""
    return Damaged.of_faces(vertices, faces)


def all_flipped(vertices: Array, faces: Array) -> Damaged:
    """All faces are wound the other way."""
    return Damaged.of_faces(vertices, flipped(faces, np.ones(len(faces), bool)))


def upper_half_flipped(vertices: Array, faces: Array) -> Damaged:
    """The upper half of the faces is wound the other way."""
    height = vertices[faces].mean(axis=1)[:, 2]
    return Damaged.of_faces(vertices, flipped(faces, height > np.median(height)))


def random_half_flipped(vertices: Array, faces: Array) -> Damaged:
    """Half of the faces, drawn at random, are wound the other way."""
    return Damaged.of_faces(vertices, flipped(faces, np.random.default_rng(1).random(len(faces)) < 0.5))


def ten_holes(vertices: Array, faces: Array) -> Damaged:
    """Ten holes at places drawn at random by area; each has the faces nearest to it along the surface."""
    rng = np.random.default_rng(2)
    graph = edge_graph(vertices, faces)
    areas = igl.doublearea(vertices.astype(float), faces.astype(np.int64))
    kept = np.ones(len(faces), bool)
    for face in rng.choice(len(faces), 10, replace=False, p=areas / areas.sum()):
        distance = csgraph.dijkstra(graph, directed=False, indices=faces[face, 0])[faces].max(axis=1)
        order = np.argsort(distance)
        kept[order[np.cumsum(areas[order]) < HOLE_SHARE * areas.sum()]] = False
    return Damaged.of_faces(vertices, faces[kept])


def _pieces(vertices: Array, faces: Array) -> tuple[Array, Array]:
    """Which of five pieces each vertex belongs to, (V,), and its distance from the others, (V,).

    The pieces are the places nearest to five vertices far apart from each other.
    """
    graph = edge_graph(vertices, faces)
    seeds = [int(vertices[:, 2].argmax())]
    for _ in range(4):
        distance = csgraph.dijkstra(graph, directed=False, indices=seeds, min_only=True)
        seeds.append(int(np.where(np.isfinite(distance), distance, -1).argmax()))
    distances = csgraph.dijkstra(graph, directed=False, indices=seeds)
    loose = ~np.isfinite(distances).any(axis=0)
    near = cKDTree(vertices[~loose]).query(vertices[loose])[1]
    distances[:, loose] = distances[:, np.flatnonzero(~loose)[near]]
    ordered = np.sort(distances, axis=0)
    return distances.argmin(axis=0), (ordered[1] - ordered[0]) / 2


def five_pieces_with_gap(vertices: Array, faces: Array) -> Damaged:
    """Cut into five pieces, between which faces are missing."""
    piece, margin = _pieces(vertices, faces)
    whole = (piece[faces] == piece[faces[:, :1]]).all(axis=1)
    whole &= (margin[faces] > GAP / 2 * bounding_diagonal(vertices)).all(axis=1)
    return Damaged.of_faces(vertices, faces[whole])


def five_pieces(vertices: Array, faces: Array) -> Damaged:
    """Cut into five pieces that lie edge to edge and share no vertices."""
    piece, _ = _pieces(vertices, faces)
    of_face = np.sort(piece[faces], axis=1)[:, 1]
    keys, corners = np.unique(faces * 5 + of_face[:, None], return_inverse=True)
    return Damaged(vertices[keys // 5], corners.reshape(-1, 3), keys // 5)


def unwelded(vertices: Array, faces: Array) -> Damaged:
    """Turned, scaled, shuffled; no two faces share a vertex."""
    rng = np.random.default_rng(3)
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    original = faces[rng.permutation(len(faces))].ravel()
    order = rng.permutation(len(original))
    corners = np.empty(len(order), np.int64)
    corners[order] = np.arange(len(order))
    return Damaged(7.3 * vertices[original[order]] @ turn.T + 5, corners.reshape(-1, 3), original[order])


def noisy(share: float) -> Callable[[Array, Array], Damaged]:
    """Every vertex moved at random; the deviation along each axis is a share of the bounding box's diagonal."""

    def damage(vertices: Array, faces: Array) -> Damaged:
        noise = np.random.default_rng(4).standard_normal(vertices.shape)
        return Damaged.of_faces(vertices + share * bounding_diagonal(vertices) * noise, faces)

    return damage


def thousand_vertices(vertices: Array, faces: Array) -> Damaged:
    """Decimated to a thousand vertices."""
    coarse, corners, *_ = igl.decimate(vertices.astype(float), faces.astype(np.int64), 2000)
    return Damaged.of_faces(coarse, corners, cKDTree(vertices).query(coarse)[1])


def grown_together(vertices: Array, faces: Array) -> Damaged:
    """A limb is joined to what lies near it: a tube between the two faces that are nearest for how far apart they are
    along the surface."""
    graph = edge_graph(vertices, faces)
    some = np.random.default_rng(5).choice(np.unique(faces), 300, replace=False)
    along = csgraph.dijkstra(graph, directed=False, indices=some)
    straight = np.linalg.norm(vertices[some][:, None] - vertices[None], axis=2)
    far = np.isfinite(along) & (along > 0.5 * bounding_diagonal(vertices))
    row, other = np.unravel_index(np.where(far, straight / np.maximum(along, 1e-9), np.inf).argmin(), far.shape)
    first, second = (int(np.flatnonzero((faces == vertex).any(axis=1))[0]) for vertex in (some[row], other))
    a, b = faces[first], faces[second][::-1]
    turns = [np.roll(b, k) for k in range(3)]
    b = min(turns, key=lambda turn: float(np.linalg.norm(vertices[a] - vertices[turn], axis=1).sum()))
    tube = []
    for k in range(3):
        m = (k + 1) % 3
        tube += [(a[k], a[m], b[m]), (a[k], b[m], b[k])]
    kept = np.ones(len(faces), bool)
    kept[[first, second]] = False
    return Damaged.of_faces(vertices, np.concatenate((faces[kept], np.array(tube, faces.dtype))))


DEFECTS: dict[str, Callable[[Array, Array], Damaged]] = {
    "none": clean,
    "all faces flipped": all_flipped,
    "upper half flipped": upper_half_flipped,
    "random half flipped": random_half_flipped,
    "ten holes": ten_holes,
    "five pieces with a gap": five_pieces_with_gap,
    "five pieces": five_pieces,
    "noise 0.3 %": noisy(0.003),
    "noise 1 %": noisy(0.01),
    "1,000 vertices": thousand_vertices,
    "grown together": grown_together,
    "turned, unwelded": unwelded,
}
Shape = tuple[Snapshot, Features]
FindTruth = Callable[[str, str], Array]
"""The right source vertex of each vertex of a target, (V,), -1 for unknown, by both names."""


def described(shape: Snapshot, choice: FeatureChoice) -> Features:
    """The features of a shape; pictures are ray cast."""
    recipe = resolve(choice)
    passes = cast_passes(shape, of_recipe(shape, recipe)) if recipe.views else None
    return compute(shape, recipe, passes, "cpu")


def measured(source: Shape, target: Shape, truth: Array) -> dict[str, float]:
    """The figures of one match; ``truth`` (V,) is the right source vertex of each target vertex, -1 for unknown."""
    source_surface, target_surface, intrinsic = described_pair(source[0], target[0], source[1], target[1])
    to_source = match(source_surface, target_surface, intrinsic=intrinsic).to_source
    known = np.flatnonzero(truth >= 0)
    asked = known[np.linspace(0, len(known) - 1, ASKED).astype(int)]
    distances = measures.geodesics(source[0].vertices, source[0].faces, truth[asked])
    errors = distances[np.arange(len(asked)), to_source.vertex[asked]].astype(float)
    sure = to_source.confidence[asked] > 0.5
    return {
        "err": float(errors.mean()),
        "confidence": float(to_source.confidence[asked].mean()),
        "sure and off by 5": float((sure & (errors > 5)).mean()),
        "sure and off by 15": float((sure & (errors > 15)).mean()),
    }


def run(wanted: argparse.Namespace) -> list[dict[str, Any]]:
    """All rows wanted: those measured before, and the others now."""
    kept = wanted.work / f"{wanted.features}-{MATCHER_VERSION}.jsonl"
    kept.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    done = {(row["pair"], row["defect"]) for row in rows}
    choice = FeatureChoice(wanted.features, views=wanted.views if wanted.features != "geometric" else None)
    load = cache(lambda name: _tosca(wanted.data) if name == "tosca" else _people())
    for name, source_name, target_name in PAIRS[: wanted.pairs]:
        label = f"{source_name} > {target_name}"
        todo = [defect for defect in wanted.defects if (label, defect) not in done]
        if not todo:
            continue
        shapes, find_truth = load(name)
        truth = find_truth(source_name, target_name)
        source = shapes[source_name], described(shapes[source_name], choice)
        body = shapes[target_name]
        for defect in todo:
            started = time.perf_counter()
            damaged = DEFECTS[defect](body.vertices.astype(float), body.faces.astype(np.int64))
            target = snapshot(target_name, damaged.vertices, damaged.faces)
            figures = measured(source, (target, described(target, choice)), truth[damaged.original])
            rows.append({"pair": label, "defect": defect, **figures, "seconds": time.perf_counter() - started})
            with kept.open("a") as stream:
                stream.write(json.dumps(rows[-1]) + "\n")
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    return rows


def _tosca(data: Path) -> tuple[dict[str, Any], FindTruth]:
    """The shapes of TOSCA, and what finds a pair's truth."""
    shapes, pairs = correspondence_sets.tosca(data)
    truths = {(pair.source, pair.target): pair.truth for pair in pairs}
    return shapes, lambda source, target: np.asarray(truths[source, target])


def _people() -> tuple[dict[str, Any], FindTruth]:
    """Anny's people, and what finds the truth of any two of them."""
    shapes, places, _ = correspondence_sets.anny_people()
    return shapes, lambda source, target: cKDTree(places[source]).query(places[target])[1]


def table(rows: list[dict[str, Any]]) -> str:
    """A line for each defect, then one for each pair and defect."""
    clean_err = {row["pair"]: row["err"] for row in rows if row["defect"] == "none"}
    columns = ("err", "confidence", "sure and off by 5", "sure and off by 15")
    head = f"{'':40}{'pairs':>6}{'worst / clean':>15}{'too bad':>9}" + "".join(f"{name:>20}" for name in columns)

    def line(label: str, some: list[dict[str, Any]]) -> str:
        ratios = [row["err"] / clean_err[row["pair"]] for row in some if row["pair"] in clean_err] or [np.nan]
        means = [np.mean([row[name] for row in some]) for name in columns]
        too_bad = sum(ratio > WORSE for ratio in ratios)
        figures = "".join(f"{mean:20.3f}" for mean in means)
        return f"{label:40}{len(some):6}{max(ratios):15.2f}{too_bad:9}" + figures

    lines = [head]
    lines += [line(defect, some) for defect in DEFECTS if (some := [r for r in rows if r["defect"] == defect])]
    for defect in DEFECTS:
        some = sorted((row for row in rows if row["defect"] == defect), key=lambda row: -row["err"])
        lines += ["", defect, *(line(f"  {row['pair']}", [row]) for row in some)]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--features", default="geometric")
    parser.add_argument("--views", type=int, default=8, help="of features that look at pictures")
    parser.add_argument("--work", type=Path, default=Path("build/defects"))
    parser.add_argument("--pairs", type=int, default=len(PAIRS), help="only the first so many pairs")
    parser.add_argument("--defects", nargs="*", default=list(DEFECTS), choices=DEFECTS)
    print(table(run(parser.parse_args())))


if __name__ == "__main__":
    main()
