"""What goes into the extension's zip besides the files themselves."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

import build_extension
from helpers.places import ROOT

MANIFEST = ROOT / "blender_addon" / "blender_manifest.toml"


def test_the_manifest_gets_the_librarys_version_and_its_wheel(tmp_path: Path) -> None:
    path = tmp_path / "blender_manifest.toml"
    shutil.copy(MANIFEST, path)
    build_extension.write_manifest(path, "1.2.3", "meshkin-1.2.3-py3-none-any.whl")
    before, after = (tomllib.loads(file.read_text(encoding="utf-8")) for file in (MANIFEST, path))
    assert after["version"] == "1.2.3"
    assert after["wheels"] == ["./wheels/meshkin-1.2.3-py3-none-any.whl"]
    assert {**after, "version": "", "wheels": []} == {**before, "version": "", "wheels": []}


def test_a_manifest_without_a_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "blender_manifest.toml"
    path.write_text("id = 'meshkin'\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="version"):
        build_extension.write_manifest(path, "1.2.3", "meshkin.whl")
