"""Trying MeshKin on the two characters made by code: what comes over, and that nothing of the user's is touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from helpers.main_job import state
from helpers.rigged import armature_of
from meshkin import workflow
from meshkin.base.errors import InputError
from meshkin.base.progress import finish
from meshkin.scene.example import characters, figure


@pytest.fixture
def own_scene() -> bpy.types.Scene:
    """A scene of the user's, with an object, shown in the window."""
    bpy.ops.wm.read_factory_settings()
    return bpy.context.scene


def kept() -> dict[str, Any]:
    return {name: value for name, value in state().items() if name != "active"}


def test_the_bare_character_gets_texture_rig_and_motion(own_scene: bpy.types.Scene) -> None:
    """Its joints are known, because it was made around them."""
    name, objects = own_scene.name, own_scene.objects.keys()
    report = finish(workflow.try_it())
    assert report.data["written"] == ["texture", "weights", "armature", "motion"]
    assert not [warning.code for warning in report.warnings]
    assert bpy.data.scenes[name].objects.keys() == objects
    scene = bpy.data.scenes[report.data["scene"]]
    assert bpy.context.window.scene == scene
    target = scene.objects[report.data["target"]]
    rig, truth = armature_of(target), figure.figure(characters.TARGET)
    heads = np.array([rig.matrix_world @ rig.data.bones[name].head_local for name in truth.bones]) - target.location
    assert np.linalg.norm(heads - truth.heads, axis=1).mean() < 0.03 * truth.height
    assert rig.animation_data.action
    assert target.material_slots[0].material.node_tree
    scene.frame_set(15)
    hand = rig.matrix_world @ rig.pose.bones["hand.L"].tail
    assert hand.z > 0.75 * truth.height


def test_cancelled_it_leaves_nothing(own_scene: bpy.types.Scene) -> None:
    before = kept()
    job = workflow.try_it()
    while "match of" not in next(job).step:
        pass
    assert bpy.context.window.scene != own_scene
    job.close()
    assert bpy.context.window.scene == own_scene
    assert kept() == before
    job = workflow.try_it(when_made=lambda source, target: bpy.data.objects.remove(target))
    with pytest.raises(InputError, match="not in the file any more"):
        finish(job)
    assert kept() == before


def test_the_characters_are_whole() -> None:
    """Closed, outward, seen from the front as on the picture, each vertex moved by some bones."""
    for build in (characters.SOURCE, characters.TARGET):
        body = figure.figure(build)
        vertices, quads = figure.surface(body, build.cells)
        edges = np.sort(np.stack([quads, np.roll(quads, -1, axis=1)], axis=-1).reshape(-1, 2), axis=1)
        _, count = np.unique(edges, axis=0, return_counts=True)
        assert (count % 2 == 0).all()
        normals = np.cross(vertices[quads[:, 2]] - vertices[quads[:, 0]], vertices[quads[:, 3]] - vertices[quads[:, 1]])
        assert (normals * vertices[quads].mean(axis=1)).sum() > 0
        assert np.allclose(figure.weights(body, vertices).sum(axis=1), 1)
        assert vertices[:, 2].min() == pytest.approx(0, abs=0.03 * body.height)


def test_no_file_of_the_characters_is_needed(tmp_path: Path, own_scene: bpy.types.Scene) -> None:
    example = characters.make()
    source = example.source.get()
    (image,) = [node.image for node in source.material_slots[0].material.node_tree.nodes if node.type == "TEX_IMAGE"]
    assert image.packed_file
    characters.remove(example, own_scene.name)
    assert characters.SCENE not in bpy.data.scenes
