"""Weights by the joints of the target's own armature: the source is posed onto them, and its nearest points count.

An artist who has placed a rig in the target, by hand or by correcting a fitted one, knows better than any match where
its joints are.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ...base.errors import InputError
from ...base.progress import Progress
from ...data.snapshot import Snapshot
from ...scene.mesh import rest
from ...scene.objects import BlenderObject
from ...scene.rig import armature as armatures
from ...scene.rig import binding, copies
from ...worker import client
from ...worker.requests.rig import JointArrays, MapByJoints
from ..characters import CharacterSnapshot, ObjectSnapshot
from ..options import Options
from .context import JointMap
from .skeletons import BONE_WEIGHTS, save_bones

LEAST_SHARED = 0.5
"""Share of the source's weighted bones that the target's armature must have (chosen)."""
ASTRAY = 0.04
"""Mean distance of the target from the source posed onto its joints, in diagonals, from which these are not in place.
Measured on the 34 pairs of tests/benchmarks/characters.py: up to 0.03 with the artists' joints; 0.02 to 0.13 between
unlike bodies where the source's armature was only scaled and put into the target."""
ARRANGED = 0.01
"""Least change of the joints' arrangement by which they tell what the source's do not, in diagonals; or the target lies
nearer to the source than this. Chosen: an armature that was only duplicated and scaled has nothing to tell."""


def find_map(
    source: ObjectSnapshot, target: CharacterSnapshot, what: Sequence[str], options: Options, folder: Path
) -> Generator[Progress, None, JointMap | None]:
    """The map by which weights follow the target's joints; None if they do not.

    They do if it is chosen so; automatically, if somebody has placed the joints: an armature that was fitted by a match
    and has not been edited since knows nothing more than the match, one that is about to be fitted anew nothing at all.

    Args:
        source, target: the two shapes.
        what: is transferred.
        options: method, and the names of bones that are called otherwise on the target.
        folder: for bulk data.
    """
    is_chosen = options.weights.method == "joints"
    may_be = (options.weights.method, options.weights.nearness) == ("auto", "auto") and "armature" not in what
    if "weights" not in what or not (is_chosen or may_be):
        return None
    names = options.weights.new_names
    shared = _shared(source.handle.get(), target.objects(), names)
    if shared is None or (copies.is_as_fitted(shared[1]) and not is_chosen):
        return None
    armature, other = shared
    own, skeleton = _unposed(CharacterSnapshot((source,)), armature)
    shape, there = _unposed(target, other)
    answer = yield from client.shared().run(
        MapByJoints(
            source=own.save(folder / "source-unposed.npz"),
            target=shape.save(folder / "target-unposed.npz"),
            bones=save_bones(source, skeleton, folder),
            weights=folder / BONE_WEIGHTS,
            joints=_joints(skeleton.names, there, names).save(folder / "target-joints.npz"),
            output=folder / "joints-map.npz",
        )
    )
    tells = answer.distance < ASTRAY and (answer.change > ARRANGED or answer.distance < ARRANGED)
    return JointMap(answer.map, answer.distance) if is_chosen or tells else None


def check(source: BlenderObject, targets: Sequence[BlenderObject], options: Options) -> None:
    """Raise InputError ``no-joints`` if weights are to follow joints that are not there."""
    if options.weights.method == "joints" and _shared(source, targets, options.weights.new_names) is None:
        raise InputError(
            "no-joints",
            f"No armature of its own poses “{targets[0].name}” whose bones are named as those of “{source.name}”.",
            "Transfer the armature first and correct its joints, give the target a copy of it, or choose another "
            "method.",
        )


def _shared(
    source: BlenderObject, targets: Sequence[BlenderObject], names: Mapping[str, str]
) -> tuple[BlenderObject, BlenderObject] | None:
    """An armature of the source, and the target's own that has most of its weighted bones; None if none has enough."""
    own = binding.armatures_of(source)
    others = [other for target in targets for other in binding.armatures_of(target) if other not in own]
    best, pair = 0, None
    for armature in own:
        bones = [bone.name for bone in armature.data.bones if bone.name in source.vertex_groups]
        for other in dict.fromkeys(others):
            there = sum(names.get(bone, bone) in other.data.bones for bone in bones)
            if there > best and there >= LEAST_SHARED * len(bones) and other.mode != "EDIT":
                best, pair = there, (armature, other)
    return pair


def _unposed(shape: CharacterSnapshot, armature: BlenderObject) -> tuple[Snapshot, armatures.Skeleton]:
    """A character that no armature poses, and the bones at rest; both as shown where modifiers make other vertices."""
    try:
        pieces = [rest.unposed(piece.handle.get(), piece.snapshot) for piece in shape.pieces]
    except InputError:
        return shape.snapshot, armatures.read(armature, shape.snapshot.location.tolist())
    snapshot = Snapshot.joined(pieces, shape.name)
    with armatures.at_rest(armature):
        return snapshot, armatures.read(armature, snapshot.location.tolist())


def _joints(names: Sequence[str], there: armatures.Skeleton, new_names: Mapping[str, str]) -> JointArrays:
    """Where the bones with these names lie in another skeleton, in which they may be called otherwise."""
    number = {name: index for index, name in enumerate(there.names)}
    place = np.array([number.get(new_names.get(name, name), -1) for name in names], np.int64)
    known = place >= 0
    heads, tails = (np.where(known[:, None], ends[place], 0.0) for ends in (there.heads, there.tails))
    return JointArrays(heads, tails, known)
