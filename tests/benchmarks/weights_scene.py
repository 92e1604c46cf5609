"""The part of ``weights.py`` that needs Blender: Blender's own Data Transfer, and MeshKin's maps.

    python weights_scene.py FOLDER        (a Python that has bpy)

For every FOLDER/NAME.npz (``sv, sf, sw`` source vertices, faces, weights; ``tv, tf`` the target's; ``match``) writes
FOLDER/NAME.transfer.npy, the weights by Data Transfer (nearest face interpolated), and, if ``match`` is set,
FOLDER/NAME.map.npz.
"""

from __future__ import annotations

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
from meshkin.progress import finish
from meshkin.worker import client


def add(name: str, vertices: Any, faces: Any) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices.tolist(), [], faces.tolist())
    mesh.shade_smooth()
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(obj)
    return obj


def data_transfer(source: bpy.types.Object, target: bpy.types.Object, weights: Any, align: bool) -> Any:
    """Blender's modifier of that name on a copy of the target, aligned by bounding boxes if asked."""
    for bone in range(weights.shape[1]):
        group = source.vertex_groups.new(name=str(bone))
        for vertex in np.flatnonzero(weights[:, bone]):
            group.add([int(vertex)], float(weights[vertex, bone]), "REPLACE")
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
    found = np.zeros((len(mesh.vertices), weights.shape[1]), np.float32)
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
            report = finish(workflow.match(source, target, workflow.Options(features=features)))
            print(f"{name}: matched in {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
            shutil.copyfile(report.data["map"], folder / f"{name}.map.npz")
    client.stop()


if __name__ == "__main__":
    status = 0
    try:
        main(Path(sys.argv[-1]))
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stderr.flush()
    os._exit(status)
