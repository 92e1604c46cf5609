"""Run the main job on the demo's people, in Blender.

    python scene.py OUTPUT        (a Python that has bpy, or: blender -b --python scene.py -- OUTPUT)

builds a scene of the people from ``people.py``. MeshKin matches the source with each target and transfers texture,
weights and a color attribute. Each target gets its true armature, and the scene is saved as OUTPUT/demo.blend. What
``report.py`` measures is written to OUTPUT/.cache/results.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Generator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from meshkin import workflow
from meshkin.base.errors import MeshKinError
from meshkin.base.progress import Progress, finish
from meshkin.scene.mesh import snapshot
from meshkin.scene.rig import binding, weights
from meshkin.worker import client

Arrays = Mapping[str, Any]

PARTS = "Parts"
"""Name of the color attribute on the source."""
REST_FRAME, ACT_FRAME = 1, 30
"""Frames of the modeled and of the posed targets."""
SPACING = 1.5
"""Distance between two people, meters."""


def main(output: Path) -> None:
    people, results = output / ".cache" / "people", output / ".cache" / "results"
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir(parents=True)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    source_data = load(people / "source.npz")
    targets_data = [load(people / f"{name}.npz") for name in (people / "targets.txt").read_text().split()]
    say("Building the scene")
    source = add_source(source_data, people / "texture.png", collection("Source"))
    targets = []
    for place, data in enumerate(targets_data, start=1):
        targets.append(add_mesh(data, collection("Targets"), place * SPACING))
        unwrap(targets[-1])
    untouched(targets)
    bpy.context.view_layer.update()

    seconds: dict[str, dict[str, float]] = {}

    def timed(
        person: str, stage: str, job: Callable[[], Generator[Progress, None, workflow.Report]]
    ) -> workflow.Report:
        """Run a job and keep its seconds."""
        start = time.monotonic()
        report = finish(job(), show)
        seconds.setdefault(person, {})[stage] = time.monotonic() - start
        if sys.stderr.isatty():
            print("\r" + " " * 78 + "\r", end="", file=sys.stderr)
        for line in report.lines():
            say(line)
        return report

    everything = [source, *targets]
    for obj in everything:
        timed(obj.name, "features", partial(workflow.features, [obj]))
    for target, data in zip(targets, targets_data, strict=True):
        report = timed(target.name, "match", partial(workflow.match, source, target))
        for what in ("texture", "weights", "attributes"):
            timed(target.name, what, partial(workflow.transfer, source, target, (what,)))
        record(source, target, data, Path(report.data["map"]), results)
    timed("All three", "shared colors", partial(workflow.features, everything))
    client.stop()
    for target, data in zip(targets, targets_data, strict=True):
        armature = add_armature(data, f"{target.name}’s armature", target.location.x)
        act(armature, data, keyed=True)
        binding.bind(target, armature)
    add_stage()
    facts = {"seconds": seconds, "features": report.data["recipe"]["name"], **machine()}
    (results / "run.json").write_text(json.dumps(facts, indent=2))
    bpy.context.preferences.filepaths.save_version = 0
    bpy.ops.wm.save_as_mainfile(filepath=str(output / "demo.blend"), check_existing=False, compress=True)
    say(f"Saved {output / 'demo.blend'}")


def add_source(data: Arrays, texture: Path, where: bpy.types.Collection) -> bpy.types.Object:
    """Add the source with clothes and rig, posed, and return it."""
    obj = add_mesh(data, where, 0.0)
    image = bpy.data.images.load(str(texture))
    image.name = f"{obj.name}’s clothes"
    image.pack()
    obj.data.materials.append(textured(f"{obj.name}’s clothes", image))
    write_groups(obj, data)
    colors = np.column_stack((data["weights"] @ data["palette"], np.ones(len(data["weights"]))))
    obj.data.color_attributes.new(PARTS, "FLOAT_COLOR", "POINT").data.foreach_set(
        "color", colors.astype(np.float32).ravel()
    )
    armature = add_armature(data, f"{obj.name}’s armature", 0.0)
    act(armature, data, keyed=False)
    binding.bind(obj, armature)
    return obj


def add_mesh(data: Arrays, where: bpy.types.Collection, x: float) -> bpy.types.Object:
    """Add a smooth-shaded object with the vertices, faces and UVs of ``data``, and return it."""
    mesh = bpy.data.meshes.new(str(data["name"]))
    mesh.from_pydata(data["vertices"].tolist(), [], data["faces"].tolist())
    mesh.shade_smooth()
    if data["uvs"].size:
        mesh.uv_layers.new(name="UVMap").data.foreach_set("uv", data["uvs"].astype(np.float32).ravel())
    obj = bpy.data.objects.new(str(data["name"]), mesh)
    obj.location.x = x
    where.objects.link(obj)
    return obj


def new_material(name: str, color: tuple[float, float, float, float]) -> bpy.types.Material:
    """Return a new matte material of one color, linear RGBA."""
    material = bpy.data.materials.new(name)
    if not material.node_tree:  # since Blender 5.0, materials always have one
        material.use_nodes = True
    inputs = material.node_tree.nodes["Principled BSDF"].inputs
    inputs["Base Color"].default_value, inputs["Roughness"].default_value = color, 0.78
    return material


def textured(name: str, image: bpy.types.Image) -> bpy.types.Material:
    """Return a new matte material with an image as its base color."""
    material = new_material(name, (1, 1, 1, 1))
    nodes, links = material.node_tree.nodes, material.node_tree.links
    texture = nodes.new("ShaderNodeTexImage")
    texture.image, texture.location = image, (-320, 300)
    links.new(texture.outputs["Color"], nodes["Principled BSDF"].inputs["Base Color"])
    return material


def unwrap(obj: bpy.types.Object) -> None:
    """Unwrap a mesh without UVs by Smart UV Project."""
    if obj.data.uv_layers:
        return
    with bpy.context.temp_override(active_object=obj, object=obj, selected_objects=[obj]):
        bpy.context.view_layer.objects.active = obj
        obj.select_set(True)
        bpy.ops.object.mode_set(mode="EDIT")
        bpy.ops.mesh.select_all(action="SELECT")
        bpy.ops.uv.smart_project(angle_limit=np.radians(66).item(), island_margin=0.004)
        bpy.ops.object.mode_set(mode="OBJECT")
        obj.select_set(False)


def untouched(targets: list[bpy.types.Object]) -> None:
    """Add unchanged copies of the targets in a row behind them, to try things on."""
    where = collection("Targets untouched")
    for target in targets:
        copy = bpy.data.objects.new(f"{target.name} untouched", target.data.copy())
        copy.location = (target.location.x - SPACING / 2, SPACING * 1.2, 0)
        where.objects.link(copy)


def write_groups(obj: bpy.types.Object, data: Arrays) -> None:
    """Add a vertex group for each bone, with the true weights."""
    for bone, name in enumerate(data["names"]):
        group = obj.vertex_groups.new(name=str(name))
        column = data["weights"][:, bone]
        for vertex in np.flatnonzero(column):
            group.add([int(vertex)], float(column[vertex]), "REPLACE")


def add_armature(data: Arrays, name: str, x: float) -> bpy.types.Object:
    """Add an armature with the bones of ``data`` (heads, lengths and rolls), and return it."""
    armature = bpy.data.armatures.new(name)
    armature.display_type = "STICK"
    obj = bpy.data.objects.new(name, armature)
    obj.location.x = x
    collection("Armatures").objects.link(obj)
    bpy.context.view_layer.objects.active = obj
    bpy.ops.object.mode_set(mode="EDIT")
    for bone, parent in enumerate(data["parents"]):
        edit = armature.edit_bones.new(str(data["names"][bone]))
        edit.tail = (0, float(data["lengths"][bone]), 0)
        edit.matrix = Matrix(data["bones"][bone].tolist())
        if parent >= 0:
            edit.parent = armature.edit_bones[str(data["names"][parent])]
    bpy.ops.object.mode_set(mode="OBJECT")
    return obj


def act(armature: bpy.types.Object, data: Arrays, keyed: bool) -> None:
    """Pose the armature as in ``data``; if ``keyed``, with keyframes for the rest pose and, later, the pose."""
    bones = armature.pose.bones
    root = bones[str(data["names"][0])]
    frames = [(REST_FRAME, 0), (ACT_FRAME, 1)] if keyed else [(0, 1)]
    for frame, share in frames:
        for index, name in enumerate(data["names"]):
            turn = Matrix(data["local"][index].tolist()).to_quaternion() if share else Matrix().to_quaternion()
            bones[str(name)].rotation_quaternion = turn
            if keyed and not np.allclose(data["local"][index], np.eye(3), atol=1e-6):
                bones[str(name)].keyframe_insert("rotation_quaternion", frame=frame)
        root.location = (data["bones"][0][:3, :3].T @ (data["shift"] * share)).tolist()
        if keyed:
            root.keyframe_insert("location", frame=frame)


def record(source: bpy.types.Object, target: bpy.types.Object, data: Arrays, map_file: Path, results: Path) -> None:
    """Save for the report: the map, both snapshots, and the weights, colors and texture that the target got."""
    name = target.name
    shutil.copyfile(map_file, results / f"{name}.map.npz")
    snapshot.take(source).save(results / "source.npz")
    taken = snapshot.take(target)
    taken.save(results / f"{name}.npz")
    names, values = weights.read(target, taken)
    full = np.zeros((len(taken.vertices), len(data["names"])), np.float32)
    full[:, [list(data["names"]).index(group) for group in names]] = values
    np.save(results / f"{name}.weights.npy", full[taken.original])
    colors = np.empty(len(target.data.vertices) * 4, np.float32)
    target.data.color_attributes[PARTS].data.foreach_get("color", colors)
    np.save(results / f"{name}.parts.npy", colors.reshape(-1, 4)[:, :3])
    image = base_image(target)
    if not image.packed_file:
        image.pack()
    (results / f"{name}.png").write_bytes(image.packed_file.data)


def base_image(obj: bpy.types.Object) -> bpy.types.Image:
    """Return the image of the object's first material."""
    nodes = obj.material_slots[0].material.node_tree.nodes
    return next(node.image for node in nodes if node.type == "TEX_IMAGE" and node.image)


