"""Textures that cannot be carried over: told by name, and nothing is changed."""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
import pytest

from helpers.empty_file import open_empty_file
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


@dataclass
class Case:
    """A source whose base color is an image, and a target."""

    source: bpy.types.Object
    target: bpy.types.Object
    image: bpy.types.Image
    node: bpy.types.Node
    folder: Path
    options: workflow.Options = OPTIONS

    def save(self) -> Path:
        """Keep the image as a file of its own."""
        path = self.folder / "base.png"
        self.image.filepath_raw, self.image.file_format = str(path), "PNG"
        self.image.save()
        self.image.source = "FILE"
        return path


def without_image(case: Case) -> None:
    case.node.id_data.links.remove(case.node.outputs["Color"].links[0])


def with_missing_file(case: Case) -> None:
    case.save().unlink()
    case.image.reload()


def with_empty_file(case: Case) -> None:
    case.save().write_bytes(b"")
    case.image.reload()


def with_text_as_image(case: Case) -> None:
    (case.folder / "text.png").write_text("this is no picture")
    case.node.image = bpy.data.images.load(str(case.folder / "text.png"))


def with_unknown_channel(case: Case) -> None:
    case.options = case.options.changed(channels=("color",))


def with_unsaved_tiles(case: Case) -> None:
    tiles = bpy.data.images.new("tiles", 8, 8, tiled=True)
    tiles.pixels.foreach_set(GREEN)
    tiles.update()
    case.node.image = tiles


def with_movie(case: Case) -> None:
    case.image.source = "SEQUENCE"


GREEN = np.tile(np.array([0, 1, 0, 1], np.float32), 64)


def case_in(folder: Path) -> Case:
    source, image = blob("source"), new_image("base", waves(8))
    tree, shader = add_material(source)
    node = add_image_node(tree, image)
    tree.links.new(shader.inputs["Base Color"], node.outputs["Color"])
    return Case(source, blob("target", stretch=1.2), image, node, folder)


def refusal(case: Case) -> str:
    """The code of the error that refuses the case."""
    with pytest.raises(InputError) as failure:
        finish(workflow.transfer(case.source, case.target, ["texture"], case.options))
    return failure.value.code


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (without_image, "no-texture"),
        (with_missing_file, "image-missing"),
        (with_empty_file, "image-missing"),
        (with_text_as_image, "image-missing"),
        (with_unknown_channel, "channel-unknown"),
        (with_unsaved_tiles, "image-unsaved"),
        (with_movie, "image-missing"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(make: Callable[[Case], None], code: str, tmp_path: Path) -> None:
    case = case_in(tmp_path)
    make(case)
    before = data_block_names()
    assert refusal(case) == code
    assert data_block_names() == before


def test_tiles_that_are_not_saved_keep_what_was_painted(tmp_path: Path) -> None:
    case = case_in(tmp_path)
    with_unsaved_tiles(case)
    assert refusal(case) == "image-unsaved"
    assert case.node.image.pixels[1] == 1


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


class Preview:
    """A transfer of which the preview is shown, and what the target's faces had before."""

    def __init__(self) -> None:
        self.source = blob("source")
        add_image_material(self.source, new_image("base", waves()))
        self.target = copy_without_materials(self.source)
        for name in ("one", "two"):
            self.target.data.materials.append(bpy.data.materials.new(name))
        self.slots = np.arange(len(self.target.data.polygons), dtype=np.int32) % 2
        self.target.data.polygons.foreach_set("material_index", self.slots)
        self.materials = data_block_names()["materials"]
        options = OPTIONS.changed(texture_size=600, preview=True)
        self.steps = workflow.transfer(self.source, self.target, ["texture"], options)
        while not next(self.steps).stage.startswith("Preview"):
            pass

    @property
    def uv_map(self) -> bpy.types.MeshUVLoopLayer:
        return self.target.data.uv_layers[0]

    def refusal(self) -> str:
        """The code of the error that ends it. The preview is gone."""
        with pytest.raises(InputError) as failure:
            finish(self.steps)
        assert [image.name for image in bpy.data.images] == ["base"]
        assert sorted(material.name for material in bpy.data.materials) == self.materials
        return failure.value.code

    def assert_slots_are_back(self) -> None:
        slots = np.empty_like(self.slots)
        self.target.data.polygons.foreach_get("material_index", slots)
        np.testing.assert_array_equal(slots, self.slots)


def remove_preview_material(preview: Preview) -> None:
    bpy.data.materials.remove(preview.target.data.materials[-1])


def remove_preview_image(preview: Preview) -> None:
    bpy.data.images.remove(bpy.data.images["base on twin"])


@pytest.mark.parametrize("change", [remove_preview_material, remove_preview_image])
def test_a_preview_may_be_removed(change: Callable[[Preview], None]) -> None:
    preview = Preview()
    change(preview)
    finish(preview.steps)
    colors = pixels_of(new_material_parts(preview.target)[1]["Base Color"])
    assert colors[200:400, 200:400, :3].std() > 0.1


def remove_source(preview: Preview) -> None:
    bpy.data.objects.remove(preview.source)


def remove_uv_map(preview: Preview) -> None:
    preview.target.data.uv_layers.remove(preview.uv_map)


def change_uvs(preview: Preview) -> None:
    uvs = np.random.default_rng(0).random(2 * len(preview.target.data.loops)).astype(np.float32)
    preview.uv_map.uv.foreach_set("vector", uvs)


@pytest.mark.parametrize(
    ("change", "code"),
    [(remove_source, "object-gone"), (remove_uv_map, "mesh-changed"), (change_uvs, "mesh-changed")],
)
def test_what_changes_while_a_preview_is_shown(change: Callable[[Preview], None], code: str) -> None:
    """A clear sentence, and the preview is taken away."""
    preview = Preview()
    change(preview)
    assert preview.refusal() == code
    preview.assert_slots_are_back()


def test_edit_mode_while_a_preview_is_shown() -> None:
    preview = Preview()
    bpy.context.view_layer.objects.active = preview.target
    bpy.ops.object.mode_set(mode="EDIT")
    assert preview.refusal() == "edit-mode"
    bpy.ops.object.mode_set(mode="OBJECT")
    preview.assert_slots_are_back()


def test_the_target_is_deleted_while_a_preview_is_shown() -> None:
    preview = Preview()
    bpy.data.objects.remove(preview.target)
    assert preview.refusal() == "object-gone"


def test_another_file_opened_while_nodes_are_baked() -> None:
    source = blob("source")
    tree, shader = add_material(source)
    tree.links.new(shader.inputs["Base Color"], tree.nodes.new("ShaderNodeTexNoise").outputs["Color"])
    job = workflow.transfer(source, copy_without_materials(source), ["texture"], OPTIONS)
    while not next(job).stage.startswith("Baking"):
        pass
    open_empty_file()
    with pytest.raises(InputError) as failure:
        finish(job)
    assert failure.value.code == "object-gone"
    assert not bpy.data.meshes
