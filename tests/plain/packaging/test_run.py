"""The README's commands: what they install, what they run, and what they say was not tested."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import run
from helpers.places import ROOT


def pretend_environments(monkeypatch: pytest.MonkeyPatch, check: Callable[..., str]) -> None:
    """Environments that are there, and ``check`` in place of running what it is given."""
    monkeypatch.setattr(run, "worker_environment", lambda: Path("python"))
    monkeypatch.setattr(run, "blender_environment", lambda name, python: Path("python"))
    monkeypatch.setattr(run, "find_python", lambda version: Path("python"))
    monkeypatch.setattr(run, "run", lambda *arguments: None)
    monkeypatch.setattr(run, "check", check)


def test_every_blender_has_a_group_and_a_python() -> None:
    for series in run.PYTHONS:
        requirements = run.group(f"blender-{series.replace('.', '-')}")
        assert requirements[0].startswith(f"bpy=={series}.")
        assert any(line.startswith("pytest") for line in requirements)


def test_tools_come_from_their_one_list() -> None:
    names = {line.split("~")[0] for line in run.development_tools()}
    assert {"pytest", "ruff", "mypy", "hypothesis", "pre-commit"} <= names


@pytest.mark.parametrize(("broken", "code"), [("", 0), ("style", 1), ("formatting", 1), ("types", 1)])
def test_style_runs_what_the_tests_run(
    broken: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Style, formatting and types, whatever the outcome of the first, by one definition."""
    ran: list[tuple[str, ...]] = []

    def check(name: str, python: Path, *arguments: str) -> str:
        ran.append((name, *arguments))
        return name if name == broken else ""

    pretend_environments(monkeypatch, check)
    assert run.style() == code
    checks = list(ran)
    assert [name for name, *_ in checks] == ["style", "formatting", "types"]
    assert capsys.readouterr().err.splitlines()[-1].endswith(f"Failed: {broken}." if broken else "All passed.")
    ran.clear()
    assert run.test(["5.2"], everything=False) == code
    assert ran[:3] == checks


def test_style_needs_no_environment_of_its_own_where_all_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    pythons: list[Path] = []

    def check(name: str, python: Path, *arguments: str) -> str:
        pythons.append(python)
        return ""

    pretend_environments(monkeypatch, check)
    assert run.lacking(["pytest~=9.2", "no_such_library>=3", "ruff"]) == ["no_such_library"]
    monkeypatch.setattr(run, "development_tools", lambda: ["pytest"])
    assert run.style() == 0
    monkeypatch.setattr(run, "development_tools", lambda: ["no_such_library"])
    assert run.style() == 0
    assert pythons == [Path(sys.executable)] * 3 + [Path("python")] * 3


def test_pre_commit_runs_style() -> None:
    config = ROOT / ".pre-commit-config.yaml"
    ran = subprocess.run([sys.executable, "-m", "pre_commit", "validate-config", config], check=False)
    assert ran.returncode == 0
    assert "entry: python packaging/run.py style\n" in config.read_text(encoding="utf-8")


def test_what_was_not_tested_is_said_in_the_last_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend_environments(monkeypatch, lambda name, *arguments: "")
    monkeypatch.setattr(run, "find_python", lambda version: Path("python") if version == "3.11" else None)
    assert run.test(["5.0", "5.2"], everything=False) == 0
    assert capsys.readouterr().err.splitlines()[-1].endswith("Not tested: Blender 5.2 (no Python 3.13 was found).")
    monkeypatch.setattr(run, "find_python", lambda version: Path("python"))
    assert run.test(["5.0", "5.2"], everything=False) == 0
    assert capsys.readouterr().err.splitlines()[-1].endswith("All passed.")
