"""Pictures of real characters posed by MeshKin's rig and weights, Data Transfer's weights on the same rig beside them.

    python tests/benchmarks/weights_pictures.py OUTPUT [SOURCE.glb TARGET.glb] …

Needs a Python that has ``bpy``. The same turns are given to the same bones of source, ours and Data Transfer. Without
pairs it takes some of the data folder's (``MESHKIN_TEST_DATA``). To be looked at; nothing is measured but the time.
"""

from __future__ import annotations

import math
import os
import sys
import time
import traceback
from pathlib import Path

import bpy
import numpy as np
from mathutils import Euler, Vector

from meshkin import workflow
from meshkin.base.progress import finish
from meshkin.scene import compat
from meshkin.scene.rig import binding, copies
from meshkin.worker import client

PAIRS = [
    ("mesh2motion/human-male", "mesh2motion/human-zombie"),
    ("mesh2motion/human-female", "mesh2motion/human-sintel"),
    ("mesh2motion/fox-fox", "mesh2motion/fox-dog"),
    ("kaykit/Knight", "kaykit/Barbarian"),
    ("quadrupeds/Horse-v7", "quadrupeds/Cow-v3"),
    ("mesh2motion/human-female", "mesh2motion/human-bunny"),
]


def load(path: Path) -> bpy.types.Object:
    """The largest mesh of a file, its other meshes joined to it where they hang on the same armature."""
    before = set(bpy.data.objects)
    compat.import_gltf(path)
    meshes = [obj for obj in bpy.data.objects if obj not in before and obj.type == "MESH" and binding.armature_of(obj)]
    meshes.sort(key=lambda obj: -len(obj.data.vertices))
    with bpy.context.temp_override(active_object=meshes[0], selected_editable_objects=meshes, selected_objects=meshes):
        if len(meshes) > 1:
            bpy.ops.object.join()
    for obj in bpy.data.objects:
        if obj not in before and obj.animation_data:
            obj.animation_data.action = None
            while obj.animation_data.nla_tracks:
                obj.animation_data.nla_tracks.remove(obj.animation_data.nla_tracks[0])
    armature = binding.armature_of(meshes[0])
    assert armature is not None  # only such meshes were taken
    for bone in armature.pose.bones:
        bone.matrix_basis.identity()
    bpy.context.view_layer.update()
    return meshes[0]


def bare(obj: bpy.types.Object, x: float) -> bpy.types.Object:
    """A copy without rig, as it stands, at ``x``."""
    mesh = bpy.data.meshes.new_from_object(obj.evaluated_get(bpy.context.evaluated_depsgraph_get()))
    mesh.transform(obj.matrix_world)
    copy = bpy.data.objects.new(f"{obj.name} bare", mesh)
    bpy.context.scene.collection.objects.link(copy)
    copy.location.x = x
    return copy


def turn(armature: bpy.types.Object, axes: dict[str, Euler]) -> None:
    """Turn bones about the world's axes, by name."""
    for name, euler in axes.items():
        bone = armature.pose.bones[name]
        rest = (armature.matrix_world.to_3x3().normalized() @ bone.bone.matrix_local.to_3x3()).normalized()
        bone.rotation_mode = "QUATERNION"
        bone.rotation_quaternion = (rest.inverted() @ euler.to_matrix() @ rest).to_quaternion()
    bpy.context.view_layer.update()


def bends(armature: bpy.types.Object) -> dict[str, Euler]:
    """The same lively pose for all rigs with these names: every bone a little, by its name."""
    turns = {}
    for bone in armature.data.bones:
        if bone.use_deform and bone.parent and len(bone.children_recursive) >= 1:
            seed = sum(ord(letter) * (place + 1) for place, letter in enumerate(bone.name))
            angles = np.random.default_rng(seed).normal(0, 0.3, 3)
            turns[bone.name] = Euler(angles.tolist())
    return turns


