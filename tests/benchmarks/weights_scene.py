"""The part of ``weights.py`` that needs Blender: Blender's own Data Transfer, and MeshKin's maps.

    python weights_scene.py FOLDER                    (a Python that has bpy)
    python weights_scene.py FOLDER --animals DATA A B …

For every FOLDER/NAME.npz (``sv, sf, sw`` source vertices, faces, weights; ``tv, tf`` the target's; ``match``) writes
FOLDER/NAME.transfer.npy, the weights by Data Transfer (nearest face interpolated), and, if ``match`` is set,
FOLDER/NAME.map.npz.

With ``--animals`` the armature of each first animal is fitted to the second, whose bones have the same names, and the
joints are written to FOLDER/A to B.npz.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from meshkin import workflow
from meshkin.base.progress import finish
from meshkin.scene.mesh import snapshot as snapshots
from meshkin.scene.rig import binding
from meshkin.worker import client


def add(name: str, vertices: Any, faces: Any) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices.tolist(), [], faces.tolist())
    mesh.shade_smooth()
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(obj)
    return obj


def data_transfer(source: bpy.types.Object, target: bpy.types.Object, rows: Any, align: bool) -> Any:
    """Blender's modifier of that name on a copy of the target, aligned by bounding boxes if asked."""
    for bone in range(rows.shape[1]):
        group = source.vertex_groups.new(name=str(bone))
        for vertex in np.flatnonzero(rows[:, bone]):
            group.add([int(vertex)], float(rows[vertex, bone]), "REPLACE")
    copy = bpy.data.objects.new("copy", target.data.copy())
    bpy.context.scene.collection.objects.link(copy)
    if align:
        boxes = []
        for obj in (source, copy):
            points = np.empty(len(obj.data.vertices) * 3, np.float32)
            obj.data.vertices.foreach_get("co", points)
            boxes.append((points.reshape(-1, 3).min(axis=0), np.ptp(points.reshape(-1, 3), axis=0)))
        (low, size), (low_copy, size_copy) = boxes
        moved = (points.reshape(-1, 3) - low_copy) / size_copy * size + low
        copy.data.vertices.foreach_set("co", moved.ravel().astype(np.float32))
    for group in source.vertex_groups:
        copy.vertex_groups.new(name=group.name)
    modifier = copy.modifiers.new("transfer", "DATA_TRANSFER")
    modifier.object, modifier.use_vert_data = source, True
    modifier.data_types_verts = {"VGROUP_WEIGHTS"}
    modifier.vert_mapping = "POLYINTERP_NEAREST"
    bpy.context.view_layer.update()
    mesh = copy.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    found = np.zeros((len(mesh.vertices), rows.shape[1]), np.float32)
    for index, vertex in enumerate(mesh.vertices):
        for one in vertex.groups:
            found[index, one.group] = one.weight
    bpy.data.objects.remove(copy)
    return found


def main(folder: Path) -> None:
    features = os.environ.get("WEIGHTS_FEATURES", "auto")
    for path in sorted(folder.glob("*.npz")):
        if path.name.endswith(".map.npz"):
            continue
        name = path.name.removesuffix(".npz")
        bpy.ops.wm.read_factory_settings(use_empty=True)
        with np.load(path) as data:
            source, target = add("source", data["sv"], data["sf"]), add("target", data["tv"], data["tf"])
            matched = bool(data["match"])
            if not (folder / f"{name}.transfer.npy").exists():
                np.save(folder / f"{name}.transfer.npy", data_transfer(source, target, data["sw"], matched))
        if matched and not (folder / f"{name}.map.npz").exists():
            source.vertex_groups.clear()
            start = time.monotonic()
            report = finish(workflow.match(source, target, workflow.Options(workflow.FeatureOptions(features))))
            print(f"{name}: matched in {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
            shutil.copyfile(report.data["map"], folder / f"{name}.map.npz")
    client.stop()


def animal(path: Path) -> bpy.types.Object:
    """The skinned mesh of a file, in its rest pose."""
    before = set(bpy.data.objects)
    bpy.ops.import_scene.gltf(filepath=str(path))
    new = set(bpy.data.objects) - before
    for obj in new:
        if obj.type == "ARMATURE":
            obj.animation_data_clear()
            for bone in obj.pose.bones:
                bone.matrix_basis.identity()
    obj = max((one for one in new if binding.armature_of(one)), key=lambda one: len(one.data.vertices))
    obj.name = path.stem
    return obj


def joints(obj: bpy.types.Object) -> dict[str, Any]:
    """Where the bones that move the object begin, by name, in the world."""
    rig = binding.armature_of(obj)
    assert rig is not None
    used = {one.group for vertex in obj.data.vertices for one in vertex.groups if one.weight > 0}
    names = {group.name for group in obj.vertex_groups if group.index in used}
    bones = [bone for bone in rig.data.bones if bone.name in names]
    return {bone.name: np.array(rig.matrix_world @ bone.head_local) for bone in bones}


def compare_animals(data: Path, folder: Path, names: list[str]) -> None:
    """Fit each first animal's armature to the second; FOLDER/A to B.npz holds the joints and both shapes."""
    logging.disable(logging.INFO)  # the importer's
    features = os.environ.get("WEIGHTS_FEATURES", "auto")
    for one, two in zip(names[::2], names[1::2], strict=True):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        source, target = (animal(next(data.rglob(f"{name}.glb"))) for name in (one, two))
        bpy.context.view_layer.update()
        true, used = joints(target), joints(source)
        shapes = [snapshots.take(obj) for obj in (source, target)]
        finish(workflow.transfer(source, target, ["armature"], workflow.Options(workflow.FeatureOptions(features))))
        bpy.context.view_layer.update()
        rig = binding.armature_of(target)
        assert rig is not None
        shared = [name for name in true if name in used]
        fitted = [rig.matrix_world @ rig.data.bones[name].head_local for name in shared]
        places = {"source": [used[name] for name in shared], "true": [true[name] for name in shared], "fitted": fitted}
        arrays: dict[str, Any] = {name: np.array(values, np.float64) for name, values in places.items()}
        for end, shape in zip(("source", "target"), shapes, strict=True):
            arrays |= {f"{end}_vertices": shape.vertices + shape.location, f"{end}_faces": shape.faces}
        np.savez(folder / f"{one} to {two}.npz", names=shared, **arrays)
    client.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--animals", type=Path, metavar="DATA")
    chosen = parser.parse_args()
    status = 0
    try:
        if chosen.animals:
            compare_animals(chosen.animals, chosen.folder, chosen.names)
        else:
            main(chosen.folder)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stderr.flush()
    os._exit(status)
