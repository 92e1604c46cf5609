"""Key points carried from one character of a kind to others with the same bones: how far from their own joints.

    BLENDER-PYTHON tests/benchmarks/key_points.py TEMPLATE.glb OTHER.glb …

The template's key points are the heads of its bones that have weights, in the rest pose. An answer is right within
3 % of the other's height of the bone of the same name there.
"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import bpy
import numpy as np

from meshkin import workflow
from meshkin.base.progress import finish
from meshkin.scene import compat
from meshkin.scene.dataset import key_points

NEAR = 0.03
"""Share of the height within which an answer is right: the specification's."""
FINGERS = re.compile("thumb|index|middle|ring|pinky|finger|toe")
"""In the names of bones of fingers and toes."""


def load(path: Path) -> tuple[bpy.types.Object, list[bpy.types.Object]]:
    """A character at rest: its armature and its meshes."""
    before = set(bpy.data.objects)
    compat.import_gltf(path)
    new = [obj for obj in bpy.data.objects if obj not in before]
    rig = next(obj for obj in new if obj.type == "ARMATURE")
    rig.data.pose_position = "REST"
    rig.animation_data_clear()
    bpy.context.view_layer.update()
    skins = [obj for obj in new if obj.type == "MESH" and any(each.type == "ARMATURE" for each in obj.modifiers)]
    return rig, skins


def joints(rig: bpy.types.Object, skins: list[bpy.types.Object]) -> dict[str, np.ndarray]:
    """Heads of the bones that have weights, in the world."""
    groups = {group.name for skin in skins for group in skin.vertex_groups}
    return {bone.name: np.array(rig.matrix_world @ bone.head_local) for bone in rig.data.bones if bone.name in groups}


def main() -> None:
    template, *others = map(Path, sys.argv[1:])
    all_near: list[bool] = []
    bodies: list[bool] = []
    for other in others:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        source_rig, sources = load(template)
        for name, place in joints(source_rig, sources).items():
            empty = bpy.data.objects.new(name, None)
            empty[key_points.NAME_PROPERTY] = name
            bpy.context.scene.collection.objects.link(empty)
            empty.parent = sources[0]
            empty.matrix_parent_inverse = sources[0].matrix_world.inverted()
            empty.location = place.tolist()
        target_rig, targets = load(other)
        began = time.perf_counter()
        finish(workflow.transfer(source_rig, target_rig, ["key_points"]))
        seconds = time.perf_counter() - began
        found: dict[str, np.ndarray] = {}
        for target in targets:
            found |= key_points.places(target)
        known = joints(target_rig, targets)
        corners = np.array([target.matrix_world @ vertex.co for target in targets for vertex in target.data.vertices])
        height = float(np.ptp(corners[:, 2]))
        names = [name for name in known if name in found]
        errors = np.array([np.linalg.norm(found[name] - known[name]) / height for name in names])
        is_body = np.array([not FINGERS.search(name.lower()) for name in names])
        bodies += (errors[is_body] <= NEAR).tolist()
        all_near += (errors <= NEAR).tolist()
        print(
            f"{template.stem} to {other.stem}: {np.mean(errors <= NEAR):.0%} of {len(errors)} within 3 %,"
            f" without fingers {np.mean(errors[is_body] <= NEAR):.0%} of {is_body.sum()},"
            f" median {np.median(errors):.1%}, {seconds:.0f} s",
            flush=True,
        )
    print(
        f"{template.stem}: {np.mean(all_near):.0%} of {len(all_near)}, without fingers {np.mean(bodies):.0%}",
        flush=True,
    )


if __name__ == "__main__":
    main()
