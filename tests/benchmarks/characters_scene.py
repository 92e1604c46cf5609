"""The parts of ``characters.py`` that need Blender.

    python characters_scene.py import FOLDER FILE.glb …     (a Python that has bpy)
    python characters_scene.py match FOLDER A:B …
    python characters_scene.py match-from-joints FOLDER A:B …

``import`` writes FOLDER/NAME.npz for each file: all meshes of the character on its armature, as one mesh in world axes
(``vertices, faces``), the weights (a column for each bone) and the bones in rest pose (``names, parents, matrices,
lengths``). ``match`` matches FOLDER/A.npz to FOLDER/B.npz and writes FOLDER/A to B.map.npz and what the report said.
``match-from-joints`` does so with the armatures of FOLDER/NAME.rig.npz, and writes FOLDER/A to B.joints.npz.
"""

from __future__ import annotations

import json
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
from meshkin.scene.rig import binding, weights
from meshkin.worker import client


def read_character(path: Path) -> dict[str, Any]:
    """The arrays of a character's file, all its visible skinned meshes as one."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.gltf(filepath=str(path))
    meshes = [obj for obj in bpy.data.objects if obj.type == "MESH" and obj.visible_get() and binding.armature_of(obj)]
    rig = binding.armature_of(meshes[0])
    assert rig is not None
    rig.animation_data_clear()
    rig.data.pose_position = "REST"
    bpy.context.view_layer.update()
    names = [bone.name for bone in rig.data.bones]
    parts = [mesh_arrays(obj, names) for obj in meshes]
    starts = np.cumsum([0, *(len(part[0]) for part in parts)])
    matrices = np.array([np.array(rig.matrix_world @ bone.matrix_local) for bone in rig.data.bones])
    ends = np.array([np.array(rig.matrix_world @ bone.tail_local) for bone in rig.data.bones])
    return {
        "vertices": np.concatenate([part[0] for part in parts]),
        "faces": np.concatenate([part[1] + start for part, start in zip(parts, starts, strict=False)]),
        "weights": np.concatenate([part[2] for part in parts]),
        "names": np.array(names),
        "parents": np.array([names.index(bone.parent.name) if bone.parent else -1 for bone in rig.data.bones]),
        "matrices": matrices,
        "lengths": np.linalg.norm(ends - matrices[:, :3, 3], axis=1),
    }


def mesh_arrays(obj: bpy.types.Object, names: list[str]) -> tuple[Any, Any, Any]:
    """Vertices in world axes, triangles and weights of one mesh."""
    mesh = obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    vertices = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", vertices)
    matrix = np.array(obj.matrix_world)
    mesh.calc_loop_triangles()
    faces = np.empty(3 * len(mesh.loop_triangles), np.int32)
    mesh.loop_triangles.foreach_get("vertices", faces)
    columns = {group.index: names.index(group.name) for group in obj.vertex_groups if group.name in names}
    weights = np.zeros((len(mesh.vertices), len(names)), np.float32)
    for vertex in obj.data.vertices:
        for entry in vertex.groups:
            if entry.group in columns:
                weights[vertex.index, columns[entry.group]] = entry.weight
    return vertices.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3], faces.reshape(-1, 3), weights


def import_characters(folder: Path, files: list[str]) -> None:
    logging.disable(logging.INFO)  # the importer's
    for file in files:
        np.savez(folder / f"{Path(file).stem}.npz", **read_character(Path(file)))


def add(folder: Path, name: str) -> bpy.types.Object:
    """The character of FOLDER/NAME.npz as an object."""
    with np.load(folder / f"{name}.npz") as arrays:
        mesh = bpy.data.meshes.new(name)
        mesh.from_pydata(arrays["vertices"].astype(float).tolist(), [], arrays["faces"].tolist())
    mesh.shade_smooth()
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(obj)
    return obj


def add_rigged(folder: Path, name: str) -> bpy.types.Object:
    """The same, weighted and posed by an armature with the bones of FOLDER/NAME.rig.npz."""
    obj = add(folder, name)
    with np.load(folder / f"{name}.rig.npz") as arrays:
        names, parents, values = arrays["names"].tolist(), arrays["parents"], arrays["weights"]
        ends = list(zip(arrays["heads"].tolist(), arrays["tails"].tolist(), strict=True))
    armature = bpy.data.objects.new(f"{name} rig", bpy.data.armatures.new(f"{name} rig"))
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bones = [armature.data.edit_bones.new(bone) for bone in names]
    for bone, parent, (head, tail) in zip(bones, parents, ends, strict=True):
        bone.head, bone.tail, bone.parent = head, tail, bones[parent] if parent >= 0 else None
    bpy.ops.object.mode_set(mode="OBJECT")
    weights.write(obj, names, values.astype(np.float32))
    binding.bind(obj, armature)
    return obj


def match_characters(folder: Path, pairs: list[str], from_joints: bool = False) -> None:
    for pair in pairs:
        ends = pair.split(":")
        path = folder / f"{' to '.join(ends)}.{'joints' if from_joints else 'map'}.npz"
        if path.exists():
            continue
        bpy.ops.wm.read_factory_settings(use_empty=True)
        source, target = ((add_rigged if from_joints else add)(folder, name) for name in ends)
        start = time.monotonic()
        report = finish(workflow.match(source, target))
        print(f"{pair}: matched in {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
        shutil.copyfile(report.data["map"], path)
        path.with_suffix(".json").write_text(json.dumps(report.data["notes"]), encoding="utf-8")
    client.stop()


if __name__ == "__main__":
    command, where, *what = sys.argv[1:]
    status = 0
    try:
        if command == "import":
            import_characters(Path(where), what)
        else:
            match_characters(Path(where), what, from_joints=command == "match-from-joints")
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stderr.flush()
    os._exit(status)
