"""Build the Blender extension ``dist/meshkin-VERSION.zip`` and validate it.

    python packaging/build_extension.py [--output-dir dist]

Needs Python 3.11 or newer with pip. Blender's own packer does the work. It is taken from an installed ``bpy`` package
(in this Python or in an environment in ``.environments/``) or from a ``blender`` on the path; without either, the
environment of the demo and the tests is created first. The version is the library's, ``meshkin.__version__``.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import run as run_py

ROOT = Path(__file__).resolve().parents[1]
PACKER = "*/scripts/addons_core/bl_pkg/cli/blender_ext.py"
"""Blender's packer, relative to the folder of ``bpy``."""
TAGS = "modules/_bpy_internal/extensions/tags.py"
"""Tags that extensions.blender.org knows, relative to Blender's folder of scripts."""


def main() -> int:
    """Build and validate the zip, and print its path."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output-dir", type=Path, default=ROOT / "dist")
    output = parser.parse_args().output_dir.resolve()
    print(build(output))
    return 0


def build(output: Path) -> Path:
    """Build and validate the zip in the folder ``output``; returns its path. Exits with a message on failure."""
    packer = find_packer()
    with tempfile.TemporaryDirectory(prefix="meshkin-extension-") as name:
        staging = Path(name) / "meshkin"
        shutil.copytree(ROOT / "blender_addon", staging, ignore=shutil.ignore_patterns("__pycache__", "wheels"))
        shutil.copy(ROOT / "LICENSE", staging)
        wheel = build_wheel(Path(name), staging / "wheels")
        version = wheel.name.split("-")[1]
        write_manifest(staging / "blender_manifest.toml", version, wheel.name)
        output.mkdir(parents=True, exist_ok=True)
        result = output / f"meshkin-{version}.zip"
        run(*packer, "build", "--source-dir", str(staging), "--output-filepath", str(result))
        run(*packer, "validate", *valid_tags(packer), str(result))
    return result


def build_wheel(scratch: Path, folder: Path) -> Path:
    """Build the library's wheel into ``folder`` from a clean copy, and return its path."""
    source = scratch / "source"
    shutil.copytree(ROOT / "core", source / "core", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    run(*pip, "--wheel-dir", str(folder), str(source))
    (wheel,) = folder.glob("*.whl")
    return wheel


def write_manifest(path: Path, version: str, wheel: str) -> None:
    """Replace the placeholders in the extension's manifest by the library's version and its wheel."""
    text = path.read_text(encoding="utf-8")
    for name, value in (("version", f'"{version}"'), ("wheels", f'["./wheels/{wheel}"]')):
        text, count = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
        if count != 1:
            sys.exit(f"blender_manifest.toml has {count} lines “{name} = …” instead of one.")
    path.write_text(text, encoding="utf-8")


def find_packer() -> list[str]:
    """Return the command that runs Blender's packer; an environment with Blender is created if nothing has it yet."""
    if packer := installed_packer():
        return packer
    run_py.blender_environment(*run_py.first_python(["5.2", "5.0"]))
    return installed_packer() or sys.exit("Blender's packer is missing in the environment that was created for it.")


def valid_tags(packer: list[str]) -> list[str]:
    """Return the arguments by which the packer checks tags as Blender does; Blender itself needs none."""
    script = Path(packer[-1])
    return ["--valid-tags", str(script.parents[3] / TAGS)] if script.name == Path(PACKER).name else []


def installed_packer() -> list[str] | None:
    """Return the command that runs the packer of ``bpy`` or of an installed Blender; None without either."""
    spec = importlib.util.find_spec("bpy")
    folders = [Path(spec.origin).parent] if spec and spec.origin else []
    folders += sorted(ROOT.glob(".environments/*/lib/python*/site-packages/bpy"), reverse=True)
    folders += sorted(ROOT.glob(".environments/*/Lib/site-packages/bpy"), reverse=True)
    for folder in folders:
        for script in folder.glob(PACKER):
            return [sys.executable, str(script)]
    if blender := shutil.which("blender"):
        return [blender, "--factory-startup", "--command", "extension"]
    return None


def run(*command: str) -> None:
    """Run a command quietly; if it fails, exit with its output."""
    completed = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if completed.returncode:
        sys.exit(f"{completed.stdout}\nFailed: {' '.join(command)}")


if __name__ == "__main__":
    sys.exit(main())
