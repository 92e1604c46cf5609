"""Weights by the joints of the target's own armature: the source is posed onto them, and its nearest points count."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

from ...base.errors import InputError
from ...base.progress import Progress
from ...data.snapshot import Snapshot
from ...scene.mesh import rest
from ...scene.objects import BlenderObject
from ...scene.rig import armature as armatures
from ..characters import CharacterSnapshot, ObjectSnapshot
from ..joints import Rigged, pose_onto_joints, shared_bones, tell_something
from ..options import Options
from .context import JointMap


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
    shared = shared_bones([source.handle.get()], target.objects(), options.weights.new_names)
    if shared is None or not (shared.is_placed or is_chosen):
        return None
    ends = _unposed(CharacterSnapshot((source,)), shared.source), _unposed(target, shared.target)
    answer = yield from pose_onto_joints(*ends, shared.names, folder)
    return JointMap(answer.map, answer.distance) if is_chosen or tell_something(answer) else None


def check(source: BlenderObject, targets: Sequence[BlenderObject], options: Options) -> None:
    """Raise InputError ``no-joints`` if weights are to follow joints that are not there."""
    if options.weights.method == "joints" and shared_bones([source], targets, options.weights.new_names) is None:
        raise InputError(
            "no-joints",
            f"No armature of its own poses “{targets[0].name}” whose bones are named as those of “{source.name}”.",
            "Transfer the armature first and correct its joints, give the target a copy of it, or choose another "
            "method.",
        )


def _unposed(shape: CharacterSnapshot, armature: BlenderObject) -> Rigged:
    """A character that no armature poses, and the bones at rest; both as shown where modifiers make other vertices."""
    try:
        pieces = [rest.unposed(piece.handle.get(), piece.snapshot) for piece in shape.pieces]
    except InputError:
        return Rigged(shape, shape.snapshot, armatures.read(armature, shape.snapshot.location.tolist()))
    snapshot = Snapshot.joined(pieces, shape.name)
    with armatures.at_rest(armature):
        return Rigged(shape, snapshot, armatures.read(armature, snapshot.location.tolist()))
