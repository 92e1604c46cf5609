"""Pictures of whole characters that get everything of another one, to be looked at.

    python tests/benchmarks/whole_characters.py FOLDER [A.glb:B.glb …]

Runs where ``bpy`` is, with a worker and its models; reads characters from ``MESHKIN_TEST_DATA`` (default: a folder
``shared/data`` beside the checkout). Of each pair the second one loses its rig, materials and vertex groups, and gets
texture, weights, armature and motion of the first in one job. Writes FOLDER/A to B.png, in rows: the source from the
front, from the back and the head close up; the target before; the target after; both in three frames of an action (a
character that has none gets one, in which all bones turn at random). What the report says is printed. What was seen is
in results/whole_characters.txt.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

from meshkin import workflow
from meshkin.base.errors import MeshKinError
from meshkin.base.progress import finish
from meshkin.worker import client

ROOT = Path(__file__).parents[2]
CHARACTERS = Path(os.environ.get("MESHKIN_TEST_DATA", ROOT.parent / "shared" / "data")) / "characters"
PAIRS = (
    "quaternius/men_Casual.glb:quaternius/women_Formal.glb",
    "quaternius/women_Soldier.glb:quaternius/men_Punk.glb",
    "quaternius/men_Adventurer.glb:quaternius/women_Medieval.glb",
    "kaykit/Knight.glb:kaykit/Rogue_Hooded.glb",
    "mesh2motion/human-male.glb:mesh2motion/human-zombie.glb",
    "mesh2motion/human-female.glb:mesh2motion/human-sophia.glb",
    "quadrupeds/Wolf-v12.glb:quadrupeds/Cow-v3.glb",
    "quadrupeds/Fox-v6.glb:quadrupeds/Husky-v9.glb",
    "quadrupeds/Horse-v7.glb:quadrupeds/Donkey-v5.glb",
    "mesh2motion/fox-fox.glb:mesh2motion/fox-cat.glb",
    "mesh2motion/kaiju-base.glb:mesh2motion/kaiju-t-rex.glb",
    "quaternius/dino_Apatosaurus.glb:quaternius/dino_Stegosaurus.glb",
)
WIDTH, HEIGHT = 320, 400
WHOLE, HEAD = 1.08, 0.39
"""Height of the picture, in the longest side of the character."""
MOMENTS = (0.12, 0.37, 0.7)
"""Shares of the action at which both are seen."""
TURNED_BY = 12
"""Standard deviation of the angles of a made action, degrees."""
ACTIONS = ("Walk", "walk", "Run", "Gallop")
"""Words in the name of the action that is played, the first that is there."""

Picture = NDArray[np.float32]


def load(path: str) -> list[bpy.types.Object]:
    """A character's objects, without the shapes of its bones."""
    before = set(bpy.data.objects)
    bpy.ops.import_scene.gltf(filepath=str(CHARACTERS / path))
    for obj in [one for one in bpy.data.objects if one not in before and one.name.startswith("Icosphere")]:
        bpy.data.objects.remove(obj)
    return [one for one in bpy.data.objects if one not in before]


def meshes(objects: Sequence[bpy.types.Object]) -> list[bpy.types.Object]:
    return [obj for obj in objects if obj.type == "MESH"]


def bare(objects: Sequence[bpy.types.Object]) -> list[bpy.types.Object]:
    """The meshes at rest, without all that they are to get."""
    found = meshes(objects)
    for rig in [obj for obj in objects if obj.type == "ARMATURE"]:
        rig.data.pose_position = "REST"  # what hangs on bones would stay where a pose has brought it
    bpy.context.view_layer.update()
    for obj in found:
        place = obj.matrix_world.copy()
        obj.modifiers.clear()
        obj.vertex_groups.clear()
        obj.data.materials.clear()
        obj.parent = None
        obj.matrix_world = place
    for obj in [one for one in objects if one not in found]:
        bpy.data.objects.remove(obj)
    return found


def points_of(objects: Sequence[bpy.types.Object]) -> NDArray[np.float64]:
    """All vertices as they are posed, in world axes, (N, 3)."""
    depsgraph = bpy.context.evaluated_depsgraph_get()
    points = []
    for obj in objects:
        evaluated = obj.evaluated_get(depsgraph)
        mesh = evaluated.to_mesh()
        own = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.vertices.foreach_get("co", own)
        matrix = np.array(obj.matrix_world)
        points.append(own.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3])
        evaluated.to_mesh_clear()
    return np.concatenate(points)


