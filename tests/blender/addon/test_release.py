"""The extension's zip and the repository of a release, made and checked by Blender's own packer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import build_extension
import release
from helpers.places import ROOT


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the extension, of a made-up version and without its wheel, whose build would need a network."""

    def no_wheel(scratch: Path, folder: Path) -> Path:
        wheel = folder / "meshkin-1.2.3-py3-none-any.whl"
        folder.mkdir()
        shutil.make_archive(str(wheel), "zip", ROOT / "core" / "meshkin" / "data")
        return wheel.with_name(wheel.name + ".zip").rename(wheel)

    monkeypatch.setattr(build_extension, "build_wheel", no_wheel)
    folder = build_extension.build(tmp_path / "repository").parent
    release.make_repository(folder)
    return folder


def changed(folder: Path, **values: Any) -> list[str]:
    """Return what is wrong with a repository whose first entry has other values."""
    index = folder / "index.json"
    listing = json.loads(index.read_text(encoding="utf-8"))
    listing["data"][0] |= values
    index.write_text(json.dumps(listing), encoding="utf-8")
    return release.repository_problems(folder)


def test_a_release_passes_blenders_checks_and_the_listings(repository: Path) -> None:
    (archive,) = repository.glob("*.zip")
    assert archive.name == "meshkin-1.2.3.zip"
    assert release.read_manifest(archive)["version"] == "1.2.3"
    assert release.repository_problems(repository) == []
    assert release.listing_problems(archive) == []
    assert (repository / "index.html").is_file()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"archive_hash": "sha256:0"}, "another checksum"),
        ({"archive_size": 1}, "another size"),
        ({"version": "1.2.4"}, "another version"),
        ({"archive_url": "./meshkin-1.2.4.zip"}, "does not list meshkin-1.2.3.zip"),
    ],
)
def test_a_listing_that_does_not_fit_the_zip_is_found(repository: Path, values: dict[str, Any], said: str) -> None:
    assert any(said in problem for problem in changed(repository, **values))


def test_tags_that_the_platform_does_not_know_are_refused(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "extension"
    shutil.unpack_archive(next(repository.glob("*.zip")), folder)
    manifest = next(folder.rglob(release.MANIFEST))
    manifest.write_text(manifest.read_text(encoding="utf-8").replace('"Rigging"', '"Riging"'), encoding="utf-8")
    packer = build_extension.find_packer()
    with pytest.raises(SystemExit, match="Riging"):
        build_extension.run(*packer, "validate", *build_extension.valid_tags(packer), str(manifest.parent))
