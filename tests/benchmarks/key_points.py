"""Key points carried from one character of a kind to others with the same bones: how far from their own joints.

    BLENDER-PYTHON tests/benchmarks/key_points.py TEMPLATE.glb OTHER.glb …

Three kinds of the template's key points, in the rest pose, each beside the same of the other's rig: the *joints*, heads
of bones that have weights; the *centers* of what these bones rule, by weights and areas; the *ends*, those centers of
the last bones of all limbs (paws, tips of ears and tails, fingers). Joints are where artists put them; what bones rule
is seen on the surface. Bones that only control others do not count. An answer is right within 3 % of the height.
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
CONTROLS = re.compile("pole|ik|root|handle")
"""In the names of bones that control others, and lie beside the body."""
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


def ruling(rig: bpy.types.Object, skins: list[bpy.types.Object]) -> list[bpy.types.Bone]:
    """The bones that have weights."""
    groups = {group.name for skin in skins for group in skin.vertex_groups}
    return [bone for bone in rig.data.bones if bone.name in groups and not CONTROLS.search(bone.name.lower())]


def joints(rig: bpy.types.Object, skins: list[bpy.types.Object]) -> dict[str, np.ndarray]:
    """Heads of the bones that have weights, in the world."""
    return {bone.name: np.array(rig.matrix_world @ bone.head_local) for bone in ruling(rig, skins)}


def centers(rig: bpy.types.Object, skins: list[bpy.types.Object]) -> dict[str, np.ndarray]:
    """Centers of the surface that each bone rules, in the world."""
    moments: dict[str, np.ndarray] = {}
    for skin in skins:
        areas = np.zeros(len(skin.data.vertices))
        for polygon in skin.data.polygons:
            areas[list(polygon.vertices)] += polygon.area / len(polygon.vertices)
        names = {group.index: group.name for group in skin.vertex_groups}
        for vertex in skin.data.vertices:
            place = np.array((*(skin.matrix_world @ vertex.co), 1.0))
            for entry in vertex.groups:
                name = names.get(entry.group, "")
                moments[name] = moments.get(name, 0) + entry.weight * areas[vertex.index] * place
    known = {bone.name for bone in ruling(rig, skins)}
    return {name: sums[:3] / sums[3] for name, sums in moments.items() if name in known and sums[3] > 0}


def ends(rig: bpy.types.Object, known: dict[str, np.ndarray]) -> set[str]:
    """The names, of these, of bones after which no other comes."""
    return {name for name in known if not any(child.name in known for child in rig.data.bones[name].children_recursive)}


def named(rig: bpy.types.Object, skins: list[bpy.types.Object]) -> dict[str, dict[str, np.ndarray]]:
    """All kinds of key points."""
    middles = centers(rig, skins)
    last = ends(rig, middles)
    kinds = {"joint": joints(rig, skins), "center": middles, "end": {name: middles[name] for name in last}}
    return {kind: {f"{kind} {name}": place for name, place in own.items()} for kind, own in kinds.items()}


def carried(template: Path, other: Path) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, np.ndarray], float]:
    """The other's own key points, those that were carried to it, and its height."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    source_rig, sources = load(template)
    for own in named(source_rig, sources).values():
        for name, place in own.items():
            empty = bpy.data.objects.new(name, None)
            empty[key_points.NAME_PROPERTY] = name
            bpy.context.scene.collection.objects.link(empty)
            empty.parent = sources[0]
            empty.matrix_parent_inverse = sources[0].matrix_world.inverted()
            empty.location = place.tolist()
    target_rig, targets = load(other)
    finish(workflow.transfer(source_rig, target_rig, ["key_points"]))
    found: dict[str, np.ndarray] = {}
    for target in targets:
        found |= key_points.places(target)
    corners = np.array([target.matrix_world @ vertex.co for target in targets for vertex in target.data.vertices])
    return named(target_rig, targets), found, float(np.ptp(corners[:, 2]))


def main() -> None:
    template, *others = map(Path, sys.argv[1:])
    whole: dict[str, list[float]] = {}
    for other in others:
        began = time.perf_counter()
        known, found, height = carried(template, other)
        said = []
        for kind, own in known.items():
            bare = "" if kind == "end" else ", without fingers"
            errors = {name: float(np.linalg.norm(found[name] - own[name]) / height) for name in own if name in found}
            bodies = [error for name, error in errors.items() if not FINGERS.search(name.lower())]
            whole.setdefault(f"{kind}s", []).extend(errors.values())
            whole.setdefault(f"{kind}s without fingers", []).extend(bodies)
            said.append(f"{kind}s {told(list(errors.values()))}" + (f"{bare} {told(bodies)}" if bare else ""))
        seconds = time.perf_counter() - began
        print(f"{template.stem} to {other.stem}: {'; '.join(said)}; {seconds:.0f} s", flush=True)
    for kind, all_errors in whole.items():
        print(f"{template.stem}, {kind}: {told(all_errors)}", flush=True)


def told(errors: list[float]) -> str:
    """The share of errors that are small, and the median."""
    if not errors:
        return "none"
    near = np.mean(np.array(errors) <= NEAR)
    return f"{near:.0%} of {len(errors)} within 3 %, median {np.median(errors):.1%}"


if __name__ == "__main__":
    main()
