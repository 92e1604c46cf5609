"""MeshKin's two commands for a fresh checkout; each needs only Python 3.11 or newer with pip.

    python3 packaging/run.py demo    set everything up and run the main job on real characters
    python3 packaging/run.py test    set everything up and pass the tests

A third is for those who change MeshKin; ``pre-commit`` runs it before each commit:

    python3 packaging/run.py style   check style, formatting and types as the tests do

Everything is made inside the checkout: environments in .environments/, models and caches in .environments/home/,
the demo's results in demo-output/. The system's Python is never changed. What is there already is not made again.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = ROOT / ".environments"

if sys.version_info < (3, 11):  # noqa: UP036 - said before anything newer is imported
    sys.exit(f"This is Python {sys.version.split()[0]}; MeshKin needs Python 3.11 or newer.")

sys.path.insert(0, str(ROOT / "core"))
from meshkin.base.errors import MeshKinError, WorkerError
from meshkin.base.progress import finish
from meshkin.worker import environment as environments
from meshkin.worker import requirements as worker_requirements
from meshkin.worker import system_libraries

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PYTHONS = {"4.2": "3.11", "4.5": "3.11", "5.0": "3.11", "5.2": "3.13"}
"""The Python that each series of Blender is built for; which release is tested, pyproject.toml says."""


def main() -> int:
    """Run the chosen command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    demo_parser = commands.add_parser("demo", help="run the main job on real characters")
    demo_parser.add_argument("--output", type=Path, default=ROOT / "demo-output")
    test_parser = commands.add_parser("test", help="pass the tests")
    test_parser.add_argument("--blender", action="append", choices=sorted(PYTHONS), help="only with these")
    test_parser.add_argument("--all", action="store_true", help="the slow tests in every Blender, not only the newest")
    commands.add_parser("style", help="check style, formatting and types alone")
    arguments = parser.parse_args()
    try:
        if arguments.command == "demo":
            return demo(arguments.output.resolve())
        if arguments.command == "style":
            return style()
        return test(arguments.blender or sorted(PYTHONS), arguments.all)
    except MeshKinError as error:
        say(f"{error}")
        return error.exit_code


def demo(output: Path) -> int:
    """Environments, the embedded models, then the demo's four steps."""
    worker = worker_environment()
    series, python = first_python(["5.0", "5.2"])
    blender = blender_environment(series, python)
    say("Fetching the embedded models (once)")
    run(worker, "-m", "meshkin", "models", "get", "embedded")
    people = ROOT / "packaging" / "demo"
    run(worker, people / "people.py", output)
    run(blender, people / "scene.py", output)
    run(worker, people / "report.py", output)
    run(blender, people / "pictures.py", output)
    say(f"Done. Open {output / 'demo.blend'} in Blender; the pictures and the table of errors lie beside it.")
    return 0


def test(series: Sequence[str], everything: bool) -> int:
    """Style, types, the tests in plain Python and in every Blender for which a Python is found.

    As many suites at a time as there are cores, what each says printed when it ends. Tests marked slow run in the last
    of ``series`` for which there is a Python, or with ``everything`` in all.
    """
    worker = worker_environment()
    say("Fetching the embedded models (once)")
    run(worker, "-m", "meshkin", "models", "get", "embedded")
    pythons = {name: python for name in series if (python := find_python(PYTHONS[name])) is not None}
    left_out = [f"Blender {name} (no Python {PYTHONS[name]} was found)" for name in series if name not in pythons]

    def plain() -> str:
        return check("plain Python", worker, "-m", "pytest", "tests/plain")

    def blender(name: str) -> str:
        inside = blender_environment(name, pythons[name])
        choice = [] if everything or name == list(pythons)[-1] else ["-m", "not slow"]
        return check(f"Blender {name}", inside, "-m", "pytest", "tests/blender", *choice)

    failed = style_checks(worker)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        suites = [pool.submit(blender, name) for name in reversed(pythons)] + [pool.submit(plain)]
        failed += [name for suite in suites if (name := suite.result())]
    say(f"Failed: {', '.join(failed)}." if failed else "All passed." if not left_out else "What was tested passed.")
    if left_out:
        say(f"Not tested: {', '.join(left_out)}.")
    return 1 if failed else 0


def style() -> int:
    """Style, formatting and types, by the Python that runs this if it has all that they need."""
    needed = [*worker_requirements.read(), *development_tools()]
    failed = style_checks(worker_environment() if lacking(needed) else Path(sys.executable))
    say(f"Failed: {', '.join(failed)}." if failed else "All passed.")
    return 1 if failed else 0


def style_checks(python: Path) -> list[str]:
    """Check style, formatting and types; the names of the checks that failed."""
    commands = {"style": ("ruff", "check", "."), "formatting": ("ruff", "format", "--check", "."), "types": ("mypy",)}
    return [name for name, command in commands.items() if check(name, python, "-m", *command)]


