"""The README's two commands: what they install, and what they say was not tested."""

from __future__ import annotations

from pathlib import Path

import pytest

import run


def test_every_blender_has_a_group_and_a_python() -> None:
    for series in run.PYTHONS:
        requirements = run.group(f"blender-{series.replace('.', '-')}")
        assert requirements[0].startswith(f"bpy=={series}.")
        assert any(line.startswith("pytest") for line in requirements)


def test_tools_come_from_their_one_list() -> None:
    names = {line.split("~")[0] for line in run.development_tools()}
    assert {"pytest", "ruff", "mypy", "hypothesis", "pre-commit"} <= names


def test_what_was_not_tested_is_said_in_the_last_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "worker_environment", lambda: Path("python"))
    monkeypatch.setattr(run, "blender_environment", lambda name, python: Path("python"))
    monkeypatch.setattr(run, "run", lambda *arguments: None)
    monkeypatch.setattr(run, "check", lambda name, *arguments: "")
    monkeypatch.setattr(run, "find_python", lambda version: Path("python") if version == "3.11" else None)
    assert run.test(["5.0", "5.2"], everything=False) == 0
    assert capsys.readouterr().err.splitlines()[-1].endswith("Not tested: Blender 5.2 (no Python 3.13 was found).")
    monkeypatch.setattr(run, "find_python", lambda version: Path("python"))
    assert run.test(["5.0", "5.2"], everything=False) == 0
    assert capsys.readouterr().err.splitlines()[-1].endswith("All passed.")
