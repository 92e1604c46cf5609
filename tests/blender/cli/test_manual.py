"""Every command that the manual and the README show, run on small meshes, page by page, in one folder."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest

from helpers.creatures import add_height_values
from helpers.empty_file import open_empty_file
from helpers.photographs import photograph_of
from helpers.places import ROOT
from helpers.rigged import new_armature
from helpers.shell import add_object, blob, write_mesh
from helpers.skins import add_image_material, new_image, waves
from meshkin import cli
from meshkin.base.png import write_png
from meshkin.scene.rig import binding

pytestmark = pytest.mark.usefixtures("own_home")

MANUAL = ROOT / "packaging" / "manual" / "pages"
PAGES = [ROOT / "README.md", *sorted(MANUAL.rglob("*.md"))]
DOWNLOADS = {("worker", "setup"), ("models", "get"), ("paint", "characters.blend")}
"""Commands that fetch up to 4 GB, or need what was fetched: these are parsed only."""
BLOCK = re.compile(r"^( *)```console\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
SMALL = ("--features", "dinov2", "--model", "model", "--views", "4", "--resolution", "112", "--layers", "2")
"""Added to what looks at pictures: the model that lies in the folder."""
QUICK = {
    ("family", "learn"): ("--steps", "20"),
    ("picture", "pairs"): ("--count", "4", "--size", "32"),
    ("picture", "learn"): ("--steps", "3"),
    ("features", "learn-head"): ("--steps", "5", "--model", "model", "--layers", "2", "--resolution", "112"),
}
"""Added to what learns."""


def lines() -> Iterator[tuple[Path, str]]:
    """Yield each command with the page that shows it."""
    for page in PAGES:
        for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
            for line in block[2].splitlines():
                if line.strip():
                    assert line.strip().startswith("$ "), f"{page.name}: “{line}” is no command"
                    yield page, line.strip()[2:]


def calls(line: str) -> list[list[str]]:
    """Return the programs with their arguments that a shell would start for a line."""
    notes = "".join(f"{name}() {{ printf '%s\\037' {name} \"$@\"; echo; }}; " for name in ("meshkin", "python"))
    ran = subprocess.run(["bash", "-c", notes + line], capture_output=True, text=True, check=True)
    return [row.split("\x1f")[:-1] for row in ran.stdout.splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, small_model: str) -> Path:
    """A folder with all files that the manual's commands read."""
    place = tmp_path_factory.mktemp("manual")
    open_empty_file()
    for name, stretch in (("Knight", 1.0), ("Rogue", 1.2), ("Mage", 1.1)):
        surface = blob(stretch, subdivisions=3)
        write_mesh(place / f"{name.lower()}.obj", *surface)
        obj = add_object(name, *surface)
        obj.location.x = 20 * stretch  # apart: what lies on the source is clothing
        layer = obj.data.uv_layers.new(name="map")
        for loop, uv in zip(obj.data.loops, layer.data, strict=True):
            x, y, z = obj.data.vertices[loop.vertex_index].co
            uv.uv = (0.5 + 0.2 * x / (1 + abs(z)), 0.5 + 0.2 * y / (1 + abs(z)))
    for name in ("chair", "stool"):
        write_mesh(place / f"{name}.obj", *blob(subdivisions=3))
    knight, rogue = bpy.data.objects["Knight"], bpy.data.objects["Rogue"]
    add_image_material(knight, new_image("skin", waves()))
    add_height_values(knight)
    knight.shape_key_add(name="Basis")
    knight.shape_key_add(name="smile").data[0].co.z += 0.1
    rig = new_armature("Rig", {"lower": ((0, 0, -1), (0, 0, 0), None), "upper": ((0, 0, 0), (0, 0, 1), "lower")})
    binding.bind(knight, rig)
    bone = rig.pose.bones["upper"]
    bone.rotation_mode = "XYZ"
    for frame, angle in ((1, 0.0), (10, 0.5)):
        bone.rotation_euler.x = angle
        bone.keyframe_insert("rotation_euler", frame=frame)
    vertices, faces = blob(1.2, subdivisions=3)
    hat = add_object("Hat", vertices * 1.02, [face for face in faces if vertices[face, 2].min() > 0.5])
    hat.location = rogue.location
    _, picture, face, _ = photograph_of(rogue, place, size=112)
    write_png(place / "photo.png", np.dstack((picture[..., :3], np.where(face >= 0, 255, 0).astype(np.uint8))))
    manifest = re.search(r"^```toml\n(.*?)^```", (MANUAL / "tasks" / "batches.md").read_text("utf-8"), re.M | re.S)
    assert manifest
    (place / "jobs.toml").write_text(manifest[1], encoding="utf-8")
    (place / "pairs.json").write_text("[[3, 3]]", encoding="utf-8")
    bpy.ops.wm.save_as_mainfile(filepath=str(place / "characters.blend"))
    shutil.copytree(small_model, place / "model")
    return place


@pytest.mark.slow
def test_every_command_runs(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(folder)
    run = []
    for page, line in lines():
        for program, *arguments in calls(line):
            what = f"{page.name}: {shlex.join([program, *arguments])}"
            if program == "python":
                assert (ROOT / arguments[0]).is_file(), what
                continue
            if tuple(arguments[:2]) in DOWNLOADS or arguments == ["serve"]:  # which would serve for ever
                cli.parser().parse_args(arguments)
                continue
            looks = {"photo.png", "pictures"} & set(arguments) and arguments[0] != "picture"
            more: tuple[str, ...] = SMALL if looks else ()
            more += QUICK.get((arguments[0], arguments[1] if len(arguments) > 1 else ""), ())
            open_empty_file()  # each command is a Blender of its own
            code = cli.main([*arguments, *more])
            assert code == 0, f"{what}\n{capfd.readouterr().err[-2000:]}"
            run.append(arguments[0])
    assert {"transfer", "match", "match-set", "motion", "pose", "build-armature", "texture-photo", "batch"} <= set(run)
