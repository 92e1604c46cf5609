"""A head that is learnt from renders, kept among the models and used by features: with a small random model."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from helpers.photographs import painted_egg
from meshkin import cli, workflow
from meshkin.base.errors import InputError, MeshKinError
from meshkin.base.progress import finish
from meshkin.models.checking import tensor_shapes
from meshkin.worker import client


@pytest.fixture
def options(small_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> workflow.Options:
    """A small model on small pictures, and a model cache of its own."""
    monkeypatch.setenv("MESHKIN_MODELS", str(tmp_path / "models"))
    client.stop()  # the next one knows the models
    return workflow.Options().changed(model=small_model, layers=(1,), resolution=112, device="cpu")


def rigged_egg() -> bpy.types.Object:
    """An egg whose upper half a bone turns."""
    obj = painted_egg(2)
    bpy.ops.object.armature_add(location=(0, 0, -1))
    armature = bpy.context.view_layer.objects.active
    bpy.ops.object.mode_set(mode="EDIT")
    bone = armature.data.edit_bones.new("upper")
    bone.head, bone.tail, bone.parent = (0, 0, 1), (0, 0, 2), armature.data.edit_bones[0]
    bpy.ops.object.mode_set(mode="OBJECT")
    group = obj.vertex_groups.new(name="upper")
    group.add([vertex.index for vertex in obj.data.vertices if vertex.co.z > 0], 1.0, "REPLACE")
    obj.modifiers.new("Armature", "ARMATURE").object = armature
    return obj


@pytest.mark.slow
def test_a_head_is_learnt_kept_and_used(options: workflow.Options, tmp_path: Path) -> None:
    obj = rigged_egg()
    pose = np.array([bone.matrix_basis for bone in obj.modifiers[0].object.pose.bones])
    report = finish(workflow.learn_head([obj], "eggs", options, 4))
    assert len(report.data["losses"]) >= 1
    folder = Path(report.data["head"])
    assert folder == tmp_path / "models" / "eggs"
    assert tensor_shapes(folder / "model.safetensors")["mixing_weights"] == (1,)
    np.testing.assert_array_equal(pose, [bone.matrix_basis for bone in obj.modifiers[0].object.pose.bones])

    used = options.changed(features="dinov2", views=6, settings={"head": "eggs"})
    with_head = finish(workflow.features([obj], used))
    plain = finish(workflow.features([obj], used.changed(settings={})))
    one, two = (tensor_shapes(Path(each.data["features"][0]))["features"] for each in (with_head, plain))
    assert one == (len(obj.data.vertices), 256)
    assert one != two

    with pytest.raises(InputError, match="eggs"):
        finish(workflow.learn_head([obj], "eggs", options, 4))
    finish(workflow.learn_head([obj], "eggs", options, 2, replace=True))
    with pytest.raises(MeshKinError, match="layers"):
        finish(workflow.features([obj], used.changed(layers=(2,))))


def test_what_cannot_be_learnt_is_refused_before_anything_is_rendered(options: workflow.Options) -> None:
    obj = painted_egg(2)
    for name, steps in (("a/b", 4), ("eggs", 0)):
        with pytest.raises(InputError):
            finish(workflow.learn_head([obj], name, options, steps))
    with pytest.raises(InputError):
        finish(workflow.learn_head([], "eggs", options))


def test_the_command_has_two_words(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["features", "learn-head", "--help"])
    assert "--steps" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.main(["features", "--help"])
    assert "--steps" not in capsys.readouterr().out
