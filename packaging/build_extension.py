"""Build the Blender extension ``dist/meshkin-VERSION.zip`` and validate it.

    python packaging/build_extension.py [--output-dir dist]

Needs Python 3.11 or newer with pip. Blender's own packer is found in an installed ``bpy`` package (of this Python, or
of an environment under ``.environments/``) or in a ``blender`` on the path; where there is none, the environment that
the demo and the tests use is made first. The version is that of the library, ``meshkin.__version__``.
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


def main() -> int:
    """Build, validate, and say where the zip is."""
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
        run(*packer, "validate", str(result))
    return result


def build_wheel(scratch: Path, folder: Path) -> Path:
    """Build the library's wheel into ``folder``, from a copy, so that no leftover of an earlier build gets into it."""
    source = scratch / "source"
    shutil.copytree(ROOT / "core", source / "core", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    run(*pip, "--wheel-dir", str(folder), str(source))
    (wheel,) = folder.glob("*.whl")
    return wheel


def write_manifest(path: Path, version: str, wheel: str) -> None:
    """Put the library's version and its wheel into the extension's manifest, whose own are stand-ins."""
    text = path.read_text(encoding="utf-8")
    for name, value in (("version", f'"{version}"'), ("wheels", f'["./wheels/{wheel}"]')):
        text, count = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
        if count != 1:
            sys.exit(f"blender_manifest.toml has {count} lines “{name} = …” instead of one.")
    path.write_text(text, encoding="utf-8")


def find_packer() -> list[str]:
    """The command that Blender's ``extension`` subcommands are given to; an environment with Blender is made for it
    where nothing else has it."""
    if packer := packer_at_hand():
        return packer
    run_py.blender_environment(*run_py.first_python(["5.2", "5.0"]))
    return packer_at_hand() or sys.exit("Blender's packer was not found in the environment that was made for it.")


def packer_at_hand() -> list[str] | None:
    """The packer of an installed Blender, or of one that is here as a module; None where there is none."""
    spec = importlib.util.find_spec("bpy")
    places = [Path(spec.origin).parent] if spec and spec.origin else []
    places += sorted(ROOT.glob(".environments/*/lib/python*/site-packages/bpy"), reverse=True)
    places += sorted(ROOT.glob(".environments/*/Lib/site-packages/bpy"), reverse=True)
    for place in places:
        for script in place.glob(PACKER):
            return [sys.executable, str(script)]
    if blender := shutil.which("blender"):
        return [blender, "--factory-startup", "--command", "extension"]
    return None


def run(*command: str) -> None:
    """Run a command quietly; exits with its output when it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        sys.exit(f"{done.stdout}\nFailed: {' '.join(command)}")


if __name__ == "__main__":
    sys.exit(main())
