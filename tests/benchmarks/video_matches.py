"""Motion from video with the models' own matches: characters rendered in motion, followed by the same or another one.

Run it with a bpy environment's Python, ``core`` on the path, the models fetched, and MESHKIN_TEST_DATA naming the
folder that holds ``characters/``. Arguments: names of cases; none for all. Frames are 480 x 360 pixels by Cycles, their
transparency is the mask; each is matched as :func:`meshkin.workflow.fit_video` does, which then writes the action that
is compared with the one that was filmed. ``--sheets FOLDER`` keeps the sheets of fitted frames.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector
from numpy.typing import NDArray

from meshkin import workflow
from meshkin.base.progress import finish
from meshkin.scene import compat

Array = NDArray[np.float64]
DATA = Path(os.environ.get("MESHKIN_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
WOLF, HUSKY, KNIGHT = "quadrupeds/Wolf-v12.glb", "quadrupeds/Husky-v9.glb", "kaykit/Knight.glb"
HORSE, DEER = "quadrupeds/Horse-v7.glb", "quadrupeds/Deer-v4.glb"
SIZE = (480, 360)
LENS = 50.0
SEEN = 0.3
"""Share of a bone's vertices that a camera sees from which it is on the visible side. Chosen."""
FEWEST_VERTICES = 5
"""Weights in all that a bone has at least to be judged. Chosen: poles and controls have none."""
LOOKED_AT = 24
"""Vertices of a bone that are looked at. Chosen."""


FEET = ("FF", "FFB")
"""Bones of the quadrupeds' front and hind feet, without their sides."""


@dataclass(frozen=True)
class Case:
    """What is filmed, every how many frames, how many; how far the camera goes around it, radians; what follows."""

    source: str
    action: str
    step: int
    count: int
    around: float = 0.0
    target: str = ""


CASES = {
    "wolf walks": Case(WOLF, "Walk", 1, 16),
    "wolf walks, moving camera": Case(WOLF, "Walk", 1, 16, 0.6),
    "wolf gallops": Case(WOLF, "Gallop", 1, 14),
    "wolf eats": Case(WOLF, "Eating", 4, 14),
    "knight walks": Case(KNIGHT, "Walking_A", 2, 13),
    "knight cheers": Case(KNIGHT, "Cheer", 2, 13),
    "wolf walks, dog follows": Case(WOLF, "Walk", 1, 16, 0.0, HUSKY),
    "horse gallops": Case(HORSE, "Gallop", 1, 12),
    "deer walks": Case(DEER, "Walk", 1, 12),
}


@dataclass(frozen=True)
class Truth:
    """Of T frames: joints of bones before the camera, by names; which are seen; the height of the character."""

    names: list[str]
    matrices: Array
    seen: NDArray[np.bool_]
    height: float


