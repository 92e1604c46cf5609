"""What was transferred to an object last: how it was asked for, what was there before, and what was made for it.

The record lies on the target, of a character on each of its meshes, and is saved with the file: a custom property has
it as JSON, and another one points to the mesh as it was before (while that is shown: to the mesh with the result).
Transfers that follow from the same source belong to the same record. So the state before can be shown, and transfers
can be done again in place, until the record is discarded.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..base.errors import InputError
from ..base.names import cut
from .arrays import read_integers
from .materials import picture_files
from .mesh import matches
from .mesh.vertex_groups import group_weights
from .objects import remove_material_slot
from .rig import binding

RECORD_PROPERTY = "meshkin_last_transfer"
"""Custom property of a target: the record, as JSON."""
OTHER_MESH_PROPERTY = "meshkin_other_mesh"
"""Custom property of a target: its mesh before the transfer; while that is shown, its mesh with the result."""
MADE_PROPERTY = "meshkin_made"
"""Custom property of what a transfer has made: the record's token."""
MADE_COLLECTIONS = ("objects", "armatures", "hair_curves", "materials", "images", "actions")
"""Collections of ``bpy.data`` in which transfers make something."""


@dataclass
class TransferRecord:
    """The record.

    Attributes:
        sources: the identities of the source's meshes.
        token: marks what was made; the meshes of a character have the same.
        asked: what was transferred and with which options, one after the other.
        groups_before: names of the vertex groups that the target had before, in their order.
        groups_made: names of those that it got.
        slots: names of the materials in its slots after the last of the transfers.
        slots_made: which of these slots it got, from 0.
        shows_before: whether the target shows what it was before.
    """

    sources: list[str]
    token: str
    asked: list[tuple[list[str], dict[str, Any]]] = field(default_factory=list)
    groups_before: list[str] = field(default_factory=list)
    groups_made: list[str] = field(default_factory=list)
    slots: list[str] = field(default_factory=list)
    slots_made: list[int] = field(default_factory=list)
    shows_before: bool = False


def record_of(target: bpy.types.Object, source: bpy.types.Object | None = None) -> TransferRecord | None:
    """The record of a target, if there is one (from this source); fast enough for drawing."""
    text = target.get(RECORD_PROPERTY)
    if not text or target.get(OTHER_MESH_PROPERTY) is None:
        return None
    record = TransferRecord(**json.loads(text))
    return record if source is None or matches.identity(source) in record.sources else None


def check_shows_result(target: bpy.types.Object) -> None:
    """Raise InputError ``before-shown`` if the target shows what it was before a transfer."""
    record = record_of(target)
    if record and record.shows_before:
        raise InputError(
            "before-shown", f"“{target.name}” shows what it was before the last transfer.", "Show the result first."
        )


def with_same_record(target: bpy.types.Object) -> list[bpy.types.Object]:
    """The meshes to which was transferred together with this one, itself included."""
    record = record_of(target)
    if record is None:
        return [target]
    others = ((obj, record_of(obj)) for obj in bpy.data.objects if obj != target and obj.library is None)
    return [target, *(obj for obj, other in others if other and other.token == record.token)]


@contextlib.contextmanager
def recorded(
    sources: Sequence[bpy.types.Object],
    targets: Sequence[bpy.types.Object],
    what: Sequence[str],
    options: Mapping[str, Any],
) -> Iterator[None]:
    """Record what is written to the targets inside the block; if it raises an error, there is no new record.

    Args:
        sources, targets: the objects; of a character all of its meshes.
        what: what is transferred.
        options: with which options, as JSON values.
    """
    for source in sources:
        matches.identify(source)
    begun = [_Begun.of(sources, target) for target in targets]
    for each in begun:
        each.record.token = begun[0].record.token
    before = {block.session_uid for name in MADE_COLLECTIONS for block in getattr(bpy.data, name)}
    try:
        yield
    except BaseException:
        for each in begun:
            if not each.other.users:
                bpy.data.meshes.remove(each.other)
        raise
    for name in MADE_COLLECTIONS:
        for block in getattr(bpy.data, name):
            if block.session_uid not in before and block.library is None:
                block[MADE_PROPERTY] = begun[0].record.token
    for target, each in zip(targets, begun, strict=True):
        each.note(target, what, options)


