"""The manual: it builds without a warning, and explains every error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import error_page
from helpers.places import ROOT

MANUAL = ROOT / "packaging" / "manual"
LARGEST = 100_000
"""Bytes of a picture of the manual."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manual as pages for a browser, built as the command does it; a warning is a failure."""
    folder = tmp_path_factory.mktemp("manual")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(MANUAL / "mkdocs.yml"), "-d", str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "WARNING" not in ran.stderr
    return folder


def test_every_panel_and_task_is_a_page(built: Path) -> None:
    start = (built / "index.html").read_text(encoding="utf-8")
    for page in sorted((MANUAL / "pages").rglob("*.md")):
        name = page.relative_to(MANUAL / "pages").with_suffix(".html").as_posix()
        assert (built / name).is_file()
        assert f'href="{name}"' in start or name == "index.html", f"{name} is in no list"


def test_troubleshooting_has_every_code_with_its_cause_and_fix(built: Path) -> None:
    page = (built / "troubleshooting.html").read_text(encoding="utf-8")
    entries = error_page.collected()
    assert {"mesh-empty", "model-missing", "worker-died", "disk-full", "turn-guessed", "uvs-overlap"} <= set(entries)
    for code, entry in entries.items():
        assert f'id="{code}"' in page
        assert entry.causes, code
        for cause, fix in entry.causes:
            assert cause.strip(" …."), code
            assert fix.strip(" …."), code
    assert ("“…” has no faces.", "Choose an object with a surface.") in entries["mesh-empty"].causes
    assert entries["disk-full"].kind == "StorageError"


def test_the_arguments_of_every_command_are_listed(built: Path) -> None:
    page = (built / "command-line.html").read_text(encoding="utf-8")
    for command in ("transfer", "match", "texture-photo", "cache clear", "worker setup"):
        assert f">{command}<" in page
    assert "--texture-size" in page


def test_pictures_are_small_and_used() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in [ROOT / "README.md", *MANUAL.rglob("*.md")])
    pictures = sorted((MANUAL / "pages" / "pictures").iterdir())
    assert pictures
    for picture in pictures:
        assert picture.stat().st_size <= LARGEST, picture.name
        assert picture.name in pages, f"{picture.name} is on no page"