def opened(name: str) -> tuple[bpy.types.Object, list[bpy.types.Object]]:
    """An empty file with a character at rest: its armature and its meshes; what it may hold is removed."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    compat.import_gltf(DATA / "characters" / name)
    for obj in [each for each in bpy.data.objects if each.type == "MESH" and not each.vertex_groups]:
        bpy.data.objects.remove(obj)
    (armature,) = (obj for obj in bpy.data.objects if obj.type == "ARMATURE")
    for track in armature.animation_data.nla_tracks if armature.animation_data else ():
        track.mute = True
    if armature.animation_data:
        armature.animation_data.action = None
    for bone in armature.pose.bones:
        bone.matrix_basis.identity()
    bpy.context.view_layer.update()
    return armature, [obj for obj in bpy.data.objects if obj.type == "MESH" and obj.vertex_groups]


def play(armature: bpy.types.Object, action: str) -> bpy.types.Action:
    """Let an armature play an action of its file."""
    played = next(each for each in bpy.data.actions if each.name == action or each.name.startswith(f"{action}_"))
    armature.animation_data.action = played
    if hasattr(armature.animation_data, "action_slot"):
        armature.animation_data.action_slot = played.slots[0]
    return played


def stand(camera: bpy.types.Object, center: Vector, size: float, azimuth: float) -> None:
    """Let a camera look at a point, from the left of what looks along -Y, a little from the front."""
    toward = Vector((np.sin(azimuth), -np.cos(azimuth), 0.15)).normalized()
    camera.matrix_world = (
        Matrix.Translation(center + toward * 2.2 * size) @ toward.to_track_quat("Z", "Y").to_matrix().to_4x4()
    )
    bpy.context.view_layer.update()


def bones_before(camera: bpy.types.Object, armature: bpy.types.Object, names: list[str]) -> Array:
    """Places and axes (B, 4, 4) of bones in camera axes, NaN of bones that are not there."""
    to_camera = camera.matrix_world.inverted() @ armature.matrix_world
    found, bones = np.full((len(names), 4, 4), np.nan), armature.pose.bones
    for number, name in enumerate(names):
        if name in bones:
            found[number] = to_camera @ bones[name].matrix
    return found


def shown_bones(camera: bpy.types.Object, meshes: list[bpy.types.Object], names: list[str]) -> NDArray[np.bool_]:
    """Which bones (B,) move something that the camera sees."""
    graph = bpy.context.evaluated_depsgraph_get()
    seen, count, eye = np.zeros(len(names)), np.zeros(len(names)), camera.matrix_world.translation
    for obj in meshes:
        groups = [group.name for group in obj.vertex_groups]
        own = [
            max(vertex.groups, key=lambda each: each.weight).group if vertex.groups else -1
            for vertex in obj.data.vertices
        ]
        posed = obj.evaluated_get(graph)
        for group in set(own) - {-1}:
            if groups[group] not in names:
                continue
            bone, numbers = names.index(groups[group]), np.flatnonzero(np.array(own) == group)
            for number in numbers[:: max(1, len(numbers) // LOOKED_AT)].tolist():
                point = posed.matrix_world @ posed.data.vertices[number].co
                far = (point - eye).length
                hit, place, *_ = bpy.context.scene.ray_cast(graph, eye, (point - eye) / far, distance=far * 1.1)
                count[bone] += 1
                seen[bone] += hit and (place - point).length < 0.01 * far
    return seen >= SEEN * np.maximum(count, 1)


def _vertices_of(bone: str, meshes: list[bpy.types.Object]) -> float:
    """The sum of a bone's weights."""
    total = 0.0
    for obj in meshes:
        if (group := obj.vertex_groups.get(bone)) is not None:
            total += sum(
                each.weight for vertex in obj.data.vertices for each in vertex.groups if each.group == group.index
            )
    return total


def film(case: Case, folder: Path) -> Truth:
    """Render a case's frames, and say what they show."""
    armature, meshes = opened(case.source)
    action, scene = play(armature, case.action), bpy.context.scene
    moving = [bone.name for bone in armature.data.bones if _vertices_of(bone.name, meshes) > FEWEST_VERTICES]
    scene.frame_set(int(action.frame_range[0]))
    corners = np.array([obj.matrix_world @ Vector(corner) for obj in meshes for corner in obj.bound_box])
    low, high = corners.min(axis=0), corners.max(axis=0)
    camera = bpy.data.objects.new("film", bpy.data.cameras.new("film"))
    camera.data.lens, camera.data.sensor_width = LENS, 36
    lamp = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    lamp.data.energy, lamp.rotation_euler = 3, (0.6, 0.3, 0.4)
    scene.world = bpy.data.worlds.new("day")
    scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.8, 0.85, 0.9, 1)
    for obj in (camera, lamp):
        scene.collection.objects.link(obj)
    scene.camera, scene.render.engine = camera, "CYCLES"
    scene.cycles.samples, scene.cycles.device, scene.render.film_transparent = 8, "CPU", True
    scene.render.resolution_x, scene.render.resolution_y, scene.render.threads_mode = *SIZE, "FIXED"
    scene.render.threads, scene.render.image_settings.color_mode = 1, "RGBA"
    matrices, seen = [], []
    for number in range(case.count):
        scene.frame_set(int(action.frame_range[0]) + number * case.step)
        turn = case.around * (number / max(case.count - 1, 1) - 0.5)
        stand(camera, Vector((low + high) / 2), float(np.linalg.norm(high - low)), np.pi / 2 + 0.3 + turn)
        scene.render.filepath = str(folder / f"frame_{number + 1:03}.png")
        bpy.ops.render.render(write_still=True)
        matrices.append(bones_before(camera, armature, moving))
        seen.append(shown_bones(camera, meshes, moving))
    return Truth(moving, np.array(matrices), np.array(seen), float(high[2] - low[2]))


