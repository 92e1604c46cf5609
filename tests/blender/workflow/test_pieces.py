"""Characters whose head is a mesh of its own: all pieces of a surface are one source."""

from __future__ import annotations

import bmesh
import bpy
import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.creatures import vertex_positions
from helpers.rigged import new_armature
from helpers.skins import OPTIONS, add_image_material, at_texels, blob, copy_without_materials, new_image, waves
from meshkin import workflow
from meshkin.base.progress import finish
from meshkin.scene.mesh import pieces
from meshkin.scene.rig import binding

NECK = 0.3
"""Height at which the body ends and the head begins."""


def character() -> bpy.types.Object:
    """A body with an armature, two groups that share it by height, a shape key of all of it, and a texture."""
    body = blob("body")
    heights = vertex_positions(body)[:, 2]
    share = np.clip(heights / 2 + 0.5, 0, 1)
    for name, weights in (("head", share), ("hips", 1 - share)):
        group = body.vertex_groups.new(name=name)
        for vertex, weight in enumerate(weights.tolist()):
            group.add((vertex,), weight, "REPLACE")
    binding.bind(
        body, new_armature("rig", {"hips": ((0, 0, -1), (0, 0, 0), None), "head": ((0, 0, 0), (0, 0, 1), "hips")})
    )
    add_image_material(body, new_image("skin", waves(256)))
    body.shape_key_add(name="Basis")
    key = body.shape_key_add(name="grin", from_mix=False)
    key.value = 0
    moved = vertex_positions(body) + np.outer(1 + heights, (0, -0.1, 0.05))
    key.data.foreach_set("co", moved.astype(np.float32).ravel())
    return body


def cut_off(body: bpy.types.Object, name: str = "face") -> bpy.types.Object:
    """Cut the head off a body; returns the head."""
    head = body.copy()
    head.name, head.data = name, body.data.copy()
    bpy.context.scene.collection.objects.link(head)
    for obj, side in ((head, -1), (body, 1)):
        edited = bmesh.new()
        edited.from_mesh(obj.data)
        gone = [face for face in edited.faces if side * (face.calc_center_median().z - NECK) > 0]
        bmesh.ops.delete(edited, geom=gone, context="FACES")
        edited.to_mesh(obj.data)
        edited.free()
    bpy.context.view_layer.update()
    return head


def group_weights(obj: bpy.types.Object, name: str) -> NDArray[np.float64]:
    number = obj.vertex_groups[name].index
    return np.array([sum(one.weight for one in vertex.groups if one.group == number) for vertex in obj.data.vertices])


def key_offsets(obj: bpy.types.Object, name: str) -> NDArray[np.float64]:
    blocks = obj.data.shape_keys.key_blocks
    places = [np.array([point.co[:] for point in key.data]) for key in (blocks[name], blocks[0])]
    return np.asarray(places[0] - places[1])


@pytest.mark.slow
def test_a_head_of_its_own_gives_what_it_has() -> None:
    """Whichever piece is chosen as the source: weights, key and texture of a whole target come from both."""
    body = character()
    whole = copy_without_materials(body)
    truth, moved = group_weights(body, "head"), key_offsets(body, "grin")
    source_texels = at_texels(body.active_material.node_tree.nodes["Image Texture"].image)
    whole.shape_key_clear()
    whole.vertex_groups.clear()
    head = cut_off(body)
    before = {kind: set(getattr(bpy.data, kind).keys()) for kind in ("objects", "meshes", "scenes", "shape_keys")}
    options = OPTIONS.changed(texture_size=256)
    for source in (body, head):
        report = finish(workflow.transfer(source, whole, ["weights", "shape_keys", "texture"], options))
        assert not report.warnings
        assert "body" in report.title
        assert "face" in report.title
        np.testing.assert_allclose(group_weights(whole, "head"), truth, atol=1e-5)
        np.testing.assert_allclose(key_offsets(whole, "grin"), moved, atol=1e-5)
        image = next(image for image in bpy.data.images if image.name.endswith("on twin"))
        covered = at_texels(image)[..., 3] > 0
        assert covered.mean() > 0.5
        assert np.abs(at_texels(image) - source_texels)[covered].mean() < 0.01
        whole.vertex_groups.clear()
        bpy.data.images.remove(image)
    after = {kind: set(getattr(bpy.data, kind).keys()) for kind in before}
    after["meshes"] -= {f"{whole.data.name} before"}  # what the button Before shows
    new_keys = after["shape_keys"] - before["shape_keys"]
    assert {**after, "shape_keys": after["shape_keys"] - new_keys} == before
    assert len(new_keys) == 1
    assert len(head.data.vertices) < len(whole.data.vertices)


def test_a_copy_of_one_piece_takes_from_that_alone() -> None:
    body = character()
    head = cut_off(body)
    copy = copy_without_materials(head)
    truth, moved = group_weights(head, "head"), key_offsets(head, "grin")
    copy.shape_key_clear()
    copy.vertex_groups.clear()
    copy.location = (4, 0, 0)
    bpy.context.view_layer.update()
    report = finish(workflow.transfer(head, copy, ["weights", "shape_keys"], OPTIONS))
    assert "body" not in report.title
    np.testing.assert_allclose(group_weights(copy, "head"), truth, atol=1e-5)
    np.testing.assert_allclose(key_offsets(copy, "grin"), moved, atol=1e-5)


def test_a_hood_over_both_takes_weights_from_both() -> None:
    body = character()
    cloth = copy_without_materials(body)
    truth = group_weights(body, "head")
    cloth.shape_key_clear()
    cloth.vertex_groups.clear()
    cut_off(body)
    cloth.scale = (1.03, 1.03, 1.03)
    bpy.context.view_layer.update()
    report = finish(workflow.transfer(body, cloth, ["weights"]))
    assert report.details[0].startswith("From the nearest point of the source")
    assert np.abs(group_weights(cloth, "head") - truth).mean() < 0.03


@pytest.mark.parametrize(("shift", "scale", "is_piece"), [(0.0, 1.0, True), (0.004, 1.0, True), (0.0, 1.05, False)])
def test_pieces_meet_at_their_borders(shift: float, scale: float, is_piece: bool) -> None:
    """A head a little off its neck is one; a mask over the head is none, though it is open."""
    body = character()
    whole = copy_without_materials(body)
    binding.bind(whole, binding.armature_of(body))
    other = cut_off(body)
    other.location.z, other.scale = other.location.z + shift, (scale, scale, scale)
    bpy.context.view_layer.update()
    source = body if is_piece else whole
    assert pieces.continuing(source, [other]) == ([other] if is_piece else [])