def check(name: str, python: Path, *arguments: str) -> str:
    """Run one check in a home of its own and print what it said; its name where it failed, else "".

    One thread for each program: the cores are shared with the checks beside it.
    """
    say(f"Testing: {name}")
    start = time.monotonic()
    with TemporaryDirectory(prefix="meshkin-test-") as home:
        own = {"MESHKIN_HOME": home, "OMP_NUM_THREADS": "1"}
        told = subprocess.run(
            [python, *arguments],
            cwd=ROOT,
            env={**variables(), **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    result = "FAILED" if told.returncode else "passed"
    print(told.stdout, end="", flush=True)
    say(f"{name}: {result} in {time.monotonic() - start:.0f} s")
    return name if told.returncode else ""


def worker_environment() -> Path:
    """The worker's environment, with what tests and the demo need beside it."""
    requirements = [*worker_requirements.read(), *development_tools(), *group("people")]
    return environment("worker", Path(sys.executable), requirements, check="torch")


def blender_environment(series: str, python: Path) -> Path:
    """The environment with Blender as a module: the demo and the tests share it, and neither makes it anew."""
    return environment(f"bpy-{series}", python, group(f"blender-{series.replace('.', '-')}"), check="bpy")


def development_tools() -> list[str]:
    """What tests, style and types need beside the worker's libraries, as pip's requirement lines."""
    (file,) = PROJECT["tool"]["setuptools"]["dynamic"]["optional-dependencies"]["dev"]["file"]
    return (ROOT / file).read_text(encoding="utf-8").split()


def lacking(requirements: Sequence[str]) -> list[str]:
    """The libraries of these requirement lines that the Python that runs this does not have."""
    return [name for name in worker_requirements.names(requirements) if not list(metadata.distributions(name=name))]


def group(name: str) -> list[str]:
    """The requirements of one of pyproject.toml's dependency groups, those of included groups too."""
    lines: list[str] = []
    for entry in PROJECT["dependency-groups"][name]:
        lines += [entry] if isinstance(entry, str) else group(entry["include-group"])
    return lines


def environment(name: str, python: Path, requirements: Sequence[str], check: str) -> Path:
    """The Python of an environment made here with these packages; says which system libraries are missing."""
    say(f"Environment {name} (made once, in {ENVIRONMENTS.relative_to(ROOT)}/)")
    made: Path = finish(environments.create(ENVIRONMENTS / name, requirements, python))
    missing = system_libraries.missing_libraries(made, check)
    if missing:
        packages = " ".join(sorted({package for _, package in missing}))
        libraries = ", ".join(library for library, _ in missing)
        raise WorkerError("libraries-missing", f"{check} needs {libraries}.", f"Install: apt-get install {packages}")
    return made


def first_python(series: Sequence[str]) -> tuple[str, Path]:
    """The first of these Blenders for whose Python version an interpreter is found."""
    for name in series:
        if (python := find_python(PYTHONS[name])) is not None:
            return name, python
    raise WorkerError("python-missing", "Blender as a Python module needs Python 3.11 or 3.13.", "Install one of them.")


def find_python(version: str) -> Path | None:
    """An interpreter of exactly this version (major.minor), or None."""
    candidates: list[str | Path | None] = [sys.executable, shutil.which(f"python{version}")]
    candidates += sorted(Path.home().glob(f".pyenv/versions/{version}*/bin/python"), reverse=True)
    if launcher := shutil.which("py"):
        told = subprocess.run(
            [launcher, f"-{version}", "-c", "import sys; print(sys.executable)"],
            capture_output=True,
            text=True,
            check=False,
        )
        candidates.append(told.stdout.strip() or None)
    probe = "import sys; print('%d.%d' % sys.version_info[:2])"
    for candidate in candidates:
        if candidate is None:
            continue
        told = subprocess.run([candidate, "-c", probe], capture_output=True, text=True, check=False)
        if told.stdout.strip() == version:
            return Path(candidate)
    return None


def variables() -> dict[str, str]:
    """Environment variables under which the project's programs run here."""
    worker = ENVIRONMENTS / "worker" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    own = {
        "PYTHONPATH": str(ROOT / "core"),
        "MESHKIN_HOME": str(ENVIRONMENTS / "home"),
        "MESHKIN_MODELS": str(ENVIRONMENTS / "home" / "models"),
        "MESHKIN_WORKER_PYTHON": str(worker),
        "PYTHONUTF8": "1",
    }
    return {**os.environ, **own}


def run(python: Path, *arguments: str | Path) -> None:
    """Run a Python program of the project; ends this one when it fails."""
    done = subprocess.run([python, *arguments], cwd=ROOT, env=variables(), check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)


def say(text: str) -> None:
    """Tell the user what is being done."""
    print(f"[meshkin] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
