"""What stands in the way of a release is said before anything is built."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import release
from meshkin import __version__

CHANGELOG = f"# Changelog\n\n## Unreleased\n\n## {__version__}\n\n- First.\n- Second.\n\n## 0.0.1\n\n- Older.\n"


def git(folder: Path, *arguments: str) -> None:
    """Run git in a folder, as somebody."""
    who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clean checkout with nothing but a changelog."""
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG, encoding="utf-8")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "All")
    monkeypatch.setattr(release, "ROOT", tmp_path)
    monkeypatch.setattr(release, "CHANGELOG", tmp_path / "CHANGELOG.md")
    return tmp_path


def test_a_clean_checkout_of_the_version_can_be_released(checkout: Path) -> None:
    assert release.problems_of(__version__) == []
    assert release.section(__version__) == "- First.\n- Second."


@pytest.mark.parametrize(
    ("version", "changelog", "said"),
    [
        ("9.9.9", CHANGELOG.replace(__version__, "9.9.9"), f"The library's version is {__version__}"),
        (__version__, CHANGELOG.replace(f"## {__version__}", "## 9.9.9"), "no section"),
        (__version__, CHANGELOG.replace("## Unreleased\n", "## Unreleased\n\n- More.\n"), "“## Unreleased”"),
        ("next", CHANGELOG, "is no version such as 1.2.3"),
    ],
)
def test_versions_must_agree(checkout: Path, version: str, changelog: str, said: str) -> None:
    (checkout / "CHANGELOG.md").write_text(changelog, encoding="utf-8")
    git(checkout, "commit", "-am", "Changed", "--allow-empty")
    assert any(said in problem for problem in release.problems_of(version))


def test_changes_that_are_not_committed_are_named(checkout: Path) -> None:
    (checkout / "notes.txt").write_text("to do", encoding="utf-8")
    (problem,) = release.problems_of(__version__)
    assert "notes.txt" in problem
    with pytest.raises(SystemExit, match=r"notes\.txt"):
        release.make(__version__, checkout / "dist")
    assert not (checkout / "dist").exists()


def test_the_listings_pictures_have_the_sizes_that_are_asked_for(tmp_path: Path) -> None:
    assert release.picture_size(release.LISTING / "icon.png") == (256, 256)
    assert release.picture_size(release.LISTING / "featured.jpg") == (1920, 1080)
    (tmp_path / "none.png").write_bytes(b"text")
    assert release.picture_size(tmp_path / "none.png") == release.picture_size(tmp_path / "missing.png") == (0, 0)
