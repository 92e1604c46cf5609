"""Textures that cannot be carried over: told by name, and nothing is changed."""

from __future__ import annotations

import resource
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from skins import OPTIONS, blob, names, new_image, painted, shaded, textured, twin, waves

from meshkin import workflow
from meshkin.errors import InputError, StorageError
from meshkin.progress import finish


@pytest.mark.parametrize("what", ["none", "missing", "zero", "no-image", "no-area", "unknown", "unsaved", "movie"])
def test_bad_input_is_named_and_changes_nothing(what: str, tmp_path: Path) -> None:
    source = blob("source")
    target = blob("target", stretch=1.2)
    tree, shader = shaded(source)
    image = new_image("base", waves(8))
    options = vars(OPTIONS)
    if what != "none":
        tree.links.new(shader.inputs["Base Color"], textured(tree, image).outputs["Color"])
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
        options = {**options, "channels": ("colour",)}
    elif what == "unsaved":
        image = bpy.data.images.new("tiles", 8, 8, tiled=True)
        image.pixels.foreach_set(np.tile(np.array([0, 1, 0, 1], np.float32), 64))
        image.update()
        next(node for node in tree.nodes if node.type == "TEX_IMAGE").image = image
    elif what == "movie":
        image.source = "SEQUENCE"
    before = names()
    expected = {
        "none": "no-texture",
        "missing": "image-missing",
        "zero": "image-missing",
        "no-image": "image-missing",
        "no-area": "uvs-no-area",
        "unsaved": "image-unsaved",
    }
    expected |= {"unknown": "channel-unknown", "movie": ""}
    job = workflow.transfer(source, target, ["texture"], workflow.Options(**options))
    if what == "movie":
        report = finish(job)
        assert any("baked" in line for line in report.lines())
        return
    with pytest.raises(InputError) as failure:
        finish(job)
    assert failure.value.code == expected[what]
    assert names() == before
    assert what != "unsaved" or image.pixels[1] == 1


def test_disk_full_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be written to: told before anything is computed, nothing changed."""
    source = blob("source")
    painted(source, new_image("base", waves(8)))
    target = twin(source)
    before = names()
    options = replace(OPTIONS, texture_folder="/dev/full/textures")
    with pytest.raises(Exception, match="dev/full"):
        finish(workflow.transfer(source, target, ["texture"], options))
    assert names() == before


def test_no_space_left_loses_nothing(tmp_path: Path) -> None:
    """Files that cannot grow, as on a full disk: a clear error, and nothing is left behind."""
    source = blob("source")
    painted(source, new_image("base", waves()))
    target = twin(source)
    finish(workflow.match(source, target, OPTIONS))
    options = replace(OPTIONS, texture_folder=str(tmp_path / "new"))
    before, slots = names(), len(target.material_slots)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (2_000, 60_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.raises(StorageError):
                finish(workflow.transfer(source, target, ["texture"], options))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert names() == before
        assert len(target.material_slots) == slots
        assert not list((tmp_path / "new").iterdir())
