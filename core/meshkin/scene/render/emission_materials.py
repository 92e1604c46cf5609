"""Copies of materials whose shaders emit their own color, so that they look the same from everywhere."""

from __future__ import annotations

import bpy

from ..materials.emission import emission_node

COLOR_INPUTS = ("Base Color", "Color")
"""Names of the input that gives a shader its color."""
UNCHANGED_SHADERS = ("BSDF_TRANSPARENT", "EMISSION")
"""Types of shader nodes that are not replaced."""


def emitting_copy(material: bpy.types.Material, temporary: list[bpy.types.ID]) -> bpy.types.Material:
    """A copy of a material whose shaders emit their color; the copy and its node groups are added to ``temporary``."""
    copy = material.copy()
    temporary.append(copy)
    tree = copy.node_tree
    if tree is None:
        return copy
    _replace_shaders(tree, temporary)
    for node in tree.nodes:
        if node.type == "OUTPUT_MATERIAL":
            for name in ("Volume", "Displacement"):
                for link in list(node.inputs[name].links):
                    tree.links.remove(link)
    return copy


def emits_light(shader: bpy.types.Node) -> bool:
    """Whether a shader with emission inputs (a Principled BSDF) emits light."""
    strength, color = (shader.inputs.get(name) for name in ("Emission Strength", "Emission Color"))
    if strength is None or (not strength.is_linked and strength.default_value == 0):
        return False
    return bool(color.is_linked or any(color.default_value[:3]))


def _replace_shaders(tree: bpy.types.NodeTree, temporary: list[bpy.types.ID]) -> None:
    """Link an Emission in place of each shader in a node tree and in its groups, which become copies."""
    for node in list(tree.nodes):
        if node.type == "GROUP" and node.node_tree:
            node.node_tree = node.node_tree.copy()
            temporary.append(node.node_tree)
            _replace_shaders(node.node_tree, temporary)
            continue
        if not node.outputs or node.outputs[0].type != "SHADER" or node.type in UNCHANGED_SHADERS:
            continue
        color = next((node.inputs[name] for name in COLOR_INPUTS if name in node.inputs), None)
        if color is None:
            continue
        shader = emission_node(tree, color)
        if emits_light(node):
            light = emission_node(tree, node.inputs["Emission Color"], node.inputs["Emission Strength"])
            both = tree.nodes.new("ShaderNodeAddShader")
            tree.links.new(shader.outputs[0], both.inputs[0])
            tree.links.new(light.outputs[0], both.inputs[1])
            shader = both
        for link in list(node.outputs[0].links):
            tree.links.new(shader.outputs[0], link.to_socket)
