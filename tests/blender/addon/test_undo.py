"""Weights, armatures, poses and motion are one undo step each; what the redo panel changes needs no other match."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest

from helpers.creatures import creature, vertex_positions
from helpers.places import ROOT
from helpers.rigged import Bones, new_armature
from meshkin.scene.mesh import snapshot as snapshots
from meshkin.scene.rig import binding, weights

addon_utils = importlib.import_module("addon_utils")  # found only once bpy is loaded
NAMES = ["root", "arm"]


@pytest.fixture(autouse=True)
def pair(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The add-on, and a rigged “body” and its “twin” picked as source and target."""
    monkeypatch.syspath_prepend(str(ROOT))
    assert addon_utils.enable("blender_addon", default_set=True) is not None
    bpy.context.preferences.addons["blender_addon"].preferences.worker_python = os.environ["MESHKIN_WORKER_PYTHON"]
    body, twin = creature("body", subdivisions=3), creature("twin", 1.1, subdivisions=3)
    twin.location.x = 5
    bones: Bones = {"root": ((0, 0, 0), (0.5, 0, 0), None), "arm": ((0.5, 0, 0), (1.7, 0, 0), "root")}
    armature = new_armature("rig", bones)
    share = np.clip(vertex_positions(body)[:, 0] * 2 - 0.5, 0, 1)
    weights.write(body, NAMES, np.stack((1 - share, share), axis=1))
    binding.bind(body, armature)
    armature.pose.bones["arm"].rotation_mode = "XYZ"
    for frame, angle in ((1, 0.0), (10, 0.6)):
        armature.pose.bones["arm"].rotation_euler.z = angle
        armature.pose.bones["arm"].keyframe_insert("rotation_euler", frame=frame)
    bpy.context.scene.frame_set(10)
    settings = bpy.context.scene.meshkin
    settings.source, settings.target, settings.features = body, twin, "geometric"
    bpy.context.view_layer.update()
    bpy.ops.ed.undo_push(message="The pair")
    yield
    addon_utils.disable("blender_addon", default_set=True)
    for name in [name for name in sys.modules if name.split(".")[0] == "blender_addon"]:
        del sys.modules[name]


def state() -> dict[str, object]:
    """All that a transfer writes."""
    twin = bpy.data.objects["twin"]
    keys = twin.data.shape_keys
    rigs = {
        obj.name: (obj.animation_data.action.name if obj.animation_data and obj.animation_data.action else "")
        for obj in bpy.data.objects
        if obj.type == "ARMATURE"
    }
    return {
        "groups": [group.name for group in twin.vertex_groups],
        "weights": [[(one.group, one.weight) for one in vertex.groups] for vertex in twin.data.vertices],
        "modifiers": [(one.type, one.object.name) for one in twin.modifiers],
        "parent": twin.parent.name if twin.parent else "",
        "rigs": rigs,
        "actions": sorted(action.name for action in bpy.data.actions),
        "keys": [key.name for key in keys.key_blocks] if keys else [],
        "attributes": sorted(one.name for one in twin.data.attributes if one.name.startswith("meshkin")),
        "meant": bpy.data.objects["body"].location.y,
    }


def run(operator: str, **settings: object) -> None:
    """Call an operator with its undo step."""
    if operator == "transfer":
        settings = {"kinds": {"weights", "armature", "motion"}}
    if operator == "transfer_weights":  # an operator remembers its last settings
        settings = {"limit": 4, "smoothing": 0, "mix": 1.0, "threshold": 0.4} | settings
    assert getattr(bpy.ops.meshkin, operator)("EXEC_DEFAULT", True, **settings) == {"FINISHED"}


@pytest.mark.parametrize(
    ("operator", "written"),
    [
        ("transfer_weights", "weights"),
        ("transfer_armature", "rigs"),
        ("transfer", "rigs"),
        ("pose", "keys"),
        ("motion", "actions"),
    ],
)
def test_one_step_back_and_forth(operator: str, written: str) -> None:
    if operator == "motion":
        run("transfer_armature")
    bpy.data.objects["body"].location.y = 0.25  # a step of the user's own, which must stay
    bpy.ops.ed.undo_push(message="Moved")
    before = state()
    run(operator)
    after = state()
    assert after[written] != before[written]
    if operator == "transfer":  # the rig came over, and plays
        assert after["actions"] != before["actions"]
        assert after["groups"] == NAMES
    bpy.ops.ed.undo()
    assert state() == before
    bpy.ops.ed.redo()
    assert state() == after
    bpy.ops.ed.undo()
    bpy.ops.ed.undo()
    assert bpy.data.objects["body"].location.y == 0


def test_the_redo_panel_needs_no_other_match(home: Path) -> None:
    def maps() -> dict[Path, int]:
        """The matches made so far; a file written anew has another number."""
        return {path: path.stat().st_ino for path in (home / "cache" / "maps").iterdir()}

    run("transfer_weights")
    made = maps()
    assert made

    def again(**settings: object) -> np.ndarray:
        """As the panel does it: undo the step, run it with other settings."""
        bpy.ops.ed.undo()
        assert state()["groups"] == []
        run("transfer_weights", **settings)
        obj = bpy.data.objects["twin"]
        return weights.read(obj, snapshots.take(obj), NAMES)[1]

    plain = again()
    assert (np.count_nonzero(again(limit=1), axis=1) == 1).all()
    assert np.abs(again(smoothing=10) - plain).max() > 0.01
    bpy.ops.ed.undo()
    twin = bpy.data.objects["twin"]
    twin.vertex_groups.new(name="root").add(range(len(twin.data.vertices)), 1, "REPLACE")
    bpy.ops.ed.undo_push(message="Painted")
    run("transfer_weights", mix=0.5)
    mixed = weights.read(bpy.data.objects["twin"], snapshots.take(bpy.data.objects["twin"]), NAMES)[1]
    np.testing.assert_allclose(mixed, plain / 2 + (0.5, 0), atol=1e-5)
    bpy.ops.ed.undo()
    run("transfer_weights", threshold=0.99)
    assert maps() == made
