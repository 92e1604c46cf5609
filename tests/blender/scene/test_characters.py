"""Which meshes belong to a character, whichever of its objects is picked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bpy
import pytest

from helpers.characters import ball, dressed, rig
from helpers.empty_file import open_empty_file
from meshkin.base.errors import InputError
from meshkin.scene import characters


def names(objects: Sequence[bpy.types.Object]) -> set[str]:
    return {obj.name for obj in objects}


def on_empty(meshes: dict[str, bpy.types.Object], name: str = "root") -> bpy.types.Object:
    """An empty that is the parent of all meshes."""
    empty = bpy.data.objects.new(name, None)
    bpy.context.scene.collection.objects.link(empty)
    for obj in meshes.values():
        obj.parent = empty
    bpy.context.view_layer.update()
    return empty


def in_collection(meshes: dict[str, bpy.types.Object], name: str = "hero") -> bpy.types.Collection:
    """A collection of its own for all meshes."""
    collection = bpy.data.collections.new(name)
    bpy.context.scene.collection.children.link(collection)
    for obj in meshes.values():
        for each in obj.users_collection:
            each.objects.unlink(obj)
        collection.objects.link(obj)
    bpy.context.view_layer.update()
    return collection


WHOLE = {"body", "coat", "eye.L", "eye.R"}


@pytest.mark.parametrize("by", ["rig", "modifier", "empty", "rig on empty", "collection"])
def test_any_object_stands_for_its_character(by: str) -> None:
    """A second character beside it, and a floor under both, are none of it."""
    meshes, others = dressed(), dressed("other ", 6.0)
    bpy.ops.mesh.primitive_plane_add(size=20, location=(0, 0, -1))
    picks: list[characters.Picked] = list(meshes.values())
    if "rig" in by:
        armature = rig("rig", meshes)
        rig("other rig", others, 6.0)
        picks.append(armature)
        if by == "rig on empty":
            empty = bpy.data.objects.new("all characters", None)
            bpy.context.scene.collection.objects.link(empty)
            armature.parent = bpy.data.objects["other rig"].parent = empty
    elif by == "modifier":
        armature = rig("rig", meshes)
        rig("other rig", others, 6.0)
        for obj in meshes.values():
            obj.parent = None
            if not obj.modifiers:
                obj.modifiers.new("Armature", "ARMATURE").object = armature
        picks.append(armature)
    elif by == "empty":
        picks.append(on_empty(meshes))
        on_empty(others, "other root")
    else:
        picks.append(in_collection(meshes))
        in_collection(others, "other hero")
    for picked in picks:
        assert names(characters.members(picked, others["body"])) == WHOLE
        pair = characters.pair(picked, others["L"])
        assert names(pair.sources) == WHOLE
        assert names(pair.targets) == {f"other {name}" for name in WHOLE}


def test_two_characters_in_one_collection_are_told_apart_by_place() -> None:
    meshes, others = dressed(), dressed("other ", 6.0)
    in_collection({**meshes, **{f"other {name}": obj for name, obj in others.items()}}, "Collection")
    bpy.ops.mesh.primitive_plane_add(size=20, location=(0, 0, -1))
    assert names(characters.members(meshes["coat"])) == WHOLE


def test_helpers_do_not_belong() -> None:
    meshes = dressed()
    armature = rig("rig", meshes)
    helpers = {
        name: ball(name, 0.5, (0, 0, 0))
        for name in ("widget", "UCX_body_00", "proxy", "cage", "hidden", "body-colonly")
    }
    bpy.ops.rigidbody.world_add()
    bpy.context.view_layer.objects.active = helpers["proxy"]
    bpy.ops.rigidbody.object_add()
    for obj in helpers.values():
        obj.parent = armature
    armature.pose.bones["head"].custom_shape = helpers["widget"]
    helpers["cage"].display_type = "WIRE"
    helpers["hidden"].hide_render = True
    empty_mesh = bpy.data.objects.new("points", bpy.data.meshes.new("points"))
    bpy.context.scene.collection.objects.link(empty_mesh)
    empty_mesh.parent = armature
    assert names(characters.candidates(armature)) == WHOLE
    assert names(characters.members(helpers["cage"])) == {*WHOLE, "cage"}  # what was picked itself always does


def test_hidden_meshes_take_part_only_if_the_picked_is_hidden() -> None:
    meshes = dressed()
    armature = rig("rig", meshes)
    meshes["coat"].hide_set(True)
    assert names(characters.candidates(armature)) == WHOLE
    assert names(characters.members(meshes["body"])) == WHOLE - {"coat"}
    assert names(characters.members(meshes["coat"])) == WHOLE


def test_linked_meshes_belong(tmp_path: Path) -> None:
    meshes = dressed()
    armature = rig("rig", meshes)
    file = tmp_path / "library.blend"
    bpy.data.libraries.write(str(file), {armature, *meshes.values()})
    open_empty_file()
    with bpy.data.libraries.load(str(file), link=True) as (present, wanted):
        wanted.objects = list(present.objects)
    for obj in wanted.objects:
        bpy.context.scene.collection.objects.link(obj)
    assert names(characters.members(bpy.data.objects["eye.L"])) == WHOLE


def test_of_one_character_each_mesh_stands_for_itself() -> None:
    meshes = dressed()
    armature = rig("rig", meshes)
    pair = characters.pair(meshes["body"], meshes["coat"])
    assert (names(pair.sources), names(pair.targets)) == ({"body"}, {"coat"})
    pair = characters.pair(armature, meshes["coat"])
    assert (names(pair.sources), names(pair.targets)) == (WHOLE - {"coat"}, {"coat"})


def test_a_rig_without_meshes_is_told() -> None:
    meshes = dressed()
    armature = rig("rig", meshes)
    for obj in meshes.values():
        bpy.data.objects.remove(obj)
    with pytest.raises(InputError, match="rig") as raised:
        characters.members(armature)
    assert raised.value.code == "not-a-surface"


def test_two_characters_are_selected() -> None:
    """Any of their objects; the active one is of the target."""
    meshes, others = dressed(), dressed("other ", 6.0)
    rig("rig", meshes)
    rig("other rig", others, 6.0)
    layer = bpy.context.view_layer

    def select(active: bpy.types.Object, *more: bpy.types.Object) -> None:
        for obj in bpy.context.scene.objects:
            obj.select_set(obj in (active, *more))
        layer.objects.active = active

    select(others["R"], bpy.data.objects["rig"], meshes["coat"])
    pair = characters.selected_pair(bpy.context)
    assert pair is not None
    assert names(characters.members(pair[0], pair[1])) == WHOLE
    assert pair[1] == others["R"]
    select(others["coat"], others["body"])
    assert characters.selected_pair(bpy.context) == (others["body"], others["coat"])
    select(others["R"], others["coat"], others["body"])
    assert characters.selected_pair(bpy.context) is None
    select(others["R"], meshes["body"], ball("third", 1, (0, 9, 0)))
    assert characters.selected_pair(bpy.context) is None
