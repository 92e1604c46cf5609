"""The report of a batch: what needs a look first, what was written, and pictures of it."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import bpy
import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.creatures import creature
from helpers.empty_file import open_empty_file
from helpers.main_job import paint
from helpers.rigged import new_armature
from helpers.shell import blob, json_result, run, write_mesh
from meshkin.scene.rig import binding

pytestmark = [pytest.mark.usefixtures("own_home"), pytest.mark.slow]


def pixels(path: Path) -> NDArray[np.float32]:
    """A picture's colors, (H, W, 3)."""
    image = bpy.data.images.load(str(path))
    values = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(values)
    return values.reshape(image.size[1], image.size[0], 4)[..., :3]


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A batch of transfers and a match, some of which fail, with its report."""
    folder = tmp_path_factory.mktemp("report")
    open_empty_file()
    hero = creature("Hero", subdivisions=2)
    paint(hero)
    bpy.data.images["skin"].pack()
    binding.bind(
        hero, new_armature("Rig", {"lower": ((0, 0, -1), (0, 0, 0), None), "upper": ((0, 0, 0), (0, 0, 1), "lower")})
    )
    creature("Bystander").location.x = 40
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "hero.blend"))
    for number, name in enumerate(("Clone", "Cousin"), 1):
        open_empty_file()
        obj = creature("Body", 1 + number / 5, subdivisions=2 if name == "Clone" else 3)
        obj.location.x = 20 * number
        obj.data.uv_layers.new(name="map")
        bpy.ops.wm.save_as_mainfile(filepath=str(folder / f"{name}.blend"))
    write_mesh(folder / "a.obj", *blob(1, 2))
    write_mesh(folder / "b.obj", *blob(1.3, 2))
    cast = {"sources": ["hero.blend:Hero"], "targets": ["C*.blend:Body", "hero.blend:Nobody"]}
    more = {"features": "--features geometric", "arguments": "--texture-size 64 --unwrap smart"}
    manifest = {
        "items": [{"id": "ab", "verb": "match", "arguments": "a.obj b.obj --features geometric"}],
        "matrix": {**cast, "what": ["texture,weights,hair"], **more},
    }
    (folder / "jobs.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert run("batch", folder / "jobs.json", "--output", folder / "out", "--jobs", "2").returncode == 1
    ran = run("batch", "report", folder / "out", "--jobs", "2", "--json")
    assert ran.returncode == 0, ran.stderr
    return folder / "out"


@pytest.mark.slow
def test_what_needs_a_look_is_first(reported: Path) -> None:
    with (reported / "report.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["state"] for row in rows] == ["failed", "blocked", "done", "done", "done"]
    assert rows[0]["item"] == "features-Nobody"
    assert "no object “Nobody”" in rows[0]["error"]
    assert rows[1]["target"] == "Nobody"
    assert rows[-1]["item"] == "ab"  # nothing was left out, and no warning
    carried = [row for row in rows if row["target"] in ("Clone-Body", "Cousin-Body")]
    assert [row["written"] for row in carried] == ["texture, weights"] * 2
    assert all("hair (" in row["left_out"] for row in carried)
    assert all(0 < float(row["confidence"]) <= 1 for row in rows[2:])


def test_the_page_shows_every_target_before_and_after(reported: Path) -> None:
    page = (reported / "report.html").read_text(encoding="utf-8")
    bodies = {match[2]: match[1] for match in re.finditer(r"<tr class=\"\w+\">(.*?<b>([\w-]+)</b>.*?)</tr>", page)}
    assert next(iter(bodies)) == "features-Nobody"
    for name in ("Clone-Body", "Cousin-Body"):
        pictures = dict(reversed(found) for found in re.findall(r'src="([^"]+)" alt="(\w+)"', bodies[name]))
        assert set(pictures) == {"source", "before", "after"}
        before, after = (pixels(reported / pictures[what]) for what in ("before", "after"))
        assert before.shape == (160, 160, 3)
        assert np.ptp(before, axis=-1).max() < 0.02  # no color yet
        assert np.ptp(after, axis=-1).max() > 0.3
        outline = [np.abs(picture - picture[0, 0]).max(axis=-1) > 0.05 for picture in (before, after)]
        assert (outline[0] == outline[1]).mean() > 0.95
    for link in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert (reported / link).is_file()


def test_a_source_of_another_file_is_gone_when_that_is_done(reported: Path) -> None:
    bpy.ops.wm.open_mainfile(filepath=str(reported / "texture-weights-hair-Hero-Clone-Body.blend"))
    body = bpy.data.objects["Body"]
    assert {group.name for group in body.vertex_groups} == {"upper", "lower"}
    assert {obj.name for obj in bpy.data.objects} == {"Body"}  # weights alone bring no rig
    assert {collection.name for collection in bpy.data.collections} == set()
    assert len(bpy.data.scenes) == 1


def test_features_are_those_that_the_transfers_use(reported: Path, own_home: Path) -> None:
    assert len(list((own_home / "cache" / "features").iterdir())) == 3 + 2


def test_pictures_are_made_once(reported: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (reported / "thumbnails").glob("*.png")}
    assert len(before) == 6 + 2  # Hero, two before and after each; a, b with and without the map's colors
    ran = run("batch", "report", reported, "--json")
    assert json_result(ran)["pictures"] == len(before)
    assert {path: path.stat().st_mtime_ns for path in (reported / "thumbnails").glob("*.png")} == before
