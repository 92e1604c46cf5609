"""Files loaded in a Blender of their own, as scripts do: the same objects, and crashes that are told."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from helpers.creatures import creature
from helpers.empty_file import open_empty_file
from helpers.rigged import armature_of, new_armature
from meshkin import workflow
from meshkin.base.errors import InputError
from meshkin.scene.mesh import pairs
from meshkin.scene.mesh import snapshot as snapshots


def posed_character() -> bpy.types.Object:
    obj = creature("body", subdivisions=2)
    obj.vertex_groups.new(name="bone").add(range(len(obj.data.vertices)), 1, "REPLACE")
    obj.parent = armature = new_armature("rig", {"bone": ((0, 0, 0), (0, 0, 1), None)})
    obj.modifiers.new("rig", "ARMATURE").object = armature
    bpy.context.view_layer.update()
    return obj


def test_a_character_comes_with_its_armature(tmp_path: Path) -> None:
    before = snapshots.take(posed_character())
    bpy.ops.export_scene.gltf(filepath=str(tmp_path / "character.glb"))
    open_empty_file()
    bpy.context.scene.frame_end = 77
    loaded = workflow.load(tmp_path / "character.glb")
    assert loaded.name == "character"
    assert armature_of(loaded).name in bpy.context.scene.objects
    lows, highs = (snapshots.take(loaded).vertices, before.vertices)
    np.testing.assert_allclose(np.ptp(lows, axis=0), np.ptp(highs, axis=0), atol=1e-4)
    assert bpy.context.scene.frame_end == 77
    assert len(bpy.data.scenes) == 1


def test_an_object_of_a_blend_file_comes_with_its_point_pairs(tmp_path: Path) -> None:
    source, target = creature("source", subdivisions=2), creature("target", subdivisions=2)
    pairs.add(source, target, 3, 4)
    key = snapshots.take(source).key
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    open_empty_file()
    one, other = (workflow.load(f"{tmp_path}/file.blend:{name}") for name in ("source", "target"))
    assert snapshots.take(one).key == key
    assert [pair.label for pair in pairs.between(one, other)] == ["1"]


def test_errors_are_told_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "text.glb").write_text("nothing of use")
    for name, code in (("text.glb", "file-unreadable"), ("nowhere.obj", "file-missing"), ("text.dae", "file-unknown")):
        with pytest.raises(InputError) as raised:
            workflow.load(tmp_path / name)
        assert raised.value.code == code
        assert raised.value.fix


def test_a_crash_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something crashes as importers do; this process lives, and nothing is left in the file."""
    (tmp_path / "one.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    (tmp_path / "sitecustomize.py").write_text("import os\nos.kill(os.getpid(), 11)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(InputError) as raised:
        workflow.load(tmp_path / "one.obj")
    assert raised.value.code == "file-unreadable"
    assert "SIGSEGV" in raised.value.message
    assert not bpy.data.objects
