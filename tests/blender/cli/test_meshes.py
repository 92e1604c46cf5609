"""Commands on mesh files: the maps and features they leave."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.empty_file import open_empty_file
from helpers.shell import GEOMETRIC, WORKER, add_object, blob, check_error, json_result, run, write_mesh
from meshkin import workflow
from meshkin.base.progress import finish
from meshkin.scene import files
from meshkin.worker import client

pytestmark = pytest.mark.usefixtures("own_home")


def shuffled(vertices: NDArray[np.float64], faces: list[list[int]]) -> tuple[NDArray[np.float64], list[list[int]]]:
    """The same surface with its vertices in another order."""
    order = np.random.default_rng(0).permutation(len(vertices))
    return vertices[order], np.argsort(order)[np.array(faces)].tolist()


def check_map(path: Path, source: int, target: int) -> dict[str, NDArray[Any]]:
    """Check a MAP.npz between surfaces with so many vertices; its arrays."""
    with np.load(path, allow_pickle=False) as data:
        found = {name: data[name] for name in data.files if name != "meshkin_seal"}
    fields = {"face": (np.int32, ()), "barycentric": (np.float32, (3,)), "vertex": (np.int32, ())}
    fields["confidence"] = (np.float32, ())
    expected = {prefix + name for prefix in ("", "inverse_") for name in fields}
    assert set(found) == expected | {"source_faces", "target_faces", "notes"}
    ends = {"source": source, "target": target}
    for name, count in ends.items():
        faces = found[f"{name}_faces"]
        assert (faces.dtype, faces.shape[1:]) == (np.int32, (3,))
        assert set(faces.ravel().tolist()) == set(range(count))
    for prefix, domain, reached in (("", "target", "source"), ("inverse_", "source", "target")):
        for name, (kind, shape) in fields.items():
            array = found[prefix + name]
            assert (array.dtype, array.shape) == (kind, (ends[domain], *shape))
        assert 0 <= found[f"{prefix}face"].min() <= found[f"{prefix}face"].max() < len(found[f"{reached}_faces"])
        assert found[f"{prefix}barycentric"].min() >= 0
        np.testing.assert_allclose(found[f"{prefix}barycentric"].sum(1), 1, atol=1e-5)
        corners = found[f"{reached}_faces"][found[f"{prefix}face"]]
        heaviest = np.take_along_axis(corners, found[f"{prefix}barycentric"].argmax(1)[:, None], 1)[:, 0]
        assert (found[f"{prefix}vertex"] == corners.T).any(0).all()
        assert (found[f"{prefix}vertex"] == heaviest).mean() > 0.8  # the nearest one, but for slender triangles
        assert 0 <= found[f"{prefix}confidence"].min() <= found[f"{prefix}confidence"].max() <= 1
    return found


def distances(
    found: dict[str, NDArray[Any]], source: NDArray[np.float64], target: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How far each target vertex's kin lies from the place it has on the same surface."""
    corners = source[found["source_faces"][found["face"]]]
    return np.linalg.norm(np.einsum("vk,vkc->vc", found["barycentric"], corners) - target, axis=1)


@pytest.mark.slow
def test_match_keeps_the_files_order_and_equals_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    surface = blob()
    other = shuffled(*surface)
    source, target = write_mesh(tmp_path / "one.obj", *surface), write_mesh(tmp_path / "two.ply", *other)
    ran = run("match", source, target, *GEOMETRIC, "--output", tmp_path / "new" / "map.npz", "--json")
    assert ran.returncode == 0, ran.stderr
    data = json_result(ran)
    assert (data["ok"], data["output"]) == (True, str(tmp_path / "new" / "map.npz"))
    assert "Measuring the surface" in ran.stderr
    found = check_map(tmp_path / "new" / "map.npz", len(surface[0]), len(other[0]))
    np.testing.assert_array_equal(np.sort(found["target_faces"]), np.sort(other[1]))
    apart = distances(found, surface[0], other[0])
    assert np.median(apart) < 0.05
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["map.npz"]

    monkeypatch.setenv("MESHKIN_CACHE", str(tmp_path / "cache"))  # so that it is computed, not found
    client.stop()
    report = finish(
        workflow.match(files.load(source), files.load(target), workflow.Options(workflow.FeatureOptions("geometric")))
    )
    client.stop()
    assert Path(report.data["map"]).is_relative_to(tmp_path / "cache")
    with np.load(report.data["map"], allow_pickle=False) as library:
        for name, array in found.items():
            np.testing.assert_array_equal(library[name], array)


@pytest.mark.slow
def test_match_with_an_object_of_a_blend_file(tmp_path: Path) -> None:
    surface, other = blob(subdivisions=2), blob(1.2, subdivisions=3)
    add_object("Ядро:🦊", *other)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "two.blend"))
    source = write_mesh(tmp_path / "one.off", *surface)
    ran = run(
        *("match", source, f"{tmp_path / 'two.blend'}:Ядро:🦊", *GEOMETRIC, "--output", tmp_path / "map.npz"),
        PYTHONIOENCODING="ascii",
    )
    assert ran.returncode == 0, ran.stderr
    assert f"Written to {tmp_path / 'map.npz'}." in ran.stdout.splitlines()
    check_map(tmp_path / "map.npz", len(surface[0]), len(other[0]))


