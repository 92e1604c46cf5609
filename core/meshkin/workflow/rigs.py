"""Armatures and poses: an armature from groups, another armature's motion, another object's pose."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.errors import InputError
from ..base.progress import Progress
from ..scene.mesh import payloads as written
from ..scene.mesh import snapshot as snapshots
from ..scene.objects import Handle
from ..scene.rig import armature as armatures
from ..scene.rig import motion as motions
from ..scene.rig import weights
from ..worker import client
from .files import arrays, job_folder, save
from .matching import find_match
from .options import Job, Options, Report

if TYPE_CHECKING:
    import bpy


def build_armature(obj: bpy.types.Object, options: Options = Options()) -> Job:
    """Make an armature from the object's vertex groups alone, and let it pose the object.

    ``options.groups`` and ``options.pattern`` choose the groups.
    Raises InputError ``no-groups``, ``no-weights`` (no group rules enough vertices), bad meshes; WorkerError.
    """
    snapshots.check_writable(obj)
    chosen = weights.chosen_groups(obj, options.groups, options.pattern)
    handle = Handle.of(obj)
    with job_folder() as folder:
        snapshot = snapshots.take(obj).check()
        snapshot.save(folder / "target.npz")
        names, values = weights.read(obj, snapshot, chosen)
        save(folder / "groups.npy", values)
        arguments = {"target": str(folder / "target.npz"), "weights": str(folder / "groups.npy")}
        result = yield from client.shared().run("skeleton", {**arguments, "output": str(folder / "skeleton.npz")})
        found = arrays(Path(result["output"]))
        snapshots.check_unchanged(handle.get(), snapshot)
        called = [names[column] for column in found["column"]]
        places = found["heads"] + snapshot.location, found["tails"] + snapshot.location
        armature = armatures.build(handle.get(), f"{handle.name} bones", called, *places, found["parents"].tolist())
        said = armatures.attach(handle.get(), armature, handle.get())
    left = [name for name in names if name not in called]
    if left:
        said.append(f"Groups that rule too few vertices to be bones: {', '.join(left)}.")
    return Report(f"“{armature.name}” was built of {len(called)} vertex groups.", said, {"armature": armature.name})


def motion(source: bpy.types.Object, target: bpy.types.Object) -> Job:
    """Let the target's armature play what the source's plays, keyed on every frame.

    Args:
        source, target: armatures, or meshes that armatures pose, with bones of the same names.

    Raises InputError ``no-armature``, ``no-bones``, ``armature-edited``, ``same-object``, ``no-action``,
    ``bones-differ``.
    """
    one, two = (obj if obj.type == "ARMATURE" else armatures.check(obj) for obj in (source, target))
    if one == two:
        raise InputError("same-object", f"“{one.name}” poses both already.", "Fit an armature to the target first.")
    frames = motions.action_frames(one)
    before = two.animation_data.action if two.animation_data else None
    muted = [constraint for bone in two.pose.bones for constraint in bone.constraints if not constraint.mute]
    done = False
    try:
        for share in motions.retarget(one, two, frames, f"{one.animation_data.action.name} on {two.name}"):
            yield Progress("Keying the motion", share)
        done = True
    finally:
        if not done:
            _take_motion_back(two, before, muted)
    said = [f"Frames {frames[0]} to {frames[-1]}."]
    if muted:
        said.append(f"{len(muted)} constraints of “{two.name}” were muted: the keys hold what they would do.")
    return Report(f"“{two.name}” moves as “{one.name}” does.", said, {"action": two.animation_data.action.name})


def _take_motion_back(armature: bpy.types.Object, action: bpy.types.Action | None, muted: list[Any]) -> None:
    made = armature.animation_data.action if armature.animation_data else None
    if made is not None and made != action:
        armature.animation_data.action = action
        motions.remove_action(made)
    for constraint in muted:
        constraint.mute = False


def pose(source: bpy.types.Object, target: bpy.types.Object, options: Options = Options()) -> Job:
    """Bring the target into the pose that the source has now, without any rig, as a new shape key that is switched on.

    Its other shape keys stay. ``options.threshold`` is the confidence from which the map is relied on.
    ``data["shape_key"]`` is the key's name. Raises as :func:`match`.
    """
    snapshots.check_writable(target)
    with job_folder() as folder:
        made = yield from find_match(Handle.of(source), Handle.of(target), options, folder)
        one, two = made.source, made.target
        own = snapshots.own_mesh_in_place(two.handle.get(), two.snapshot)
        one.snapshot.save(folder / "source.npz")
        own.save(folder / "own.npz")
        save(folder / "original.npy", two.snapshot.original)
        arguments = {"map": made.map, "threshold": options.threshold, "output": str(folder / "posed.npz")}
        arguments |= {name: str(folder / f"{name}.npz") for name in ("source", "own")}
        result = yield from client.shared().run("pose", {**arguments, "original": str(folder / "original.npy")})
        found = arrays(Path(result["output"]))
        obj = two.handle.get()
        snapshots.check_writable(obj)
        snapshots.check_unchanged(obj, two.snapshot)
        offsets = found["vertices"].astype(np.float64) - own.vertices
        said = [written.write_shape_key(obj, f"Pose of {one.handle.name}", offsets, value=1.0)]
        made.remember()
    said.append(
        f"The match was relied on at {found['known'].mean():.0%} of the vertices; "
        f"edges became {float(found['stretch']):.1%} longer or shorter on average."
    )
    if rig := weights.armature_of(obj):
        said.append(f"“{rig.name}” poses “{obj.name}” on top of that: put it into its rest pose to see the key alone.")
    return Report(
        f"“{obj.name}” stands as “{one.handle.name}” does.",
        said,
        {"map": made.map, "shape_key": obj.data.shape_keys.key_blocks[-1].name, "stretch": float(found["stretch"])},
    )
