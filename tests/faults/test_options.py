"""Options, paths and streams as nobody should give them: clear errors at once, or the job is done all the same."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from helpers.creatures import creature
from helpers.outcomes import Outcomes, few
from helpers.places import Place
from helpers.shell import GEOMETRIC, WORKER, check_error, json_result, run, tetrahedron
from meshkin import workflow
from meshkin.base import network
from meshkin.base.errors import InputError, MeshKinError, OptionError
from meshkin.base.options import options_of
from meshkin.base.progress import finish
from meshkin.data import point_pairs

GROUPS = (
    *(workflow.FeatureOptions, workflow.TextureOptions, workflow.WeightOptions),
    *(workflow.RigOptions, workflow.AttributeOptions),
)
NUMBERS = [
    (group, name)
    for group in GROUPS
    for name, option in options_of(group).items()
    if isinstance(option.default, int | float) and not isinstance(option.default, bool)
]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300, -1e300], ids=str)
def test_numbers_that_are_none(outcomes: Outcomes, value: float) -> None:
    assert NUMBERS
    for group, name in NUMBERS:
        option = options_of(group)[name]
        bounded = option.most is not None if value > 0 else option.least is not None
        if not math.isfinite(value) or bounded:
            with pytest.raises(InputError) as raised:
                workflow.Options().changed(**{option.flat: value})
            assert raised.value.code == "option-invalid"
            assert option.name in raised.value.message
            outcomes.tell("an option", f"{option.flat} {value}", raised.value.code)


RINGS = (((0, 99_999_999),), ((0, 600), (10, 600)), ((math.nan, 3),), ((math.inf, 3),), ((0, 0),), ((0, -3),))


@pytest.mark.parametrize("rings", RINGS, ids=str)
def test_absurd_rings(place: Place, outcomes: Outcomes, small_model: str, rings: Any) -> None:
    chosen = workflow.FeatureOptions("dinov2", model=small_model, layers=(2,), resolution=112, rings=rings)
    with pytest.raises(MeshKinError) as raised:
        finish(workflow.features([creature("one", subdivisions=2)], workflow.Options(chosen)))
    assert raised.value.code in ("features-option", "message-invalid"), raised.value
    outcomes.tell("an option", f"rings {rings}", raised.value.code)


def test_absurd_point_pairs(place: Place, outcomes: Outcomes) -> None:
    many = place.work / "many.json"
    many.write_text("[" + "[0,0]," * 2_000_000 + "[0,0]]")
    nested = place.work / "nested.json"
    nested.write_text("[" * 200_000)
    pipe = place.work / "pipe.json"
    os.mkfifo(pipe)
    cases = {many: "pairs-count", nested: "pairs-unreadable", pipe: "file-missing", place.work: "file-missing"}
    cases |= {Path("x" * 5000): "file-missing", Path("a\0b"): "file-missing"}
    for path, code in cases.items():
        with pytest.raises(InputError) as raised:
            point_pairs.read(path)
        assert raised.value.code == code
        outcomes.tell("a file of pairs", path.name[:20], code)


@pytest.mark.parametrize(
    "name", few(["pipe.off", "x" * 300 + ".off", "pipe.blend:one", "folder.off", "x" * 5000 + ".off"], 2)
)
def test_inputs_that_are_no_files(place: Place, outcomes: Outcomes, name: str) -> None:
    os.mkfifo(place.work / "pipe.off")
    os.mkfifo(place.work / "pipe.blend")
    (place.work / "folder.off").mkdir()
    ran = run("features", place.work / name, *GEOMETRIC, "--output", place.work / "f.safetensors", "--json")
    assert outcomes.of_run(ran, "an input", name[:20]) == "file-missing"


@pytest.mark.parametrize("length", [240, 300, 5000])
def test_names_of_outputs_that_are_long(place: Place, outcomes: Outcomes, length: int) -> None:
    """One that a disk can hold is written, any other is refused before the work."""
    mesh, output = tetrahedron(place.work), place.work / ("x" * length + ".st")
    ran = run("features", mesh, *GEOMETRIC, "--output", output, "--json")
    code = outcomes.of_run(ran, "an output", f"{length} letters")
    assert code == ("" if length < 255 else "file-failed")
    assert length > 255 or output.is_file()
    assert "Measuring" not in ran.stderr or not code


@pytest.mark.parametrize("closed", [(1,), (0, 1, 2)], ids=str)
def test_closed_streams(place: Place, closed: tuple[int, ...]) -> None:
    mesh, output = tetrahedron(place.work), place.work / "f.safetensors"
    command = [sys.executable, "-m", "meshkin", "features", str(mesh), *GEOMETRIC, "--output", str(output)]
    shell = f'exec "$@" {" ".join(f"{number}>&-" for number in closed)}'
    ran = subprocess.run(["sh", "-c", shell, "sh", *command], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert output.stat().st_size > 1000
    assert ("Written to" in ran.stdout) == (1 not in closed)
    assert "Traceback" not in ran.stderr


def test_a_reader_that_goes_away(place: Place) -> None:
    pipeline = f"'{WORKER}' -m meshkin models list --json | head -c 5; echo; '{WORKER}' -m meshkin cache info | true"
    ran = subprocess.run(["bash", "-o", "pipefail", "-c", pipeline], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_result_that_cannot_be_printed(place: Place) -> None:
    command = f"'{WORKER}' -m meshkin cache info --json > /dev/full"
    ran = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert ran.returncode == 6
    assert "no space left" in ran.stderr
    assert "Traceback" not in ran.stderr


NO_VALUES = {
    "MESHKIN_IDLE_SECONDS": ("inf", "0.0001", "nan", "soon", "-1", "1e300"),
    "MESHKIN_CACHE_LIMIT": ("abc", "-1", "nan", "1e9", "8.5", "8 GB", "9" * 5000, "²"),
    "MESHKIN_HOME": ("work/tetrahedron.off", "work/tetrahedron.off/in", "x" * 300, "~nobody-of-this-name/x"),
    "MESHKIN_MODELS": ("work/tetrahedron.off",),
    "MESHKIN_CACHE": ("work/tetrahedron.off",),
    "MESHKIN_EXTRACTORS": ("nowhere", "work/tetrahedron.off", f"work{os.pathsep}nowhere"),
}
"""Environment variables, and what they cannot be."""


@pytest.mark.parametrize("name", NO_VALUES)
def test_variables_that_are_invalid(
    place: Place, outcomes: Outcomes, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The variable is named before any work, on the command line and in scripts."""
    mesh = tetrahedron(place.work)
    for number, text in enumerate(NO_VALUES[name]):
        value = text.replace("work", str(place.work)).replace("tetrahedron.off", mesh.name)
        if number == 0:
            ran = run("cache", "info", "--json", python=WORKER, **{name: value})
            assert name in check_error(ran, 3, "variable-invalid")["message"]
        monkeypatch.setenv(name, value)
        with pytest.raises(OptionError, match=name) as raised:
            finish(workflow.features([creature("one", subdivisions=1)], workflow.Options(features="geometric")))
        outcomes.tell("an environment variable", f"{name} {text[:20]}", raised.value.code)