def add_stage() -> None:
    """Add floor, lights and camera, so that the file can be rendered as it is."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.max_bounces = 8, True, 2
    scene.cycles.denoising_quality = scene.cycles.denoising_prefilter = "FAST"
    scene.view_settings.view_transform = "Standard"
    scene.frame_start, scene.frame_end = REST_FRAME, ACT_FRAME
    scene.frame_set(REST_FRAME)
    stage = collection("Stage")
    world = scene.world = bpy.data.worlds.new("Studio")
    if not world.node_tree:
        world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.80, 0.84, 0.90, 1)
    world.node_tree.nodes["Background"].inputs["Strength"].default_value = 0.42
    for name, direction, strength in (
        ("Key", (48, 0, -38), 2.6),
        ("Fill", (62, 0, 52), 0.7),
        ("Rim", (-50, 0, 20), 1.2),
    ):
        light = bpy.data.lights.new(name, "SUN")
        light.energy, light.angle = strength, np.radians(12).item()
        lamp = bpy.data.objects.new(name, light)
        lamp.location, lamp.rotation_euler = (0, 0, 4), np.radians(direction).tolist()
        stage.objects.link(lamp)
    floor = bpy.data.meshes.new("Floor")
    floor.from_pydata([(-900, -900, 0), (900, -900, 0), (900, 900, 0), (-900, 900, 0)], [], [(0, 1, 2, 3)])
    floor.materials.append(new_material("Floor", (0.36, 0.37, 0.40, 1)))
    ground = bpy.data.objects.new("Floor", floor)
    ground.hide_select = True
    stage.objects.link(ground)
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.lens = 60
    camera.location, camera.rotation_euler = (SPACING, -8.6, 1.25), (np.radians(88).item(), 0, 0)
    stage.objects.link(camera)
    scene.camera = camera
    bpy.context.view_layer.layer_collection.children["Armatures"].hide_viewport = True
    for screen in bpy.data.screens:
        for space in (space for area in screen.areas for space in area.spaces if space.type == "VIEW_3D"):
            space.shading.type = "MATERIAL"
            space.region_3d.view_perspective = "CAMERA"


def collection(name: str) -> bpy.types.Collection:
    """Return the collection of this name, which is added to the scene on first use."""
    existing = bpy.data.collections.get(name)
    if existing is not None:
        return existing
    new = bpy.data.collections.new(name)
    bpy.context.scene.collection.children.link(new)
    return new


def machine() -> dict[str, Any]:
    """Return what ran the job, and the worker's peak memory in bytes if the system tells it."""
    facts: dict[str, Any] = {"cores": os.cpu_count(), "blender": bpy.app.version_string}
    if sys.platform != "win32":
        import resource

        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # bytes on macOS, else kibibytes
        facts["worker_memory"] = peak * (1 if sys.platform == "darwin" else 1024)
    return facts


def load(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def show(progress: Progress) -> None:
    if sys.stderr.isatty():
        print(f"\r{progress.stage[:60]:60} {progress.fraction:4.0%}", end="", file=sys.stderr, flush=True)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def end_process(work: Callable[[], None]) -> None:
    """Do the work and end the process with its exit code at once: some Blenders hang when Python shuts down."""
    status = 0
    try:
        work()
    except MeshKinError as error:
        say(f"{error}")
        status = error.exit_code
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    end_process(lambda: main(Path(sys.argv[-1]).resolve()))
