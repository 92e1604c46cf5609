"""Make a release: the extension's zip, a repository for self-hosted updates, the listing's texts, and the manual.

    python packaging/run.py release VERSION

writes the folder ``dist/VERSION``:

- ``repository/``: the zip with ``index.json`` and ``index.html``, to be put on any web server as it is. People drag the
  address of ``index.json`` into Blender, which then offers updates.
- ``listing/``: what the form of extensions.blender.org asks for.
- ``manual/``: the manual for a browser.

Before anything is built, the checkout must be clean, the library must have this version, and the changelog must have a
section of this version and none of what is unreleased. Everything is checked by Blender's own validator. Nothing is
uploaded.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import build_extension

ROOT = Path(__file__).resolve().parents[1]
CHANGELOG = ROOT / ".github" / "CHANGELOG.md"
LISTING = ROOT / "packaging" / "listing"
MANIFEST = "blender_manifest.toml"
UNRELEASED = "Unreleased"
"""The changelog's section of what the next release will have."""
SCHEMA = "v1"
"""Version of the format of a repository's ``index.json``."""


def make(version: str, output: Path) -> Path:
    """Build and check everything but the manual in ``output``, which is made anew; exits with a message on failure."""
    problems = problems_of(version)
    if problems:
        sys.exit("No release: " + "\n".join(problems))
    shutil.rmtree(output, ignore_errors=True)
    archive = build_extension.build(output / "repository")
    make_repository(archive.parent)
    problems = repository_problems(archive.parent) + listing_problems(archive)
    if problems:
        sys.exit("No release: " + "\n".join(problems))
    shutil.copytree(LISTING, output / "listing", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    (output / "listing" / "release-notes.md").write_text(section(version) + "\n", encoding="utf-8")
    return output


def problems_of(version: str) -> list[str]:
    """Return why this version cannot be released from this checkout, in sentences."""
    sys.path.insert(0, str(ROOT / "core"))
    from meshkin import __version__

    problems = []
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        problems.append(f"“{version}” is no version such as 1.2.3.")
    if __version__ != version:
        problems.append(f"The library's version is {__version__}; change it in core/meshkin/__init__.py.")
    if not section(version):
        problems.append(f"{CHANGELOG.name} has no section “## {version}” with a line.")
    if section(UNRELEASED):
        problems.append(f"{CHANGELOG.name} has changes under “## {UNRELEASED}”: put them under “## {version}”.")
    changes = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=False)
    if changes.returncode:
        problems.append("This is no checkout of git, so that nobody could tell what was released.")
    elif changes.stdout:
        problems.append(f"The checkout has changes that are not committed:\n{changes.stdout.rstrip()}")
    return problems


def section(version: str) -> str:
    """Return what the changelog says about a version; "" if it says nothing."""
    text = CHANGELOG.read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(version)}\b[^\n]*\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def make_repository(folder: Path) -> None:
    """Write ``index.json`` and ``index.html`` for the zips in a folder, by Blender's own program."""
    build_extension.run(*build_extension.find_packer(), "server-generate", "--repo-dir", str(folder), "--html")


def repository_problems(folder: Path) -> list[str]:
    """Return what is wrong with a repository: its listing must give each zip as it is."""
    listing: dict[str, Any] = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    archives = {path.name: path for path in folder.glob("*.zip")}
    problems = (
        [] if listing["version"] == SCHEMA else [f"index.json has the format {listing['version']}, not {SCHEMA}."]
    )
    listed = set()
    for entry in listing["data"]:
        name = entry["archive_url"].removeprefix("./")
        listed.add(name)
        if name not in archives:
            problems.append(f"index.json lists {name}, which is not there.")
            continue
        content = archives[name].read_bytes()
        manifest = read_manifest(archives[name])
        if entry["archive_size"] != len(content):
            problems.append(f"index.json gives another size of {name}.")
        if entry["archive_hash"] != f"sha256:{hashlib.sha256(content).hexdigest()}":
            problems.append(f"index.json gives another checksum of {name}.")
        problems += [
            f"index.json gives another {field} of {name}."
            for field in ("id", "version", "blender_version_min", "license")
            if entry[field] != manifest[field]
        ]
    return problems + [f"index.json does not list {name}." for name in sorted(set(archives) - listed)]


def read_manifest(archive: Path) -> dict[str, Any]:
    """Return the manifest in an extension's zip."""
    with ZipFile(archive) as opened:
        name = min((name for name in opened.namelist() if name.endswith(MANIFEST)), key=len)
        return tomllib.loads(opened.read(name).decode("utf-8"))


def listing_problems(archive: Path) -> list[str]:
    """Return what extensions.blender.org would refuse, beyond what Blender's validator checks.

    Its guidelines: the tagline has at most 64 characters and no period at its end, the name does not name Blender,
    permissions have short reasons, the icon is a square PNG of 256 pixels, the featured image has 1920 by 1080.
    """
    manifest = read_manifest(archive)
    problems = []
    for what, text in {"tagline": manifest["tagline"], **manifest.get("permissions", {})}.items():
        if len(text) > 64 or text.endswith("."):
            problems.append(f"The text of “{what}” in the manifest must be at most 64 characters without a period.")
    if "blender" in manifest["name"].lower():
        problems.append("The name must not name Blender.")
    for name, size in {"icon.png": (256, 256), "featured.jpg": (1920, 1080)}.items():
        if picture_size(LISTING / name) != size:
            problems.append(f"{name} must have {size[0]} by {size[1]} pixels.")
    if not (LISTING / "description.md").read_text(encoding="utf-8").strip():
        problems.append("description.md is empty.")
    return problems


def picture_size(path: Path) -> tuple[int, int]:
    """Return width and height of a PNG or baseline JPEG file; zeros if it is neither."""
    content = path.read_bytes() if path.is_file() else b""
    if content[:8] == b"\x89PNG\r\n\x1a\n":
        return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    frame = re.search(rb"\xff[\xc0-\xc2]..\x08(..)(..)", content, re.DOTALL) if content[:2] == b"\xff\xd8" else None
    return (int.from_bytes(frame[2], "big"), int.from_bytes(frame[1], "big")) if frame else (0, 0)
