"""Textures that cannot be carried over: told by name, and nothing is changed."""

from __future__ import annotations

import resource
from pathlib import Path

import bpy
import numpy as np
import pytest

from helpers.skins import (
    OPTIONS,
    add_image_material,
    add_image_node,
    add_material,
    blob,
    copy_without_materials,
    data_block_names,
    new_image,
    new_material_parts,
    pixels_of,
    waves,
)
from meshkin import workflow
from meshkin.base.errors import InputError, StorageError
from meshkin.base.progress import finish


@pytest.mark.parametrize("what", ["none", "missing", "zero", "no-image", "no-area", "unknown", "unsaved", "movie"])
def test_bad_input_is_named_and_changes_nothing(what: str, tmp_path: Path) -> None:
    source = blob("source")
    target = blob("target", stretch=1.2)
    tree, shader = add_material(source)
    image = new_image("base", waves(8))
    options = OPTIONS
    if what != "none":
        tree.links.new(shader.inputs["Base Color"], add_image_node(tree, image).outputs["Color"])
    if what in ("missing", "zero"):
        path = tmp_path / "base.png"
        image.filepath_raw, image.file_format = str(path), "PNG"
        image.save()
        image.source = "FILE"
        path.unlink() if what == "missing" else path.write_bytes(b"")
        image.reload()
    elif what == "no-image":
        (tmp_path / "text.png").write_text("this is no picture")
        node = next(node for node in tree.nodes if node.type == "TEX_IMAGE")
        node.image = bpy.data.images.load(str(tmp_path / "text.png"))
    elif what == "no-area":
        layer = target.data.uv_layers[0]
        layer.uv.foreach_set("vector", np.full(len(target.data.loops) * 2, 0.5, np.float32))
    elif what == "unknown":
        options = options.changed(channels=("color",))
    elif what == "unsaved":
        image = bpy.data.images.new("tiles", 8, 8, tiled=True)
        image.pixels.foreach_set(np.tile(np.array([0, 1, 0, 1], np.float32), 64))
        image.update()
        next(node for node in tree.nodes if node.type == "TEX_IMAGE").image = image
    elif what == "movie":
        image.source = "SEQUENCE"
    before = data_block_names()
    expected = {
        "none": "no-texture",
        "missing": "image-missing",
        "zero": "image-missing",
        "no-image": "image-missing",
        "no-area": "uvs-no-area",
        "unsaved": "image-unsaved",
    }
    expected |= {"unknown": "channel-unknown", "movie": "image-missing"}
    job = workflow.transfer(source, target, ["texture"], options)
    with pytest.raises(InputError) as failure:
        finish(job)
    assert failure.value.code == expected[what]
    assert data_block_names() == before
    assert what != "unsaved" or image.pixels[1] == 1


def test_disk_full_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be written to: told before anything is computed, nothing changed."""
    source = blob("source")
    add_image_material(source, new_image("base", waves(8)))
    target = copy_without_materials(source)
    before = data_block_names()
    options = OPTIONS.changed(texture_folder="/dev/full/textures")
    with pytest.raises(StorageError, match="dev/full") as failure:
        finish(workflow.transfer(source, target, ["texture"], options))
    assert failure.value.code == "file-failed"
    assert data_block_names() == before


def test_no_space_left_loses_nothing(tmp_path: Path) -> None:
    """Files that cannot grow, as on a full disk: a clear error, and nothing is left behind."""
    source = blob("source")
    add_image_material(source, new_image("base", waves()))
    target = copy_without_materials(source)
    finish(workflow.match(source, target, OPTIONS))
    options = OPTIONS.changed(texture_folder=str(tmp_path / "new"))
    before, slots = data_block_names(), len(target.material_slots)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (2_000, 60_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.raises(StorageError):
                finish(workflow.transfer(source, target, ["texture"], options))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert data_block_names() == before
        assert len(target.material_slots) == slots
        assert not list((tmp_path / "new").iterdir())


def gone(kind: str) -> None:
    """Something that a user may do to a file while a job runs."""
    twin_ = bpy.data.objects["twin"]
    layer = twin_.data.uv_layers[0]
    if kind == "preview's material":
        bpy.data.materials.remove(twin_.data.materials[-1])
    elif kind == "preview's image":
        bpy.data.images.remove(bpy.data.images["base on twin"])
    elif kind == "source":
        bpy.data.objects.remove(bpy.data.objects["source"])
    elif kind == "target":
        bpy.data.objects.remove(twin_)
    elif kind == "target's UV map":
        twin_.data.uv_layers.remove(layer)
    elif kind == "target's UVs":
        layer.uv.foreach_set("vector", np.random.default_rng(0).random(2 * len(twin_.data.loops)).astype(np.float32))
    elif kind == "target's mode":
        bpy.context.view_layer.objects.active = twin_
        bpy.ops.object.mode_set(mode="EDIT")


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("preview's material", ""),
        ("preview's image", ""),
        ("source", "object-gone"),
        ("target", "object-gone"),
        ("target's UV map", "mesh-changed"),
        ("target's UVs", "mesh-changed"),
        ("target's mode", "edit-mode"),
    ],
)
def test_what_changes_while_a_preview_is_shown(kind: str, code: str) -> None:
    """A clear sentence, and the preview is taken away; or the right result."""
    source = blob("source")
    add_image_material(source, new_image("base", waves()))
    target = copy_without_materials(source)
    for name in ("one", "two"):
        target.data.materials.append(bpy.data.materials.new(name))
    own = np.arange(len(target.data.polygons), dtype=np.int32) % 2
    target.data.polygons.foreach_set("material_index", own)
    before = data_block_names()
    job = workflow.transfer(source, target, ["texture"], OPTIONS.changed(texture_size=600, preview=True))
    while not next(job).stage.startswith("Preview"):
        pass
    gone(kind)
    if not code:
        finish(job)
        assert pixels_of(new_material_parts(target)[1]["Base Color"])[200:400, 200:400, :3].std() > 0.1
        return
    with pytest.raises(InputError) as failure:
        finish(job)
    assert failure.value.code == code
    assert [one.name for one in bpy.data.images] == ["base"]
    assert sorted(one.name for one in bpy.data.materials) == before["materials"]
    if kind != "target":
        if kind == "target's mode":
            bpy.ops.object.mode_set(mode="OBJECT")
        left = np.empty_like(own)
        target.data.polygons.foreach_get("material_index", left)
        assert (left == own).all()


def test_another_file_opened_while_nodes_are_baked() -> None:
    source = blob("source")
    tree, shader = add_material(source)
    tree.links.new(shader.inputs["Base Color"], tree.nodes.new("ShaderNodeTexNoise").outputs["Color"])
    job = workflow.transfer(source, copy_without_materials(source), ["texture"], OPTIONS)
    while not next(job).stage.startswith("Baking"):
        pass
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with pytest.raises(InputError) as failure:
        finish(job)
    assert failure.value.code == "object-gone"
    assert not bpy.data.meshes
