"""The source posed until its joints are those of the target's own armature.

An artist who has placed a rig in the target, by hand or by correcting a fitted one, knows better than any match where
its joints are. Weights follow them (:mod:`meshkin.workflow.transfers.joints`), and matches start from them.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..base.progress import Progress
from ..data.snapshot import Snapshot
from ..scene.objects import BlenderObject
from ..scene.rig import armature as armatures
from ..scene.rig import binding, copies
from ..scene.rig import weights as vertex_groups
from ..worker import client
from ..worker.requests.arrays import save_array
from ..worker.requests.rig import BoneArrays, JointArrays, MapByJoints, MapByJointsResult
from .characters import CharacterSnapshot

LEAST_SHARED = 0.5
"""Share of the source's weighted bones that the target's armature must have (chosen)."""
ASTRAY = 0.04
"""Mean distance of the target from the source posed onto its joints, in diagonals, from which these are not in place.
Measured on the 34 pairs of tests/benchmarks/characters.py: up to 0.03 with the artists' joints; 0.02 to 0.13 between
unlike bodies where the source's armature was only scaled and put into the target."""
ARRANGED = 0.01
"""Least change of the joints' arrangement by which they tell what the source's do not, in diagonals; or the target lies
nearer to the source than this. Chosen: an armature that was only duplicated and scaled has nothing to tell."""


@dataclass(frozen=True)
class SharedBones:
    """An armature of the source, and the target's own that has most of its weighted bones.

    Attributes:
        source, target: the armatures.
        names: names of bones that are called otherwise on the target.
    """

    source: BlenderObject
    target: BlenderObject
    names: Mapping[str, str]

    @property
    def is_placed(self) -> bool:
        """Whether somebody may have placed the target's bones: one that was fitted by a match and has not been edited
        since knows nothing more than the match."""
        return not copies.is_as_fitted(self.target)


def shared_bones(
    sources: Sequence[BlenderObject], targets: Sequence[BlenderObject], names: Mapping[str, str]
) -> SharedBones | None:
    """The armatures of two characters that have the most bones in common; None if none has enough.

    Args:
        sources, targets: meshes.
        names: names of bones that are called otherwise on the target.
    """
    own = list(dict.fromkeys(armature for source in sources for armature in binding.armatures_of(source)))
    others = [other for target in targets for other in binding.armatures_of(target) if other not in own]
    groups = {group.name for source in sources for group in source.vertex_groups}
    best, pair = 0, None
    for armature in own:
        bones = [bone.name for bone in armature.data.bones if bone.name in groups]
        for other in dict.fromkeys(others):
            there = sum(names.get(bone, bone) in other.data.bones for bone in bones)
            if there > best and there >= LEAST_SHARED * len(bones) and other.mode != "EDIT":
                best, pair = there, SharedBones(armature, other, names)
    return pair


@dataclass(frozen=True)
class Rigged:
    """A character, and its bones as they pose it.

    Attributes:
        of: the character.
        shape: its vertices and triangles.
        skeleton: the bones, in the frame of the shape.
    """

    of: CharacterSnapshot
    shape: Snapshot
    skeleton: armatures.Skeleton


def at_rest(character: CharacterSnapshot, armature: BlenderObject) -> Rigged:
    """The shape that a match is of, and the bones as they pose it."""
    shape = character.shape
    if not any(piece.is_at_rest for piece in character.pieces):  # modifiers make other vertices as soon as it moves
        return Rigged(character, shape, armatures.read(armature, shape.location.tolist()))
    with armatures.at_rest(armature):
        return Rigged(character, shape, armatures.read(armature, shape.location.tolist()))


def pose_onto_joints(
    source: Rigged, target: Rigged, names: Mapping[str, str], folder: Path
) -> Generator[Progress, None, MapByJointsResult]:
    """Pose the source onto the target's joints; both lie on each other by nearness then.

    Args:
        source, target: the two.
        names: names of bones that are called otherwise on the target.
        folder: for bulk data.
    """
    own = source.skeleton
    columns = {name: column for column, name in enumerate(own.names)}
    weights = [vertex_groups.of_bones(piece.handle.get(), piece.snapshot, columns) for piece in source.of.pieces]
    bones = BoneArrays(own.heads, own.tails, own.axes, own.parents, own.mirror, np.arange(len(own.names)))
    return (
        yield from client.shared().run(
            MapByJoints(
                source=source.shape.save(folder / "source-jointed.npz"),
                target=target.shape.save(folder / "target-jointed.npz"),
                bones=bones.save(folder / "jointed-bones.npz"),
                weights=save_array(folder / "jointed-weights.npy", np.concatenate(weights)),
                joints=_joints(own.names, target.skeleton, names).save(folder / "target-joints.npz"),
                output=folder / "joints-map.npz",
                posed=folder / "posed-onto-joints.npy",
            )
        )
    )


def tell_something(answer: MapByJointsResult) -> bool:
    """Whether the target's joints lie where they should, and otherwise than in a copy of the source's armature."""
    return answer.distance < ASTRAY and (answer.change > ARRANGED or answer.distance < ARRANGED)


def _joints(names: Sequence[str], there: armatures.Skeleton, new_names: Mapping[str, str]) -> JointArrays:
    """Where the bones with these names lie in another skeleton, in which they may be called otherwise."""
    number = {name: index for index, name in enumerate(there.names)}
    place = np.array([number.get(new_names.get(name, name), -1) for name in names], np.int64)
    known = place >= 0
    heads, tails = (np.where(known[:, None], ends[place], 0.0) for ends in (there.heads, there.tails))
    return JointArrays(heads, tails, known)
