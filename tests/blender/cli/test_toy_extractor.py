"""A user's extractor of ten lines, in a folder of theirs: features, colors and a match through the command line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from helpers.shell import blob, check_error, json_result, run, write_mesh
from meshkin import workflow
from meshkin.base.progress import finish
from meshkin.features import registry
from meshkin.features.options import FeatureOptions
from meshkin.scene import files
from meshkin.worker import client

pytestmark = pytest.mark.usefixtures("own_home")

TOY = """
import numpy as np
from meshkin.features.extractor import SurfaceExtractor

class Toy(SurfaceExtractor):
    name = "toy"
    def describe(self, snapshot, settings, report):
        return np.column_stack((snapshot.vertices, np.ones(len(snapshot.vertices))))

EXTRACTOR = Toy()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the toy, for this process and those that it starts."""
    assert len([line for line in TOY.splitlines() if line.strip()]) <= 10
    (tmp_path / "extractors").mkdir()
    (tmp_path / "extractors" / "toy.py").write_text(TOY)
    monkeypatch.setenv(registry.FOLDERS, str(tmp_path / "extractors"))
    client.stop()  # the next worker reads the folder
    return tmp_path / "extractors"


@pytest.mark.slow
def test_features_colors_and_a_match(folder: Path, tmp_path: Path) -> None:
    surface = blob(subdivisions=3)
    one, two = (write_mesh(tmp_path / f"{name}.off", *surface) for name in ("one", "two"))
    ran = run("features", one, "--features", "toy", "--output", tmp_path / "f.safetensors", "--json")
    assert ran.returncode == 0, ran.stderr
    assert json_result(ran)["recipe"]["name"] == "toy"
    assert "Making colors" in ran.stderr
    assert (tmp_path / "f.safetensors").stat().st_size > 4 * 2 * len(surface[0])

    ran = run("match", one, two, "--features", "toy", "--output", tmp_path / "map.npz", "--json")
    assert ran.returncode == 0, ran.stderr
    with np.load(tmp_path / "map.npz") as found:
        corners = surface[0][found["source_faces"][found["face"]]]
        apart = np.linalg.norm(np.einsum("vk,vkc->vc", found["barycentric"], corners) - surface[0], axis=1)
    assert np.median(apart) < 0.02

    obj = files.load(one)
    report = finish(workflow.features([obj], workflow.Options(FeatureOptions(extractor="toy"))))
    assert report.data["recipe"]["parts"][0]["extractor"] == "toy"
    colors = obj.data.attributes["meshkin_color"]
    values = np.empty(len(surface[0]) * 4, np.float32)
    colors.data.foreach_get("color", values)
    assert values.reshape(-1, 4)[:, :3].std(axis=0).min() > 0.05
    client.stop()


@pytest.mark.slow
def test_it_joins_with_others_and_takes_settings(folder: Path, tmp_path: Path) -> None:
    mesh = write_mesh(tmp_path / "one.off", *blob(subdivisions=2))
    output: list[str | Path] = ["--output", tmp_path / "f.safetensors", "--json"]
    arguments = ["features", mesh, "--features", "toy+geometric", *output]
    ran = run(*arguments, "--set", "weight=2")
    assert ran.returncode == 0, ran.stderr
    assert [part["weight"] for part in json_result(ran)["recipe"]["parts"]] == [2, 1]
    check_error(run(*arguments, "--set", "size=2"), 3, "features-option")


def test_without_the_folder_there_is_no_toy(tmp_path: Path) -> None:
    mesh = write_mesh(tmp_path / "one.off", *blob(subdivisions=1))
    empty = {registry.FOLDERS: str(tmp_path)}
    ran = run("features", mesh, "--features", "toy", "--output", tmp_path / "f.safetensors", "--json", **empty)
    assert "geometric" in check_error(ran, 3, "features-unknown")["fix"]


def test_a_toy_that_is_broken_is_named(folder: Path, tmp_path: Path) -> None:
    (folder / "toy.py").write_text("import nothing_of_this_name")
    mesh = write_mesh(tmp_path / "one.off", *blob(subdivisions=1))
    ran = run("features", mesh, "--features", "toy", "--output", tmp_path / "f.safetensors", "--json")
    assert "nothing_of_this_name" in check_error(ran, 3, "features-unknown")["message"]
    assert json.loads(ran.stdout)["ok"] is False
    assert os.fspath(folder / "toy.py") in ran.stderr
