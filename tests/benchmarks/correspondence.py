"""How good MeshKin's maps are, beside nearest neighbors and published functional-map pipelines.

    python tests/benchmarks/correspondence.py --data FOLDER --features NAME --blender BLENDER_PYTHON

Runs in the worker's environment, with ``anny`` and ``pyfmaps`` added; BLENDER_PYTHON, a Python with ``bpy``, renders
the views. Every pair's figures are kept in WORK (``--work``, one line of JSON for each) as soon as they are known, so
that a run that is broken off goes on where it was. Prints a table for each set, and every pair, worst first.

Measured are (see ``measures.py``): err, mean geodesic error x100 / sqrt(area), over all vertices (over 2,000 drawn
ones of larger meshes); within 5; the share on the wrong side; triangles that keep their orientation; the mean
confidence; Dirichlet energy over the true map's (over triangles whose corners' truth is known); the confidence's
calibration error; for the quadrupeds the share of vertices on the right bone or one that touches it, those without
weights left out. Seconds are for the match with features in hand; peak memory is the process's so far.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

import measures
from correspondence_sets import SETS, Pair, Shapes
from meshkin.cache import store as cache
from meshkin.data.features import Features
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import SurfaceMap
from meshkin.geometry.mesh import clean_faces
from meshkin.geometry.welding import weld
from meshkin.matching.pipeline import MATCHER_VERSION, match, match_features
from meshkin.matching.surfaces import described_pair

Array = NDArray[Any]
MEASURED = 2000
"""Vertices at which larger meshes than :data:`ALL` are measured."""
ALL = 6000


def ours(source: Snapshot, target: Snapshot, one: Features, two: Features) -> SurfaceMap:
    """MeshKin's matcher."""
    first, second, intrinsic = described_pair(source, target, one, two)
    return match(first, second, intrinsic=intrinsic).to_source


def nearest(source: Snapshot, target: Snapshot, one: Features, two: Features) -> SurfaceMap:
    """The nearest neighbor in MeshKin's features."""
    return match_features(*described_pair(source, target, one, two)[:2]).to_source


def functional_map(source: Snapshot, target: Snapshot, one: Features, two: Features) -> SurfaceMap:
    """A functional map from wave-kernel descriptors (Ovsjanikov et al. 2012), as pyFM computes it."""
    return _welded_map(_fitted(source, target).get_p2p(), source, target)


def wks_zoomout(source: Snapshot, target: Snapshot, one: Features, two: Features) -> SurfaceMap:
    """The same refined by ZoomOut (Melzi et al. 2019) from 35 to 100 functions."""
    model = _fitted(source, target)
    return _welded_map(model.get_p2p(model.zoomout_refine(nit=13, step=5)), source, target)


def nearest_zoomout(source: Snapshot, target: Snapshot, one: Features, two: Features) -> SurfaceMap:
    """ZoomOut (from 20 to 100 functions) started from the nearest neighbor in MeshKin's features."""
    from pyFM.refine.zoomout import mesh_zoomout_refine_p2p

    start = weld(source.vertices)[1][nearest(source, target, one, two).vertex[weld(target.vertices)[0]]]
    meshes = _mesh(source), _mesh(target)
    _, vertex = mesh_zoomout_refine_p2p(start, *meshes, k_init=20, nit=16, step=5, return_p2p=True)
    return _welded_map(vertex, source, target)


METHODS: dict[str, Callable[[Snapshot, Snapshot, Features, Features], SurfaceMap]] = {
    "nearest": nearest,
    "wks-fm": functional_map,
    "wks-zoomout": wks_zoomout,
    "nearest-zoomout": nearest_zoomout,
    "ours": ours,
}


def _mesh(shape: Snapshot) -> Any:
    """A mesh for pyFM, with vertices at one place joined: those of flat shaded meshes would be parts to it."""
    from pyFM.mesh import TriMesh

    first, place = weld(shape.vertices)
    vertices, faces = shape.vertices[first].astype(float), clean_faces(place[shape.faces])
    return TriMesh(vertices, faces, area_normalize=True, center=True).process(k=128, robust=True)


def _fitted(source: Snapshot, target: Snapshot) -> Any:
    from pyFM.functional import FunctionalMapping

    model = FunctionalMapping(_mesh(source), _mesh(target))
    model.preprocess(n_descr=100, descr_type="WKS", subsample_step=5, k_process=128)
    model.fit(K=(35, 35))
    return model


def _welded_map(vertex: Array, source: Snapshot, target: Snapshot) -> SurfaceMap:
    """A map of the joined vertices as one of all."""
    return vertex_map(weld(source.vertices)[0][vertex[weld(target.vertices)[1]]], source, target)