@pytest.mark.slow
def test_a_set_of_files(tmp_path: Path) -> None:
    """Every two of them have a map, and all go through the first."""
    stretches = (1.0, 1.2, 0.9)
    surfaces = [blob(stretch, 2) for stretch in stretches]
    paths = [write_mesh(tmp_path / f"m{index}.off", *surface) for index, surface in enumerate(surfaces)]
    ran = run("match-set", *paths, *GEOMETRIC, "--output", tmp_path / "maps", "--json")
    assert ran.returncode == 0, ran.stderr
    names = ["m0-m1.npz", "m0-m2.npz", "m1-m2.npz"]
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == names
    assert json_result(ran)["maps"][str(tmp_path / "maps" / names[2])] == [str(paths[1]), str(paths[2])]
    count = len(surfaces[0][0])
    for name in names:
        with np.load(tmp_path / "maps" / name) as found:
            assert found["face"].shape == found["inverse_face"].shape == (count,)
    (tmp_path / "file").write_text("in the way")
    check_error(run("match-set", *paths, "--output", tmp_path / "file" / "maps", "--json"), 6, "file-failed")


@pytest.mark.slow
def test_names_that_would_give_one_file(tmp_path: Path) -> None:
    """Each map has a file of its own, whatever characters the objects' names have, and where case does not count."""
    open_empty_file()
    listed = ["m", "x/y", "x:y", "X/Y", "M"]
    for number, name in enumerate(listed):
        add_object(name, *blob(1 + number / 10, 1))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "set.blend"))
    meshes = [f"{tmp_path / 'set.blend'}:{name}" for name in listed]
    ran = run("match-set", *meshes, *GEOMETRIC, "--output", tmp_path / "maps", "--json")
    assert ran.returncode == 0, ran.stderr
    files = [path.name.lower() for path in (tmp_path / "maps").iterdir()]
    assert len(files) == len(set(files)) == len(json_result(ran)["maps"]) == 10


@pytest.mark.slow
def test_point_pairs_and_flip_reach_the_matcher(tmp_path: Path) -> None:
    """By vertex numbers in a table, or by coordinates as an .obj file has them."""
    surface = blob(subdivisions=2)
    one, two = write_mesh(tmp_path / "a.obj", *surface), write_mesh(tmp_path / "b.off", *blob(1.2, 2))
    x, y, z = surface[0][5].tolist()
    (tmp_path / "pairs.csv").write_text("source,target\n5,5\n40,40\n")
    (tmp_path / "pairs.json").write_text(json.dumps({"source": [[x, y, z], 40], "target": [5, 40]}))
    maps = []
    for more in ([], ["--flip"], ["--pairs", tmp_path / "pairs.csv"], ["--pairs", tmp_path / "pairs.json"]):
        ran = run("match", one, two, *GEOMETRIC, *more, "--output", tmp_path / "m.npz", "--json")
        assert ran.returncode == 0, ran.stderr
        data = json_result(ran)
        assert data["pairs"] == ([[5, 5], [40, 40]] if "--pairs" in more else [])
        assert data["flip"] == ("--flip" in more)
        maps.append(data["map"])
    assert maps[2] == maps[3]
    assert len(set(maps)) == 3


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("pairs.json", '{"source": [1, 2], "target": [3]}', "pairs-count"),
        ("pairs.json", "[[1, NaN]]", "pairs-invalid"),
        ("pairs.csv", "0,999999\n", "pair-no-vertex"),
        ("pairs.csv", "0,0,0,500,0,0\n", "pair-off-surface"),
        ("missing.csv", None, "file-missing"),
    ],
)
def test_point_pairs_that_cannot_be_used(tmp_path: Path, name: str, text: str | None, code: str) -> None:
    one, two = (write_mesh(tmp_path / f"{letter}.off", *blob(stretch, 2)) for letter, stretch in (("a", 1), ("b", 1.2)))
    if text is not None:
        (tmp_path / name).write_text(text)
    ran = run("match", one, two, *GEOMETRIC, "--pairs", tmp_path / name, "--output", tmp_path / "m.npz", "--json")
    check_error(ran, 3, code)
    assert not (tmp_path / "m.npz").exists()


def test_features_of_a_mesh_file(tmp_path: Path) -> None:
    surface = blob(subdivisions=2)
    output = tmp_path / "f.safetensors"
    ran = run("features", write_mesh(tmp_path / "one.off", *surface), *GEOMETRIC, "--output", output)
    assert ran.returncode == 0, ran.stderr
    assert f"Written to {output}." in ran.stdout.splitlines()
    assert "Measuring the surface" not in ran.stdout
    code = (
        "import json, sys; from safetensors.numpy import load_file; found = load_file(sys.argv[1]);"
        "print(json.dumps({name: [str(a.dtype), a.shape, bool((a == a).all())] for name, a in found.items()}))"
    )
    told = subprocess.run([WORKER, "-c", code, str(output)], capture_output=True, check=True, text=True)
    arrays = json.loads(told.stdout)
    count = len(surface[0])
    assert arrays["features"][1][0] == count
    assert arrays["features"][1][1] > 16
    assert arrays["features"][2]
    assert arrays["seen"] == ["int16", [count], True]
    assert arrays["confidence"] == ["float32", [count], True]