def test_variables_that_are_valid(place: Place) -> None:
    for value in ("0", "5", " 300 ", ""):
        ran = run("cache", "info", "--json", python=WORKER, MESHKIN_IDLE_SECONDS=value, MESHKIN_CACHE_LIMIT=value)
        assert json_result(ran)["files"] == 0


@pytest.mark.parametrize("proxy", ["http://", "company proxy", "proxy:99999999", "ftp://proxy", "http://a b@c"])
def test_proxies_that_are_none(outcomes: Outcomes, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("MESHKIN_PROXY", proxy)
    with pytest.raises(OptionError, match="MESHKIN_PROXY") as raised:
        network.variables()
    outcomes.tell("an environment variable", f"MESHKIN_PROXY {proxy}", raised.value.code)


def test_objects_that_are_not_named(place: Place) -> None:
    ran = run("features", "", *GEOMETRIC, "--output", place.work / "f", "--json")
    check_error(ran, 3, "file-unknown")


def test_outputs_that_must_not_be_replaced(place: Place, outcomes: Outcomes) -> None:
    """A pipe, as a device would be; a folder; and what is read."""
    mesh = tetrahedron(place.work)
    before = mesh.read_bytes()
    pipe = place.work / "pipe.safetensors"
    os.mkfifo(pipe)
    (place.work / "link.off").symlink_to(mesh)
    for output, code, exit_code in (
        (pipe, "file-failed", 6),
        (place.work, "file-failed", 6),
        (mesh, "output-is-input", 3),
        (place.work / "link.off", "output-is-input", 3),
    ):
        ran = run("features", mesh, *GEOMETRIC, "--output", output, "--json")
        assert ran.returncode == exit_code
        assert outcomes.of_run(ran, "an output", output.name.replace(str(place.work), "folder")) == code
    assert pipe.is_fifo()
    assert mesh.read_bytes() == before
