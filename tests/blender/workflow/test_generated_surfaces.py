"""Objects whose surface Geometry Nodes make: what cannot be written to them is refused before any work."""

from __future__ import annotations

import bpy
import pytest

from helpers.creatures import creature
from helpers.main_job import MATCHED, paint, refused
from meshkin import workflow
from meshkin.base.errors import InputError
from meshkin.base.progress import finish
from meshkin.scene.mesh import surfaces


def add_nodes(obj: bpy.types.Object, shown: bpy.types.Object | None, instances: bool = False) -> None:
    """Let Geometry Nodes show another object, or without one, the object itself moved up."""
    tree = bpy.data.node_groups.new("nodes", "GeometryNodeTree")
    for way in ("INPUT", "OUTPUT"):
        tree.interface.new_socket("Geometry", in_out=way, socket_type="NodeSocketGeometry")
    end = tree.nodes.new("NodeGroupOutput")
    if shown:
        node = tree.nodes.new("GeometryNodeObjectInfo")
        node.inputs["Object"].default_value, node.inputs["As Instance"].default_value = shown, instances
    else:
        node = tree.nodes.new("GeometryNodeSetPosition")
        node.inputs["Offset"].default_value = (0, 0, 1)
        tree.links.new(node.inputs["Geometry"], tree.nodes.new("NodeGroupInput").outputs["Geometry"])
    tree.links.new(end.inputs["Geometry"], node.outputs["Geometry"])
    obj.modifiers.new("nodes", "NODES").node_group = tree
    bpy.context.view_layer.update()


def empty_mesh(name: str) -> bpy.types.Object:
    obj = bpy.data.objects.new(name, bpy.data.meshes.new(name))
    bpy.context.scene.collection.objects.link(obj)
    return obj


def test_a_target_that_nodes_make() -> None:
    """From nothing, or from a cube that they throw away: each job that would write to it says what to do."""
    source, shown, empty = (
        creature("source", subdivisions=3),
        creature("shown", 1.1, subdivisions=3),
        empty_mesh("none"),
    )
    paint(source)
    bpy.ops.mesh.primitive_cube_add(size=0.2)
    cube = bpy.context.view_layer.objects.active
    for obj in (empty, cube):
        add_nodes(obj, shown)
        for what in ("weights", "texture", "attributes"):
            refused(workflow.transfer(source, obj, [what], MATCHED), InputError, "mesh-generated")
        refused(workflow.pose(source, obj, MATCHED), InputError, "mesh-generated")
    report = finish(workflow.transfer(source, shown, ["weights"], MATCHED.changed(also=(cube,))))
    assert [warning.code for warning in report.warnings if "cube" in warning.message.lower()] == ["mesh-generated"]


def test_an_object_that_shows_only_instances() -> None:
    source, shown, empty = creature("source", subdivisions=3), creature("shown", subdivisions=3), empty_mesh("none")
    paint(source)
    add_nodes(empty, shown, instances=True)
    refused(workflow.transfer(source, empty, ["weights"], MATCHED), InputError, "only-instances")
    refused(workflow.match(source, empty, MATCHED), InputError, "only-instances")
    placed = bpy.data.objects.new("placed", None)
    bpy.context.scene.collection.objects.link(placed)
    placed.instance_type, placed.instance_collection = "COLLECTION", bpy.data.collections.new("characters")
    with pytest.raises(InputError, match="Make Instances Real") as raised:
        finish(workflow.match(placed, source, MATCHED))
    assert raised.value.code == "not-a-surface"
    with pytest.raises(InputError, match="Make Instances Real") as raised:
        finish(workflow.transfer(source, placed, ["weights"], MATCHED))
    assert raised.value.code == "not-a-surface"


def test_nodes_and_modifiers_that_keep_the_surface() -> None:
    """Nodes that move the own mesh, and a new surface at the same place, can be written to."""
    for change in ("nodes", "REMESH"):
        obj = creature(change, subdivisions=4)
        if change == "nodes":
            add_nodes(obj, None)
        else:
            remesh = obj.modifiers.new("remesh", "REMESH")
            remesh.mode, remesh.voxel_size = "VOXEL", 0.1
        surfaces.check_own(obj, surfaces.take_checked(obj))