def vertex_map(vertex: Array, source: Snapshot, target: Snapshot) -> SurfaceMap:
    vertex = np.asarray(vertex, np.int64)
    order = np.argsort(source.faces.ravel(), kind="stable")
    place = order[np.searchsorted(source.faces.ravel()[order], vertex).clip(max=source.faces.size - 1)]
    barycentric = np.eye(3, dtype=np.float32)[place % 3]
    ones = np.ones(len(vertex), np.float32)
    return SurfaceMap((place // 3).astype(np.int32), barycentric, vertex.astype(np.int32), ones)


# Measuring --------------------------------------------------------------------------------------------------------


def measured(pair: Pair, source: Snapshot, target: Snapshot, found: SurfaceMap, folder: Path) -> dict[str, float]:
    """A pair's figures."""
    oriented = measures.orientation_share(found, target.faces, source.vertices, source.faces)
    result = {"oriented": oriented, "confidence": float(found.confidence.mean())}
    if pair.truth is None:
        return {"bone": _right_bones(pair, source, target, found, folder)} | result
    rows = np.flatnonzero(pair.truth >= 0)
    if len(target.vertices) > ALL:
        rows = np.random.default_rng(0).permutation(rows)[:MEASURED]
    errors = _distances(folder, pair.source, source, pair.truth[rows], found.vertex[rows])
    result |= {"err": float(errors.mean()), "within5": measures.share_within(errors)}
    if pair.mirrored is not None:
        mirrored = _distances(folder, pair.source, source, pair.mirrored[rows], found.vertex[rows])
        apart = _distances(folder, pair.source, source, pair.truth[rows], pair.mirrored[rows])
        result["wrong side"] = measures.share_on_wrong_side(errors, mirrored, apart)
        result["err either side"] = float(np.minimum(errors, mirrored).mean())
    result["calibration"] = calibration_error(found.confidence[rows], errors <= 5)
    true = vertex_map(np.maximum(pair.truth, 0), source, target)
    known = target.faces[(pair.truth >= 0)[target.faces].all(axis=1)]
    energies = [
        measures.dirichlet_energy(one, target.vertices, known, source.vertices, source.faces) for one in (found, true)
    ]
    result["energy"] = energies[0] / max(energies[1], 1e-9)
    return result


def calibration_error(confidence: Array, right: Array) -> float:
    """Mean distance between confidence and the share that is right, over ten bins (expected calibration error)."""
    bins = np.minimum((confidence * 10).astype(int), 9)
    gaps = [
        (bins == one).mean() * abs(confidence[bins == one].mean() - right[bins == one].mean())
        for one in np.unique(bins)
    ]
    return float(np.sum(gaps))


def _right_bones(pair: Pair, source: Snapshot, target: Snapshot, found: SurfaceMap, folder: Path) -> float:
    there, here = (np.load(folder / f"{name}.bones.npy") for name in (pair.source, pair.target))
    touching = set()
    for shape, names in ((source, there), (target, here)):
        edges = np.concatenate((shape.faces[:, :2], shape.faces[:, 1:], shape.faces[:, ::2]))
        touching |= set(zip(names[edges[:, 0]], names[edges[:, 1]], strict=True))
    known = np.flatnonzero(there != "")
    there = there[known[cKDTree(source.vertices[known]).query(source.vertices)[1]]]
    answers = zip(there[found.vertex], here, strict=True)
    return float(np.mean([one == two or (one, two) in touching for one, two in answers if two]))


def _distances(folder: Path, name: str, shape: Snapshot, one: Array, two: Array) -> Array:
    """Geodesic distances between pairs of a shape's vertices; a smaller shape's are all kept in a file."""
    if len(shape.vertices) > ALL:
        needed, row = np.unique(one, return_inverse=True)
        return measures.geodesics(shape.vertices, shape.faces, needed)[row, two].astype(float)
    path = folder / f"{name}.geodesics.npy"
    if not path.exists():
        everything = np.arange(len(shape.vertices))
        np.save(path, measures.geodesics(shape.vertices, shape.faces, everything).astype(np.float16))
    return np.load(path, mmap_mode="r")[one, two].astype(float)


# Running ----------------------------------------------------------------------------------------------------------


def described(shapes: Shapes, name: str, features: str, work: Path, blender: str) -> Path:
    """The folder with the shapes of a set, each with the cache file of its features (see ``describe.py``)."""
    folder = work / name
    folder.mkdir(parents=True, exist_ok=True)
    for key, shape in shapes.items():
        if isinstance(shape, Path):
            (folder / f"{key}.txt").write_text(str(shape))
        else:
            shape.save(folder / f"{key}.npz")
    script = Path(__file__).with_name("describe.py")
    subprocess.run([blender, str(script), str(folder), "--features", features], check=True)
    return folder


def drawn(pairs: list[Pair]) -> list[Pair]:
    """All pairs in a random order of which every beginning has each group's share, so that a part's mean is fair."""
    rng = np.random.default_rng(15)
    place: dict[int, float] = {}
    for group in sorted({pair.group for pair in pairs}):
        members = [number for number, pair in enumerate(pairs) if pair.group == group]
        order = rng.permutation(members).tolist()
        place |= {number: (rank + rng.random()) / len(order) for rank, number in enumerate(order)}
    return [pairs[number] for number in sorted(place, key=lambda number: place[number])]


def run(name: str, wanted: argparse.Namespace) -> list[dict[str, Any]]:
    """All pairs of a set by all methods wanted: those measured before, and the others now."""
    kept = wanted.work / f"{name}-{wanted.features}-{MATCHER_VERSION}.jsonl"
    kept.parent.mkdir(parents=True, exist_ok=True)
    lines = kept.read_text().splitlines() if kept.exists() else []
    rows = [row for row in map(json.loads, lines) if row["method"] in wanted.methods]
    done = {(row["source"], row["target"], row["method"]) for row in rows}
    shapes, pairs = SETS[name](wanted.data)
    some = drawn(pairs)[: wanted.most]
    todo = [(m, pair) for pair in some for m in wanted.methods if (pair.source, pair.target, m) not in done]
    if not todo:
        return rows
    folder = described(shapes, name, wanted.features, wanted.work, wanted.blender)

    @lru_cache(maxsize=4)
    def loaded(key: str) -> tuple[Snapshot, Features]:
        path = json.loads((folder / f"{key}.json").read_text())["features"]
        return Snapshot.load(folder / f"{key}.npz"), cache.read(Path(path))

    for method, pair in todo:
        (source, one), (target, two) = loaded(pair.source), loaded(pair.target)
        started = time.perf_counter()
        found = METHODS[method](source, target, one, two)
        seconds = time.perf_counter() - started
        figures = measured(pair, source, target, found, folder)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        row = {"method": method, "group": pair.group, "source": pair.source, "target": pair.target}
        rows.append(row | figures | {"seconds": seconds, "peak GB": peak})
        with kept.open("a") as stream:
            stream.write(json.dumps(rows[-1]) + "\n")
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    return rows


COLUMNS = (
    *("err", "within5", "wrong side", "err either side", "bone"),
    *("oriented", "energy", "confidence", "calibration", "seconds", "peak GB"),
)


def table(name: str, rows: list[dict[str, Any]]) -> str:
    """Means for each method and group (of memory the most), then every pair of ours, worst first."""
    columns = [one for one in COLUMNS if any(one in row for row in rows)]
    head = f"{'':36}{'pairs':>6}" + "".join(f"{one:>17}" for one in columns)
    lines = [f"## {name}", head]

    def line(label: str, some: list[dict[str, Any]]) -> str:
        values = [[row[one] for row in some if one in row] or [np.nan] for one in columns]
        means = [np.max(some) if one == "peak GB" else np.mean(some) for one, some in zip(columns, values, strict=True)]
        return f"{label:36}{len(some):6}" + "".join(f"{mean:17.3f}" for mean in means)

    for method in METHODS:
        of_method = [row for row in rows if row["method"] == method]
        if not of_method:
            continue
        lines.append(line(method, of_method))
        groups = sorted({row["group"] for row in of_method})
        lines += [line(f"  {one}", [r for r in of_method if r["group"] == one]) for one in groups if len(groups) > 1]
    worst = sorted(
        (row for row in rows if row["method"] == "ours"),
        key=lambda row: row.get("err", -row.get("bone", 0)),
        reverse=True,
    )
    lines += ["", "every pair, worst first"]
    lines += [line(f"  {row['source']} > {row['target']}", [row]) for row in worst]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--features", default="auto")
    parser.add_argument("--blender", default=sys.executable, help="a Python with bpy")
    parser.add_argument("--work", type=Path, default=Path("build/correspondence"))
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=SETS)
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=METHODS)
    parser.add_argument("--most", type=int, help="only so many pairs of each set, drawn fairly")
    wanted = parser.parse_args()
    for name in wanted.sets:
        print(table(name, run(name, wanted)), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