@dataclass(frozen=True)
class _Begun:
    """A record under way: its mesh before, and the names of slots and groups when it began."""

    record: TransferRecord
    other: bpy.types.Mesh
    slots: list[str]
    groups: list[str]

    @staticmethod
    def of(sources: Sequence[bpy.types.Object], target: bpy.types.Object) -> _Begun:
        """The record of a target that goes on, or a new one."""
        record, other = record_of(target, sources[0]), target.get(OTHER_MESH_PROPERTY)
        if record is None or len(other.vertices) != len(target.data.vertices):
            record = TransferRecord([matches.identity(source) for source in sources], secrets.token_hex(6))
            record.groups_before = [group.name for group in target.vertex_groups]
            other = target.data.copy()
            other.name = cut(f"{target.data.name} before")
        slots = _slot_names(target)
        if slots[: len(record.slots)] != record.slots:
            record.slots_made = []  # they were removed or sorted otherwise since
        return _Begun(record, other, slots, [group.name for group in target.vertex_groups])

    def note(self, target: bpy.types.Object, what: Sequence[str], options: Mapping[str, Any]) -> None:
        """Keep on the target what was written to it."""
        record = self.record
        kept = [([each for each in asked if each not in what], values) for asked, values in record.asked]
        record.asked = [*((asked, values) for asked, values in kept if asked), (list(what), dict(options))]
        record.slots = _slot_names(target)
        record.slots_made += range(len(self.slots), len(record.slots))
        record.groups_made += [group.name for group in target.vertex_groups if group.name not in self.groups]
        old = target.get(OTHER_MESH_PROPERTY)
        target[OTHER_MESH_PROPERTY] = self.other
        target[RECORD_PROPERTY] = json.dumps(asdict(record))
        if old is not None and old != self.other and not old.users:
            bpy.data.meshes.remove(old)


def toggle(target: bpy.types.Object) -> bool:
    """Show what the target was before, or the result again; returns whether the state before is shown now.

    All meshes of a character, and all objects with one of these meshes, show the same. Raises InputError
    ``nothing-transferred``.
    """
    record = record_of(target)
    if record is None:
        raise _nothing(target)
    shows_before = not record.shows_before
    for obj in with_same_record(target):
        if (own := record_of(obj)) and own.shows_before != shows_before:
            _exchange(obj, own)
    return shows_before


def discard(target: bpy.types.Object) -> None:
    """Forget what the target was before, so that its old mesh leaves the file; the result is shown and stays.

    All meshes of a character forget it. Raises InputError ``nothing-transferred``.
    """
    record = record_of(target)
    if record is None:
        raise _nothing(target)
    if record.shows_before:
        toggle(target)
    for obj in with_same_record(target):
        _drop(obj)
    for name in MADE_COLLECTIONS:
        for block in getattr(bpy.data, name):
            if block.library is None and block.get(MADE_PROPERTY) == record.token:
                del block[MADE_PROPERTY]


def _drop(target: bpy.types.Object) -> None:
    """Remove the record of one object, and the mesh that nothing else uses then."""
    other = target.get(OTHER_MESH_PROPERTY)
    for name in (RECORD_PROPERTY, OTHER_MESH_PROPERTY):
        if name in target:
            del target[name]
    if other is not None and not other.users:
        bpy.data.meshes.remove(other)


def _exchange(target: bpy.types.Object, record: TransferRecord) -> None:
    """Show a target's other mesh."""
    shown, other = target.data, target[OTHER_MESH_PROPERTY]
    for obj in [obj for obj in bpy.data.objects if obj.data == shown]:
        obj.data = other
    target[OTHER_MESH_PROPERTY] = shown
    record.shows_before = not record.shows_before
    target[RECORD_PROPERTY] = json.dumps(asdict(record))


@contextlib.contextmanager
def taken_back(source: bpy.types.Object, target: bpy.types.Object) -> Iterator[TransferRecord]:
    """The target as it was before the recorded transfers, inside the block, which does them again.

    What was made since then stays: other groups, keys, slots and attributes. The armature that was made is at rest, so
    that the target is the shape that was matched. If the block raises an error, everything is put back.

    Raises InputError ``nothing-transferred``, ``mesh-changed`` (one of its meshes has other faces now).
    """
    record = record_of(target, source)
    if record is None:
        raise _nothing(target)
    if record.shows_before:
        toggle(target)
        record.shows_before = False
    superseded, targets = _made_blocks(record), with_same_record(target)
    for obj in targets:
        before = obj[OTHER_MESH_PROPERTY]
        if (len(before.vertices), len(before.polygons)) != (len(obj.data.vertices), len(obj.data.polygons)):
            raise InputError("mesh-changed", f"“{obj.name}” has other faces now.", "Transfer to it again.")
    rigs = list(dict.fromkeys(rig for obj in targets for rig in binding.armatures_of(obj)))
    with contextlib.ExitStack() as stack:
        stack.enter_context(_at_rest(rigs, record))
        for obj in targets:
            if own := record_of(obj):
                stack.enter_context(_one_taken_back(obj, own))
        yield record
    _remove_superseded(superseded)


@contextlib.contextmanager
def _one_taken_back(target: bpy.types.Object, record: TransferRecord) -> Iterator[None]:
    """The same of one mesh."""
    before, result = target[OTHER_MESH_PROPERTY], target.data
    working = result.copy()
    name, uids = result.name, (target.session_uid, result.session_uid, working.session_uid)
    target.data = working
    try:
        chosen = _restore_slots(working, before, record)
        if any("weights" in asked and (values.get("mix", 1) < 1 or "mask" in values) for asked, values in record.asked):
            _restore_groups(target, before, record)
        yield
    except BaseException:
        _put(uids[0], uids[1], uids[2])
        raise
    _put(uids[0], uids[2], uids[1])
    if mesh := _by_uid("meshes", uids[2]):
        mesh.name = name
        slots = read_integers(mesh.polygons, "material_index")
        mesh.polygons.foreach_set("material_index", np.where(chosen >= 0, chosen, slots).astype(np.int32))
        mesh.update()