def followed(case: Case, folder: Path, truth: Truth, sheet: Path | None) -> tuple[Array, list[float]]:
    """Bones before the camera, (T, B, 4, 4), as the action that the product makes has them, and its scores."""
    armature, meshes = opened(case.target or case.source)
    report = finish(workflow.fit_video(folder, meshes))
    camera, found = bpy.data.objects[report.data["camera"]], []
    for number in range(case.count):
        bpy.context.scene.frame_set(number + 1)
        found.append(bones_before(camera, armature, truth.names))
    if sheet is not None:
        bpy.data.images[report.data["image"]].save(filepath=str(sheet))
    return np.array(found), report.data["scores"]


def errors(truth: Truth, found: Array) -> list[float]:
    """Errors of joints, % of the height: seen, hidden, seen across the line of sight; turns, degrees; jitter, %."""
    off = (found - truth.matrices)[..., :3, 3] / truth.height * 100
    length = np.linalg.norm(off, axis=-1)
    axes = [
        each[..., :3, :3] / np.linalg.norm(each[..., :3, :3], axis=-2, keepdims=True)
        for each in (found, truth.matrices)
    ]
    turns = np.degrees(np.arccos(((np.einsum("tbij,tbij->tb", *axes) - 1) / 2).clip(-1, 1)))
    jitter = np.linalg.norm(np.diff(off, 2, axis=0), axis=-1).mean()
    across, seen = np.linalg.norm(off[..., :2], axis=-1), truth.seen
    return [
        float(each)
        for each in (length[seen].mean(), length[~seen].mean(), across[seen].mean(), turns[seen].mean(), jitter)
    ]


def feet(truth: Truth, found: Array) -> str:
    """In how many frames each foot is shown nearer to the filmed one's own foot than to the one across.

    And for how many frames in a row, at most, it is not: so long are legs exchanged.
    """
    shown, told = [each[..., :2, 3] / -each[..., 2:3, 3] for each in (found, truth.matrices)], []
    for foot in FEET:
        for side, across in (("L", "R"), ("R", "L")):
            if f"{foot}.{side}" in truth.names:
                own, other = (truth.names.index(f"{foot}.{each}") for each in (side, across))
                off = [np.linalg.norm(shown[0][:, own] - shown[1][:, bone], axis=1) for bone in (own, other)]
                told.append(f"{foot}.{side} {(off[0] <= off[1]).sum()} ({longest(off[0] > off[1])})")
    return f"  right feet of {len(found)} frames (longest exchanged): " + ", ".join(told)


def longest(flags: NDArray[np.bool_]) -> int:
    """How many flags in a row are set, at most."""
    ends = np.flatnonzero(np.diff(np.concatenate(((0,), flags, (0,)))))
    return int(np.diff(ends)[::2].max(initial=0))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--sheets", type=Path)
    arguments = parser.parse_args()
    print(f"{'':30}   visible    hidden    across     turns    jitter       IoU   seconds", flush=True)
    for name in arguments.names or CASES:
        with tempfile.TemporaryDirectory() as folder:
            truth, start = film(CASES[name], Path(folder)), time.monotonic()
            sheet = arguments.sheets and arguments.sheets / f"{name}.png"
            found, scores = followed(CASES[name], Path(folder), truth, sheet)
            seconds = time.monotonic() - start
        own = [np.nan] * 5 if CASES[name].target else errors(truth, found)  # another one's joints lie elsewhere
        values = [*own, float(np.mean(scores)), seconds]
        print(f"{name:30}" + "".join(f"{value:10.2f}" for value in values), flush=True)
        print(feet(truth, found), flush=True)
    sys.stdout.flush()
    os._exit(0)  # some Blender modules hang at Python's own exit


if __name__ == "__main__":
    main()
