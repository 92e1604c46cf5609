"""Armatures and poses: an armature from groups, another armature's motion, another object's pose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..base.errors import InputError
from ..base.names import cut
from ..base.progress import in_step
from ..data.snapshot import Snapshot
from ..data.surface_map import Match
from ..scene import characters
from ..scene.characters import Picked
from ..scene.mesh import rest, shape_keys, surfaces
from ..scene.mesh import snapshot as snapshots
from ..scene.objects import BlenderObject, Handle
from ..scene.rig import armature as armatures
from ..scene.rig import binding, weights
from ..scene.rig import motion as motions
from ..worker import client
from ..worker.requests.arrays import save_array
from ..worker.requests.rig import ExtractSkeleton, PosedArrays, PoseShape, SkeletonArrays
from .characters import CharacterSnapshot, split
from .doubts import confidence_sentence, fold_warnings, match_data, match_remarks
from .files import work_folder
from .matching import find_match, matched_meshes
from .options import Options, Remark, Report, Steps
from .steps import POSE, POSE_SECONDS, match_costs
from .whole_job import whole_job


def build_armature(obj: BlenderObject, options: Options = Options()) -> Steps:
    """Make an armature from the object's vertex groups alone, and let it pose the object.

    ``options.weights.groups`` and ``options.weights.pattern`` choose the groups.
    Raises InputError ``no-groups``, ``no-weights`` (no group rules enough vertices), bad meshes; WorkerError.
    """
    snapshots.check_writable(obj)
    chosen = weights.chosen_groups(obj, options.weights.groups, options.weights.pattern)
    handle = Handle.of(obj)
    with work_folder() as folder:
        snapshot = surfaces.take_checked(obj)
        surfaces.check_own(obj, snapshot)
        unposed = rest.unposed(obj, snapshot)  # the new armature takes the place of one that poses the object
        names, values = weights.read(obj, snapshot, chosen)
        extracted = yield from client.shared().run(
            ExtractSkeleton(
                unposed.save(folder / "shape.npz"),
                save_array(folder / "groups.npy", values),
                folder / "skeleton.npz",
            )
        )
        skeleton = SkeletonArrays.load(extracted.arrays)
        snapshots.check_unchanged(handle.get(), snapshot)
        bones = [names[column] for column in skeleton.column]
        armature = armatures.build(
            handle.get(),
            f"{handle.name} bones",
            bones,
            skeleton.heads + snapshot.location,
            skeleton.tails + snapshot.location,
            skeleton.parents.tolist(),
        )
        before = binding.armatures_of(handle.get())
        details = binding.posing([armature], [handle.get()])
        details += binding.attach(handle.get(), [armature], handle.get())
        details += binding.leave(binding.replaced(handle.get(), before), armature)
    left_out = [name for name in names if name not in bones]
    if left_out:
        details.append(f"Groups that rule too few vertices to be bones: {', '.join(left_out)}.")
    return Report(f"“{armature.name}” was built of {len(bones)} vertex groups.", details, {"armature": armature.name})


def motion(source: Picked, target: Picked, options: Options = Options()) -> Steps:
    """Let the target's armature play what the source's plays, keyed on every frame.

    Args:
        source, target: armatures, or what has a mesh that one poses, with bones of the same names.
        options: ``weights.rename`` is a table of the names of bones that differ.

    Raises InputError ``no-armature``, ``no-bones``, ``armature-edited``, ``same-object``, ``no-action``,
    ``bones-differ``.
    """
    leader, follower = (characters.rig_of(picked) for picked in (source, target))
    if leader == follower:
        raise InputError("same-object", f"“{leader.name}” poses both already.", "Fit an armature to the target first.")
    pairs = motions.bone_pairs(leader, follower, options.weights.new_names)
    played = motions.played(leader)
    frames = played.frames
    action_before = follower.animation_data.action if follower.animation_data else None
    constraints = [limit for bone in follower.pose.bones for limit in bone.constraints if not limit.mute]
    done = False
    try:
        name = f"{played.name} on {follower.name}"
        turned = round((yield from motions.retarget(leader, follower, pairs, frames, name)))
        done = True
    finally:
        if not done:
            motions.undo_retarget(follower, action_before, constraints)
    details = [f"Frames {frames[0]} to {frames[-1]}, {len(pairs)} bones."]
    if turned:
        details.append(f"“{follower.name}” rests turned by {turned}° from “{leader.name}”: its motion is turned, too.")
    if still := [bone.name for bone in follower.data.bones if bone.name not in pairs]:
        details.append(f"“{leader.name}” has no bones for {', '.join(still)}.")
    if constraints:
        details.append(
            f"{len(constraints)} constraints of “{follower.name}” were muted: the keys hold what they would do."
        )
    data = {"action": follower.animation_data.action.name}
    return Report(f"“{follower.name}” moves as “{leader.name}” does.", details, data)


def pose(source: Picked, target: Picked, options: Options = Options()) -> Steps:
    """Bring the target into the pose that the source has now, without any rig, as a new shape key that is switched on.

    Its other shape keys stay. The key is of its shape at rest: Armature modifiers that pose it otherwise are switched
    off. Each mesh of a character gets the key. ``options.rig.threshold`` is the confidence from which the map is relied
    on. ``data["shape_key"]`` is the key's name. Raises as :func:`match`.
    """
    ends = matched_meshes(source, target, options)
    for handle in ends[1]:
        snapshots.check_writable(handle.get())
        surfaces.check_own(handle.get(), surfaces.take_checked(handle.get()))
    costs = {**match_costs(ends[0][0], ends[1][0], options), POSE: POSE_SECONDS}
    return (yield from whole_job(_pose(*ends, options), costs))


def _pose(sources: tuple[Handle, ...], targets: tuple[Handle, ...], options: Options) -> Steps:
    with work_folder() as folder:
        matched = yield from find_match(sources, targets, options, folder)
        character = matched.target.of
        key = cut(f"Pose of {matched.source.of.handle.name}")
        own = Snapshot.joined(
            [rest.own_mesh_unposed(piece.handle.get(), piece.snapshot, without=key) for piece in character.pieces]
        )
        request = PoseShape(
            source=matched.source.of.snapshot.save(folder / "source.npz"),
            own=own.save(folder / "own.npz"),
            original=save_array(folder / "original.npy", character.snapshot.original),
            map=matched.map,
            threshold=options.rig.threshold,
            output=folder / "posed.npz",
        )
        posed = yield from in_step(POSE, client.shared().run(request))
        arrays = PosedArrays.load(posed.arrays, W=len(own.vertices))
        for handle in targets:
            snapshots.check_writable(handle.get())
        character.check_unchanged()
        offsets = arrays.vertices.astype(np.float64) - own.vertices
        details = _write_pose(character, key, offsets)
        matched.remember()
        maps = Match.load(matched.map)
    details += fold_warnings({"The pose": posed.folded})
    details.append(
        f"The match was relied on at {arrays.known.mean():.0%} of the vertices; "
        f"edges became {posed.stretch:.1%} longer or shorter on average."
    )
    for obj in character.objects():
        if rig := binding.armature_of(obj) if rest.is_posed(obj, snapshots.take(obj)) else None:
            details.append(f"“{rig.name}” poses “{obj.name}” on top of that: put it into its rest pose.")
    return Report.of(
        f"“{character.name}” stands as “{matched.source.of.name}” does.",
        [*details, confidence_sentence(maps), *match_remarks(maps)],
        {
            **match_data(matched.map, maps),
            "shape_key": key,
            "stretch": posed.stretch,
        },
    )


def _write_pose(character: CharacterSnapshot, key: str, offsets: NDArray[np.float64]) -> list[Remark]:
    """Give each mesh of a character its part of the offsets (W, 3) as a shape key, and let no armature pose it."""
    remarks: list[Remark] = []
    counts = [len(piece.snapshot.original) for piece in character.pieces]
    for piece, moved in zip(character.pieces, split(offsets, counts), strict=True):
        obj = piece.handle.get()
        is_posed = rest.is_posed(obj, piece.snapshot)
        remarks.append(shape_keys.write(obj, key, moved, value=1.0))
        if is_posed:
            remarks += binding.stop_posing(obj)
    return remarks