def picture(objects: Sequence[bpy.types.Object], path: Path, azimuth: float, head: bool = False) -> Picture:
    """The objects alone, seen from ``azimuth`` degrees beside the front, float32 (H, W, 3)."""
    hidden = [obj for obj in bpy.data.objects if obj not in objects and not obj.hide_render]
    for obj in hidden:
        obj.hide_render = True
    points = points_of(objects)
    low, high = points.min(axis=0), points.max(axis=0)
    center, size = (low + high) / 2, float((high - low).max())
    if head:
        top = points[points[:, 2] > high[2] - 0.2 * (high[2] - low[2])]
        center = np.array([*np.median(top[:, :2], axis=0), high[2] - 0.14 * (high[2] - low[2])])
    scene = bpy.context.scene
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.type, camera.data.ortho_scale = "ORTHO", size * (HEAD if head else WHOLE)
    camera.data.clip_start, camera.data.clip_end = size * 0.01, size * 40
    turn = math.radians(azimuth)
    toward = Vector((math.sin(turn), -math.cos(turn), 0.12)).normalized()
    camera.location = Vector(center.tolist()) + toward * size * 8
    camera.rotation_euler = (-toward).to_track_quat("-Z", "Y").to_euler()
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    bpy.data.objects.remove(camera)
    for obj in hidden:
        obj.hide_render = False
    image = bpy.data.images.load(str(path))
    pixels = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    path.unlink()
    return pixels.reshape(HEIGHT, WIDTH, 4)[..., :3]


def set_up_rendering() -> None:
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.device, scene.cycles.use_denoising = 8, "CPU", False
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    scene.render.image_settings.file_format = "PNG"
    scene.view_settings.view_transform = "Standard"
    scene.world = bpy.data.worlds.new("white")
    scene.world.use_nodes = True
    background = next(one for one in scene.world.node_tree.nodes if one.type == "BACKGROUND")
    background.inputs[0].default_value, background.inputs[1].default_value = (1, 1, 1, 1), 0.9


def play(rig: bpy.types.Object, own: Sequence[bpy.types.Action]) -> bpy.types.Action:
    """Let the rig play one of its actions, or a made one if there is none."""
    found = [action for word in ACTIONS for action in own if word in action.name] or list(own)
    if not found:
        return made_action(rig)
    rig.animation_data_create()
    rig.animation_data.action = found[0]
    if getattr(found[0], "slots", None):
        rig.animation_data.action_slot = found[0].slots[0]
    return found[0]


def made_action(rig: bpy.types.Object) -> bpy.types.Action:
    """An action in which all bones but the first turn at random."""
    generator = np.random.default_rng(0)
    for number in range(len(MOMENTS)):
        for bone in rig.pose.bones:
            if bone.parent is not None:
                bone.rotation_mode = "XYZ"
                bone.rotation_euler = np.radians(generator.normal(0, TURNED_BY, 3)).tolist()
                bone.keyframe_insert("rotation_euler", frame=1 + 10 * number)
    return rig.animation_data.action


def run(names: str, folder: Path) -> None:
    """One pair."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    set_up_rendering()
    first, second = names.split(":")
    source = load(first)
    actions = list(bpy.data.actions)
    target = bare(load(second))
    rig = next(obj for obj in source if obj.type == "ARMATURE")
    shown = meshes(source)
    path = folder / "view.png"

    def three(objects: Sequence[bpy.types.Object]) -> list[Picture]:
        return [picture(objects, path, 0), picture(objects, path, 180), picture(objects, path, 15, head=True)]

    rows = [three(shown), three(target)]
    action = play(rig, actions)
    bpy.context.scene.frame_set(0)
    what = ["weights", "armature", "texture", "motion"]
    begin = time.perf_counter()
    options = workflow.Options(texture=workflow.TextureOptions(size=1024))
    report = finish(workflow.transfer(rig, target, what, options))
    print(f"{names}: {time.perf_counter() - begin:.0f} s", *report.lines(), sep="\n    ", flush=True)
    rows.append(three(target))
    start, end = action.frame_range
    moments = MOMENTS if actions else (0, 0.5, 1)
    for objects in (shown, target):
        rows.append([])
        for share in moments:
            bpy.context.scene.frame_set(int(start + share * (end - start)))
            rows[-1].append(picture(objects, path, 35))
    save(rows, folder / f"{Path(first).stem} to {Path(second).stem}.png")


def save(rows: Sequence[Sequence[Picture]], path: Path) -> None:
    """Rows of pictures as one file."""
    sheet = np.concatenate([np.concatenate(row, axis=1) for row in reversed(rows)])
    image = bpy.data.images.new("sheet", sheet.shape[1], sheet.shape[0])
    image.pixels.foreach_set(np.dstack([sheet, np.ones(sheet.shape[:2], np.float32)]).ravel())
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for names in sys.argv[2:] or PAIRS:
        try:
            run(names, folder)
        except MeshKinError as error:
            print(f"{names}: {error}", flush=True)
    client.stop()
    os._exit(0)


if __name__ == "__main__":
    main()