def _put(target_uid: int, mesh_uid: int, other_uid: int) -> None:
    """Give the target and all objects that show another mesh this mesh; remove the other one.

    Nothing is done where one of them is gone: an undo during the work has put everything back already.
    """
    target, mesh, other = _by_uid("objects", target_uid), _by_uid("meshes", mesh_uid), _by_uid("meshes", other_uid)
    if target is None or mesh is None or other is None:
        return
    for obj in [obj for obj in bpy.data.objects if obj.data == other]:
        obj.data = mesh
    target.data = mesh
    if not other.users:
        bpy.data.meshes.remove(other)


def _by_uid(collection: str, uid: int) -> Any:
    return next((block for block in getattr(bpy.data, collection) if block.session_uid == uid), None)


def _restore_slots(working: bpy.types.Mesh, before: bpy.types.Mesh, record: TransferRecord) -> NDArray[np.int32]:
    """Give faces whose slot the transfers have made the slot that they had before, and remove these slots.

    If the slots were sorted otherwise since, they stay as they are.

    Returns:
        int32 (P,), the slots of faces that were given another one since the transfers; -1 for the others.
    """
    names = [material.name if material else "" for material in working.materials]
    now, old = (read_integers(mesh.polygons, "material_index") for mesh in (working, before))
    if not record.slots_made or names[: len(record.slots)] != record.slots:
        return np.full(len(now), -1, np.int32)
    restored = np.where(np.isin(now, record.slots_made), old, now)
    kept = np.ones(max(len(names), int(restored.max(initial=0)) + 1), bool)
    kept[record.slots_made] = False
    for slot in sorted(record.slots_made, reverse=True):
        remove_material_slot(working, slot)
    number = (np.cumsum(kept) - 1).astype(np.int32)
    working.polygons.foreach_set("material_index", number[restored])
    working.update()
    return np.where(np.isin(now, record.slots_made), np.int32(-1), number[now])


def _restore_groups(target: bpy.types.Object, before: bpy.types.Mesh, record: TransferRecord) -> None:
    """Give vertex groups the weights that they had before: none to those that the transfers have made."""
    weights = group_weights(before, len(record.groups_before))
    columns = dict(zip(record.groups_before, weights.T, strict=False))
    everyone = list(range(len(before.vertices)))
    for name in (*record.groups_before, *record.groups_made):
        if group := target.vertex_groups.get(name):
            group.remove(everyone)
            column = columns.get(name, np.zeros(0))
            for vertex in np.flatnonzero(column).tolist():
                group.add((vertex,), float(column[vertex]), "REPLACE")


def _made_blocks(record: TransferRecord) -> list[tuple[str, int, str]]:
    """What the transfers have made beside objects: collection, identity and name of each."""
    return [
        (name, block.session_uid, block.name)
        for name in MADE_COLLECTIONS[1:]
        for block in getattr(bpy.data, name)
        if block.get(MADE_PROPERTY) == record.token
    ]


def _remove_superseded(blocks: Sequence[tuple[str, int, str]]) -> None:
    """Remove those of what was made before that nothing uses any more; what was made instead takes their names, and
    images the place of their files: an undo does not bring files back."""
    for collection, uid, name in blocks:
        block = _by_uid(collection, uid)
        if block is not None and not block.users - block.use_fake_user:
            token = block[MADE_PROPERTY]
            saved = picture_files.SavedPicture.of(block) if collection == "images" else None
            bpy.data.batch_remove([block])
            heirs = [new for new in getattr(bpy.data, collection) if new.get(MADE_PROPERTY) == token]
            for new in [new for new in heirs if new.name != name and _stem(new.name) == _stem(name)][:1]:
                new.name = name
                if collection == "images":
                    picture_files.take_place(new, saved)


@contextlib.contextmanager
def _at_rest(rigs: Sequence[bpy.types.Object], record: TransferRecord) -> Iterator[None]:
    """Show those armatures that were made by the transfers in their rest position. An undo meanwhile does no harm."""
    before = {rig.session_uid: rig.data.pose_position for rig in rigs if rig.get(MADE_PROPERTY) == record.token}
    _pose_armatures(dict.fromkeys(before, "REST"))
    try:
        yield
    finally:
        _pose_armatures(before)


def _pose_armatures(positions: Mapping[int, str]) -> None:
    """Give armatures, by their identity, a pose position; those that were replaced meanwhile have theirs."""
    for uid, position in positions.items():
        if rig := _by_uid("objects", uid):
            rig.data.pose_position = position
    bpy.context.view_layer.update()


def _slot_names(obj: bpy.types.Object) -> list[str]:
    return [material.name if material else "" for material in obj.data.materials]


def _stem(name: str) -> str:
    """A name without the number that Blender gives to a second one."""
    return re.sub(r"\.\d{3,}$", "", name)


def _nothing(target: bpy.types.Object) -> InputError:
    return InputError(
        "nothing-transferred",
        f"Nothing was transferred to “{target.name}” from this source yet.",
        "Press Transfer first.",
    )
