"""Features of shapes for the benchmarks: what a scripted Blender run computes, through the same cache.

    BLENDER_PYTHON tests/benchmarks/describe.py FOLDER --features NAME

Every ``X.txt`` in FOLDER names a model file: it is read, its mesh written to ``X.npz``, the bone that rules each vertex
to ``X.bones.npy``, all weights to ``X.weights.npy`` and the bones' names to ``X.names.npy``. For every ``X.npz`` (a
:class:`meshkin.data.snapshot.Snapshot`) the views are rendered here and the features computed by the worker; ``X.json``
then names the cache file and the seconds it took. Needs a Python
with ``bpy``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import bpy
import numpy as np

from meshkin.base.progress import finish
from meshkin.data.recipe import FeatureChoice
from meshkin.data.snapshot import Snapshot
from meshkin.data.views import of_recipe
from meshkin.scene import files
from meshkin.scene.mesh import snapshot as snapshots
from meshkin.scene.render import passes
from meshkin.scene.rig import weights
from meshkin.worker import client
from meshkin.worker.requests.features import ComputeFeatures, PlanFeatures


def describe(snapshot: Snapshot, name: str) -> Path:
    """The cache file of a shape's features."""
    worker = client.shared()
    plan = finish(worker.run(PlanFeatures(snapshot.key, FeatureChoice(name=name), "auto", "")))
    if plan.features:
        return plan.features
    with tempfile.TemporaryDirectory() as folder:
        rendered = None
        if plan.recipe.views:
            rendered = Path(folder) / "passes"
            finish(passes.render(snapshot, of_recipe(snapshot, plan.recipe), "auto")).save(rendered)
        shape = snapshot.save(Path(folder) / "snapshot.npz")
        return finish(worker.run(ComputeFeatures(shape, rendered, plan.recipe, plan.key, "auto", ""))).features


def read_character(model: Path, to: Path) -> None:
    """A rigged character's snapshot, and the name of the bone with the largest weight at each vertex ("" for none)."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    obj = files.load(model)
    snapshot = snapshots.take(obj)
    names, values = weights.read(obj, snapshot)
    snapshot.save(to)
    np.save(to.with_suffix(".bones.npy"), np.where(values.any(axis=1), np.array(names)[values.argmax(axis=1)], ""))
    np.save(to.with_suffix(".weights.npy"), values)
    np.save(to.with_suffix(".names.npy"), np.array(names))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--features", default="auto")
    wanted = parser.parse_args()
    for path in sorted(wanted.folder.glob("*.txt")):
        if not path.with_suffix(".npz").exists():
            read_character(Path(path.read_text().strip()), path.with_suffix(".npz"))
    for path in sorted(wanted.folder.glob("*.npz")):
        started = time.perf_counter()
        found = describe(Snapshot.load(path), wanted.features)
        seconds = time.perf_counter() - started
        path.with_suffix(".json").write_text(json.dumps({"features": str(found), "seconds": seconds}))
        print(f"{path.stem}: {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()
