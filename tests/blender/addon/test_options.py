"""The panel's fields and the command line's arguments are the library's options, all of them."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import bpy
import pytest

from meshkin import cli
from meshkin.base.options import options_of
from meshkin.workflow import Options

BUTTONS = {"model", "device", "online", "pairs", "flip", "through", "also", "pose_threshold", "preview"}
BUTTONS |= {"map_names", "maps_steps", "maps_resolution", "maps_seed", "dataset_share"}
BUTTONS |= {
    "pair_count",
    "pair_size",
    "pair_seed",
    "picture_target",
    "picture_model",
    "picture_steps",
    "picture_batch",
    "picture_seed",
}
"""What is not a field of the panel: the preferences or a button set it."""


def every_flat_name() -> set[str]:
    return {option.flat for group in vars(Options()).values() for option in options_of(type(group)).values()}


def test_the_panel_has_a_field_for_each_option(addon: ModuleType) -> None:
    fields = set(bpy.context.scene.meshkin.bl_rna.properties.keys())
    assert every_flat_name() - fields == BUTTONS - {"through"}


def test_untouched_fields_are_the_librarys_defaults(addon: ModuleType) -> None:
    properties = importlib.import_module("blender_addon.base.properties")
    groups = importlib.import_module("blender_addon.main.settings").OPTION_GROUPS
    values: dict[str, Any] = {}
    for group in groups.values():
        values |= properties.values_of(bpy.context.scene.meshkin, group)
    assert values.pop("channels") == options_of(groups["Textures"])["channels"].values  # all of them: what () means
    assert Options().changed(**values) == Options()


@pytest.mark.parametrize(
    ("flat", "field", "value"),
    [
        ("names", "Col, UVMap", ("Col", "UVMap")),
        ("without", "3, 7", (3, 7)),
        ("rings", "0:8, 30:6", ((0.0, 8), (30.0, 6))),
        ("rename", "arm.L = LeftArm", (("arm.L", "LeftArm"),)),
        ("settings", 'steps=20; taps={"s3": 1}', {"steps": 20, "taps": {"s3": 1}}),
        ("style", "DEFAULT", ""),
        ("style", "shading", "shading"),
        ("seed", -1, None),
        ("seed", 7, 7),
    ],
)
def test_fields_are_read_as_values(addon: ModuleType, flat: str, field: Any, value: Any) -> None:
    properties = importlib.import_module("blender_addon.base.properties")
    groups = importlib.import_module("blender_addon.main.settings").OPTION_GROUPS
    setattr(bpy.context.scene.meshkin, flat, field)
    values: dict[str, Any] = {}
    for group in groups.values():
        values |= properties.values_of(bpy.context.scene.meshkin, group)
    assert values[flat] == value


def arguments_of(parser: argparse.ArgumentParser) -> Iterator[str]:
    """The names of the arguments of all commands, also of those within others."""
    for action in parser._actions:
        yield action.dest
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from arguments_of(command)


def test_the_command_line_has_an_argument_for_each_option() -> None:
    assert every_flat_name() - set(arguments_of(cli.parser())) == {"preview", "paint_keep"}


def test_materials_are_left_out_by_toggles(addon: ModuleType) -> None:
    """Each toggle of the panel changes the list that the button passes on; names of other sources are not passed."""
    settings = bpy.context.scene.meshkin
    panel = importlib.import_module("blender_addon.texture.panel")
    bpy.ops.mesh.primitive_cube_add()
    settings.source = bpy.context.object
    for name in ("Hair", "Skin", "Eyes"):
        settings.source.data.materials.append(bpy.data.materials.new(name))
    assert panel.materials(settings.source) == ["Hair", "Skin", "Eyes"]
    assert panel.left_out(settings) == ()
    for name in ("Eyes", "Hair", "Eyes"):
        assert bpy.ops.meshkin.leave_out(material=name) == {"FINISHED"}
    settings.leave_out += ", Hat"
    assert panel.left_out(settings) == ("Hair",)
