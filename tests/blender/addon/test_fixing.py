"""The buttons that do a transfer again in place, and that show what was there before."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np

from helpers.creatures import add_height_values, creature, vertex_positions
from meshkin.scene import last_transfer
from meshkin.scene.mesh import matches, pairs


def pair() -> tuple[bpy.types.Object, bpy.types.Object]:
    """Two creatures with weights on the first, picked as source and target."""
    bpy.context.preferences.addons["blender_addon"].preferences.worker_python = os.environ["MESHKIN_WORKER_PYTHON"]
    source, target = creature("source", subdivisions=3), creature("target", 1.3, subdivisions=3)
    target.location.x = 5
    add_height_values(source)
    settings = bpy.context.scene.meshkin
    settings.source, settings.target, settings.features = source, target, "geometric"
    settings.nearness, settings.kinds = "never", {"weights", "attributes"}
    bpy.context.view_layer.update()
    bpy.ops.ed.undo_push(message="The pair")
    return source, target


def run(name: str, **settings: Any) -> None:
    """Press a button, with its undo step."""
    assert getattr(bpy.ops.meshkin, name)("EXEC_DEFAULT", True, **settings) == {"FINISHED"}


def lower() -> list[float]:
    """The target's weights in the group “lower”, rounded; none without it."""
    target = bpy.data.objects["target"]
    group = target.vertex_groups.get("lower")
    if group is None:
        return []
    of_group = [[one.weight for one in vertex.groups if one.group == group.index] for vertex in target.data.vertices]
    return [round(sum(weights), 4) for weights in of_group]


def test_a_pair_and_flip_update_the_result_in_one_undo_step_each(addon: ModuleType) -> None:
    pair()
    assert not bpy.ops.meshkin.update.poll()
    run("transfer", kinds={"weights", "attributes"})
    first = lower()
    source, target = bpy.data.objects["source"], bpy.data.objects["target"]
    moved = int(vertex_positions(target)[:, 1].argmax())
    pairs.add(source, target, int((vertex_positions(source) @ (0, 1, -1.5)).argmax()), moved)
    bpy.ops.ed.undo_push(message="A pair")
    assert matches.pair_count(source, target) == 0
    run("update")
    second = lower()
    assert second[moved] > first[moved] + 0.1
    assert matches.pair_count(bpy.data.objects["source"], bpy.data.objects["target"]) == 1
    run("flip")
    assert matches.is_flipped(bpy.data.objects["source"], bpy.data.objects["target"])
    assert np.abs(np.subtract(lower(), second)).max() > 0.01
    bpy.ops.ed.undo()
    assert lower() == second
    bpy.ops.ed.undo()
    assert lower() == first
    driver = importlib.import_module("blender_addon.base.driver")
    assert "target" in driver.outcome.title


def test_before_and_after_is_one_toggle_and_one_undo_step(addon: ModuleType) -> None:
    pair()
    assert not bpy.ops.meshkin.before_after.poll()
    run("transfer", kinds={"weights"})
    after = lower()
    run("before_after")
    assert lower() == []
    fixing = importlib.import_module("blender_addon.match.fixing")
    assert fixing.shows_before(bpy.context.scene.meshkin)
    bpy.ops.ed.undo()
    assert lower() == after
    bpy.ops.ed.redo()
    assert lower() == []
    run("before_after")
    assert lower() == after
    assert not fixing.shows_before(bpy.context.scene.meshkin)


def test_what_the_target_was_leaves_the_file_when_it_is_discarded(addon: ModuleType) -> None:
    pair()
    assert not bpy.ops.meshkin.discard_before.poll()
    run("transfer", kinds={"weights"})
    after, meshes = lower(), len(bpy.data.meshes)
    run("before_after")
    run("discard_before")
    assert (lower(), len(bpy.data.meshes)) == (after, meshes - 1)
    assert not bpy.ops.meshkin.before_after.poll()
    assert not bpy.ops.meshkin.update.poll()
    assert not [name for name in dict(bpy.data.objects["target"].items()) if "transfer" in name or "other" in name]
    bpy.ops.ed.undo()
    assert lower() == []
    run("before_after")
    assert lower() == after


def test_the_old_mesh_of_a_deleted_target_is_not_saved(addon: ModuleType, tmp_path: Path) -> None:
    source, target = pair()
    with last_transfer.recorded([source], [target], ["weights"], {}):
        target.vertex_groups.new(name="carried")
    other = target.copy()  # has the same old mesh
    bpy.context.scene.collection.objects.link(other)
    file = str(tmp_path / "saved.blend")

    def saved_meshes() -> list[str]:
        bpy.ops.wm.save_as_mainfile(filepath=file, copy=True)
        with bpy.data.libraries.load(file) as (there, _):
            return sorted(there.meshes)

    assert saved_meshes() == ["source", "target", "target before"]
    for obj in (target, other):
        with bpy.context.temp_override(selected_objects=[obj]):
            bpy.ops.object.delete()
        left = ["source"] if obj == other else ["source", "target", "target before"]
        assert saved_meshes() == left