def data_transfer(source: bpy.types.Object, target: bpy.types.Object) -> None:
    """Blender's nearest face interpolated, the target's bounding box aligned for it."""
    moved = target.data.copy()
    keep = target.data
    boxes = []
    for obj in (source, target):
        corners = np.array([obj.matrix_world @ Vector(corner) for corner in obj.bound_box])
        boxes.append((corners.min(axis=0), np.ptp(corners, axis=0)))
    target.data = moved
    for vertex in moved.vertices:
        place = np.array(target.matrix_world @ vertex.co)
        place = (place - boxes[1][0]) / boxes[1][1] * boxes[0][1] + boxes[0][0]
        vertex.co = target.matrix_world.inverted() @ Vector(place)
    target.vertex_groups.clear()
    for group in source.vertex_groups:
        target.vertex_groups.new(name=group.name)
    modifier = target.modifiers.new("transfer", "DATA_TRANSFER")
    modifier.object, modifier.use_vert_data = source, True
    modifier.data_types_verts, modifier.vert_mapping = {"VGROUP_WEIGHTS"}, "POLYINTERP_NEAREST"
    bpy.context.view_layer.update()
    mesh = target.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    rows = [[(one.group, one.weight) for one in vertex.groups] for vertex in mesh.vertices]
    target.modifiers.remove(modifier)
    target.data = keep
    for group in source.vertex_groups:
        if group.name not in target.vertex_groups:
            target.vertex_groups.new(name=group.name)
    for index, row in enumerate(rows):
        for group, weight in (one for one in row if one[0] < len(target.vertex_groups)):
            target.vertex_groups[group].add((index,), weight, "REPLACE")


def render(objects: list[bpy.types.Object], path: Path) -> None:
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.samples = "CYCLES", 4
    scene.render.resolution_x, scene.render.resolution_y = 420 * len(objects), 560
    scene.view_settings.view_transform = "Standard"
    corners = []
    for obj in bpy.data.objects:
        obj.hide_render = obj not in objects
    for obj in objects:
        shape = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
        corners += [shape.matrix_world @ Vector(corner) for corner in shape.bound_box]
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.type = "ORTHO"
    camera.data.ortho_scale = 1.05 * max(high[0] - low[0], (high[2] - low[2]) * 420 * len(objects) / 560)
    camera.location = ((low + high) / 2 + (0, -5 * (high - low).max(), 0)).tolist()
    camera.rotation_euler = (math.radians(90), 0, 0)
    camera.data.clip_end = 1e4
    light = bpy.data.objects.new("light", bpy.data.lights.new("light", "SUN"))
    light.data.energy, light.rotation_euler = 3, (math.radians(50), 0, math.radians(-30))
    for obj in (camera, light):
        scene.collection.objects.link(obj)
    scene.camera = camera
    scene.world = scene.world or bpy.data.worlds.new("world")
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)


def picture(source_path: Path, target_path: Path, output: Path) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    source, original = load(source_path), load(target_path)
    width = 1.3 * max(source.dimensions.x, original.dimensions.x, source.dimensions.y, original.dimensions.y)
    ours, theirs = bare(original, width), bare(original, 2 * width)
    bpy.context.view_layer.update()
    start = time.monotonic()
    report = finish(
        workflow.transfer(
            source, ours, ["weights", "armature"], workflow.Options(weights=workflow.WeightOptions(nearness="never"))
        )
    )
    print(
        f"{source_path.stem} to {target_path.stem}: {time.monotonic() - start:.0f} s",
        *report.lines(),
        sep="\n  ",
        flush=True,
    )
    data_transfer(source, theirs)
    rig = copies.copy_to(binding.armature_of(ours), theirs, (width, 0, 0), "theirs")
    binding.attach(theirs, [rig], source)
    turns = bends(binding.armature_of(source))
    for obj in (source, ours, theirs):
        turn(binding.armature_of(obj), turns)
    bpy.ops.wm.save_as_mainfile(filepath=str(output / f"{source_path.stem} to {target_path.stem}.blend"))
    render([source, ours, theirs], output / f"{source_path.stem} to {target_path.stem}.png")


def main() -> None:
    output = Path(sys.argv[1]).resolve()
    output.mkdir(parents=True, exist_ok=True)
    data = Path(os.environ.get("MESHKIN_TEST_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
    characters = data / "characters"
    paths = [Path(name) for name in sys.argv[2:]]
    pairs = list(zip(paths[::2], paths[1::2], strict=True))
    if not pairs:
        pairs = [(characters / f"{source}.glb", characters / f"{target}.glb") for source, target in PAIRS]
    for source, target in pairs:
        picture(source, target, output)
    client.stop()


if __name__ == "__main__":
    status = 0
    try:
        main()
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    os._exit(status)
