"""Motion from video, measured on animated characters: the fit alone, from true anchors with noise and true masks.

Run it with a bpy environment's Python, ``core`` on the path, MESHKIN_WORKER_PYTHON naming the worker's Python and
MESHKIN_TEST_DATA the folder that holds ``characters/``. Arguments: frames of each clip at most, the noise of anchors in
sizes of the object in the picture, and which cases of ``video_fits.py`` (none for all).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import bpy
import numpy as np

from meshkin.data.snapshot import Snapshot
from meshkin.scene import compat
from meshkin.scene.mesh import rest
from meshkin.scene.mesh import snapshot as snapshots
from meshkin.scene.rig import posable

DATA = Path(os.environ.get("MESHKIN_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
CLIPS = (
    ("quadrupeds/Wolf-v12.glb", "Walk", 1),
    ("quadrupeds/Wolf-v12.glb", "Gallop", 1),
    ("quadrupeds/Wolf-v12.glb", "Eating", 5),
    ("quadrupeds/Horse-v7.glb", "Gallop", 1),
    ("quadrupeds/Deer-v4.glb", "Walk", 1),
    ("kaykit/Knight.glb", "Walking_A", 2),
    ("kaykit/Knight.glb", "Cheer", 2),
)
"""Character, action, and every how many frames one is taken."""


def write_truth(name: str, action: str, step: int, most: int, path: Path) -> None:
    """Write a character's shape with its bones, and the vertices and bones of each frame."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    compat.import_gltf(DATA / "characters" / name)
    (armature,) = (obj for obj in bpy.data.objects if obj.type == "ARMATURE")
    meshes = [obj for obj in bpy.data.objects if obj.type == "MESH" and obj.vertex_groups]
    for track in armature.animation_data.nla_tracks:
        track.mute = True
    armature.animation_data.action = None
    for bone in armature.pose.bones:
        bone.matrix_basis.identity()
    shown = [snapshots.take(obj) for obj in meshes]
    joined = Snapshot.joined([rest.take_at_rest(obj, one) for obj, one in zip(meshes, shown, strict=True)], name)
    names, shape = posable.read(armature, list(zip(meshes, shown, strict=True)), joined)
    played = next(each for each in bpy.data.actions if each.name == action or each.name.startswith(f"{action}_"))
    armature.animation_data.action = played
    if hasattr(armature.animation_data, "action_slot"):
        armature.animation_data.action_slot = played.slots[0]
    first, last = (int(end) for end in played.frame_range)
    vertices, bones = [], []
    for frame in list(range(first, last + 1, step))[:most]:
        bpy.context.scene.frame_set(frame)
        now = Snapshot.joined([snapshots.take(obj) for obj in meshes], name)
        vertices.append(now.vertices + now.location - joined.location)
        bones.append([np.array(armature.matrix_world @ armature.pose.bones[bone].matrix) for bone in names])
    posed = np.array(bones)
    posed[..., :3, 3] -= joined.location
    fields = {field: getattr(shape, field) for field in ("vertices", "faces", "weights", "rest", "parents", "limits")}
    np.savez(path, true=np.array(vertices), posed=posed, **fields)


def main() -> None:
    """Print a table."""
    most, noise = int(sys.argv[1]), float(sys.argv[2])
    print(f"{os.cpu_count()} cores; at most {most} frames of a clip; noise of anchors {noise:.1%} of the object's size")
    fit = Path(__file__).with_name("video_fits.py")
    with tempfile.TemporaryDirectory() as folder:
        for name, action, step in CLIPS:
            path = Path(folder) / f"{Path(name).stem} {action}.npz"
            write_truth(name, action, step, most, path)
            subprocess.run([os.environ["MESHKIN_WORKER_PYTHON"], fit, path, str(noise), *sys.argv[3:]], check=True)
    sys.stdout.flush()
    os._exit(0)  # some Blender modules hang at Python's own exit


if __name__ == "__main__":
    main()
