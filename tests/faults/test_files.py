"""Hostile mesh files through the command line: a sentence or a result, nothing lost, nothing left behind."""

from __future__ import annotations

import os

import pytest

from helpers.apart import outcomes_of
from helpers.outcomes import Outcomes, few
from helpers.places import Place
from helpers.shell import GEOMETRIC, check_error, run, tetrahedron
from hostile_files import WHOLE, HostileFile, all_files

CODES = ("file-unreadable", "file-no-mesh", "mesh-nan", "mesh-far", "mesh-no-area", "mesh-empty", "blender-crashed")
"""Errors that are right for a hostile file."""


THROUGH_THE_COMMAND = all_files()[:: len(all_files()) // 8]


@pytest.mark.parametrize("file", THROUGH_THE_COMMAND, ids=lambda file: file.name)
def test_hostile_files(place: Place, outcomes: Outcomes, file: HostileFile) -> None:
    path = place.work / f"in.{file.name.rpartition('.')[2]}"
    path.write_bytes(file.content)
    output = place.work / "f.safetensors"
    ran = run("features", path, *GEOMETRIC, "--output", output, "--json")
    code = outcomes.of_run(ran, "a hostile file", file.name)
    assert code in (file.codes or ("", *CODES)), ran.stderr
    assert output.exists() == (code == "")
    output.unlink(missing_ok=True)
    assert [left.name for left in place.work.iterdir()] == [path.name]
    assert path.read_bytes() == file.content


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks")
def test_hostile_files_in_scripts(place: Place, outcomes: Outcomes) -> None:
    """The same files, all of them in a run by hand, by the library's own function, as scripts call it."""
    chosen, folder = few(all_files(), 60), place.work / "files"
    folder.mkdir()
    for number, file in enumerate(chosen):
        (folder / f"{number:04d}.{file.name.rpartition('.')[2]}").write_bytes(file.content)
    codes = outcomes_of(folder)
    wrong = []
    for file, code in zip(chosen, codes, strict=True):
        outcomes.tell("a hostile mesh file", file.name, code.removeprefix("ok"))
        if code.removeprefix("ok") not in (file.codes or ("", "crashed", *CODES)):
            wrong.append((file.name, code))
    assert not wrong


@pytest.mark.parametrize("suffix", ["binary.ply", "glb"])
def test_whole_files_are_read(place: Place, suffix: str) -> None:
    """What is refused above is refused for what is wrong with it."""
    path = place.work / f"in.{suffix}"
    path.write_bytes(WHOLE[suffix])
    ran = run("features", path, *GEOMETRIC, "--output", place.work / "f.safetensors", "--json")
    assert ran.returncode == 0, ran.stderr


def test_a_crash_of_blender_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blender's importers crash on some files; here something else crashes as one would."""
    sitecustomize = place.work / "site"
    sitecustomize.mkdir()
    crash = "import os, sys\nif os.environ.get('MESHKIN_RESULT_FILE'): os.kill(os.getpid(), 11)\n"
    (sitecustomize / "sitecustomize.py").write_text(crash)
    mesh = tetrahedron(place.work)
    monkeypatch.setenv("PYTHONPATH", f"{sitecustomize}:{os.environ['PYTHONPATH']}")
    ran = run("features", mesh, *GEOMETRIC, "--output", place.work / "f.safetensors", "--json")
    assert "SIGSEGV" in check_error(ran, 5, "blender-crashed")["message"]
