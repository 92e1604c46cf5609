"""MeshKin's commands for a fresh checkout. They need only Python 3.11 or newer with pip.

    python3 packaging/run.py demo    set everything up and run the main job on parametric people
    python3 packaging/run.py test    set everything up and run all tests
    python3 packaging/run.py style   check style, formatting and types alone, as ``pre-commit`` does
    python3 packaging/run.py manual  write the manual's pages about panels anew and build the manual in dist/manual
    python3 packaging/run.py release VERSION    build and check a release in dist/VERSION

Everything is created in the checkout: environments in .environments/, models and caches in .environments/home/, the
demo's results in demo-output/. The system's Python is never changed. What exists already is not created again.
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
MANUAL = ROOT / "packaging" / "manual"

if sys.version_info < (3, 11):  # noqa: UP036 - checked before anything newer is imported
    sys.exit(f"This is Python {sys.version.split()[0]}; MeshKin needs Python 3.11 or newer.")

sys.path.insert(0, str(ROOT / "core"))
from meshkin.base.errors import MeshKinError, WorkerError
from meshkin.base.progress import finish
from meshkin.worker import environment as environments
from meshkin.worker import requirements as worker_requirements
from meshkin.worker import system_libraries

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PYTHONS = {"4.2": "3.11", "4.5": "3.11", "5.0": "3.11", "5.2": "3.13"}
"""The Python version of each Blender series; pyproject.toml names the releases that are tested."""


def main() -> int:
    """Run the chosen command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    demo_parser = commands.add_parser("demo", help="run the main job on parametric people")
    demo_parser.add_argument(
        "--output", type=Path, default=ROOT / "demo-output", help="folder for the results; default: demo-output"
    )
    test_parser = commands.add_parser("test", help="run all tests")
    test_parser.add_argument(
        "--blender", action="append", choices=sorted(PYTHONS), help="only in this Blender; can be repeated"
    )
    test_parser.add_argument(
        "--all", action="store_true", help="run slow tests in every Blender, not only in the newest"
    )
    commands.add_parser("style", help="check style, formatting and types alone")
    commands.add_parser("manual", help="write the manual's pages about panels anew and build the manual")
    release_parser = commands.add_parser("release", help="build and check a release in dist/VERSION")
    release_parser.add_argument("version", help="the version, such as 1.2.3: the library's and the changelog's")
    arguments = parser.parse_args()
    try:
        if arguments.command == "demo":
            return demo(arguments.output.resolve())
        if arguments.command == "style":
            return style()
        if arguments.command == "manual":
            return manual()
        if arguments.command == "release":
            return release(arguments.version)
        return test(arguments.blender or sorted(PYTHONS), arguments.all)
    except MeshKinError as error:
        say(f"{error}")
        return error.exit_code


def demo(output: Path) -> int:
    """Set up the environments and the default models, then run the demo's four steps; returns the exit code."""
    worker = worker_environment()
    series, python = first_python(["5.0", "5.2"])
    blender = blender_environment(series, python)
    say("Downloading the default models (once)")
    run(worker, "-m", "meshkin", "models", "get", "embedded")
    people = ROOT / "packaging" / "demo"
    run(worker, people / "people.py", output)
    run(blender, people / "scene.py", output)
    run(worker, people / "report.py", output)
    run(blender, people / "pictures.py", output)
    say(f"Done. Open {output / 'demo.blend'} in Blender; the pictures and the table of errors are beside it.")
    return 0


def test(series: Sequence[str], everything: bool) -> int:
    """Check style and types, and run the tests in plain Python and in Blender; returns the exit code.

    As many suites run at a time as there are cores. The output of each is printed when it ends.

    Args:
        series: the Blenders to test in, as far as a Python of their version is found.
        everything: whether tests marked slow run in every Blender, and not only in the last one.
    """
    worker = worker_environment()
    say("Downloading the default models (once)")
    run(worker, "-m", "meshkin", "models", "get", "embedded")
    pythons = {name: python for name in series if (python := find_python(PYTHONS[name])) is not None}
    left_out = [f"Blender {name} (no Python {PYTHONS[name]} was found)" for name in series if name not in pythons]

    def plain() -> str:
        return check("plain Python", worker, "-m", "pytest", "tests/plain")

    def blender(name: str) -> str:
        inside = blender_environment(name, pythons[name])
        selection = [] if everything or name == list(pythons)[-1] else ["-m", "not slow"]
        return check(f"Blender {name}", inside, "-m", "pytest", "tests/blender", *selection)

    def faults(name: str) -> str:
        return check(
            f"faults in Blender {name}", blender_environment(name, pythons[name]), "-m", "pytest", "tests/faults"
        )

    newest, older = list(pythons)[-1:], list(pythons)[:-1]
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # what takes longest begins first: all end at about the same time
        style = pool.submit(style_checks, worker)
        suites = [pool.submit(blender, name) for name in newest] + [pool.submit(plain)]
        suites += [pool.submit(blender, name) for name in older] + [pool.submit(faults, name) for name in newest]
        failed = style.result() + [name for suite in suites if (name := suite.result())]
    say(f"Failed: {', '.join(failed)}." if failed else "All passed." if not left_out else "What was tested passed.")
    if left_out:
        say(f"Not tested: {', '.join(left_out)}.")
    return 1 if failed else 0


def style() -> int:
    """Check style, formatting and types, with this Python if it has the required libraries; returns the exit code."""
    needed = [*worker_requirements.read(), *development_tools()]
    failed = style_checks(worker_environment() if lacking(needed) else Path(sys.executable))
    say(f"Failed: {', '.join(failed)}." if failed else "All passed.")
    return 1 if failed else 0


def manual() -> int:
    """Write the manual's pages about panels from the add-on in Blender, and build the manual; returns the exit code."""
    run(blender_environment(*first_python(["5.2", "5.0"])), MANUAL / "panel_pages.py")
    build_manual(ROOT / "dist" / "manual")
    return 0


def build_manual(output: Path) -> None:
    """Build the manual for a browser into the folder ``output``; a warning is a failure."""
    run(worker_environment(), "-m", "mkdocs", "build", "--strict", "-f", MANUAL / "mkdocs.yml", "-d", output)
    say(f"Done. Open {output / 'index.html'}.")


def release(version: str) -> int:
    """Build and check a release; returns the exit code."""
    import release as releases  # it needs this module

    output = releases.make(version, ROOT / "dist" / version)
    build_manual(output / "manual")
    say(f"The release is in {output}. Put repository/ and manual/ on the web server, then upload the zip and listing/.")
    return 0


def style_checks(python: Path) -> list[str]:
    """Check style, formatting and types; returns the names of the checks that failed."""
    commands = {"style": ("ruff", "check", "."), "formatting": ("ruff", "format", "--check", "."), "types": ("mypy",)}
    return [name for name, command in commands.items() if check(name, python, "-m", *command)]


def check(name: str, python: Path, *arguments: str) -> str:
    """Run one check in a temporary home folder and print its output; returns its name if it failed, else "".

    Each program uses one thread, because the checks share the cores.
    """
    say(f"Testing: {name}")
    start = time.monotonic()
    with TemporaryDirectory(prefix="meshkin-test-") as home:
        own = {"MESHKIN_HOME": home, "OMP_NUM_THREADS": "1"}
        completed = subprocess.run(
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
    result = "FAILED" if completed.returncode else "passed"
    print(completed.stdout, end="", flush=True)
    say(f"{name}: {result} in {time.monotonic() - start:.0f} s")
    return name if completed.returncode else ""


def worker_environment() -> Path:
    """Return the Python of the worker's environment, which also has what the tests and the demo need."""
    requirements = [*worker_requirements.read(), *development_tools(), *group("people")]
    return environment("worker", Path(sys.executable), requirements, check="torch")


def blender_environment(series: str, python: Path) -> Path:
    """Return the Python of the environment with this Blender as a module, which the demo and the tests share."""
    return environment(f"bpy-{series}", python, group(f"blender-{series.replace('.', '-')}"), check="bpy")


def development_tools() -> list[str]:
    """Return the requirement lines of the tests and the checks of style and types."""
    (file,) = PROJECT["tool"]["setuptools"]["dynamic"]["optional-dependencies"]["dev"]["file"]
    return (ROOT / file).read_text(encoding="utf-8").split()


def lacking(requirements: Sequence[str]) -> list[str]:
    """Return the names of the required libraries that this Python does not have."""
    return [name for name in worker_requirements.names(requirements) if not list(metadata.distributions(name=name))]


def group(name: str) -> list[str]:
    """Return the requirement lines of a dependency group in pyproject.toml, including those of included groups."""
    lines: list[str] = []
    for entry in PROJECT["dependency-groups"][name]:
        lines += [entry] if isinstance(entry, str) else group(entry["include-group"])
    return lines


def environment(name: str, python: Path, requirements: Sequence[str], check: str) -> Path:
    """Create an environment with these packages, if it does not exist, and return its Python.

    Args:
        name: of its folder in ``.environments``.
        python: the interpreter to create it from.
        requirements: requirement lines.
        check: a package whose system libraries are checked.

    Raises WorkerError ``libraries-missing``, and as :func:`meshkin.worker.environment.create`.
    """
    say(f"Environment {name} (created once, in {ENVIRONMENTS.relative_to(ROOT)}/)")
    environment_python: Path = finish(environments.create(ENVIRONMENTS / name, requirements, python))
    missing = system_libraries.missing_libraries(environment_python, check)
    if missing:
        packages = " ".join(sorted({package for _, package in missing}))
        libraries = ", ".join(library for library, _ in missing)
        raise WorkerError("libraries-missing", f"{check} needs {libraries}.", f"Run: apt-get install {packages}")
    return environment_python


def first_python(series: Sequence[str]) -> tuple[str, Path]:
    """Return the first of these Blenders for which a Python is found, and the Python; raises WorkerError."""
    for name in series:
        if (python := find_python(PYTHONS[name])) is not None:
            return name, python
    raise WorkerError("python-missing", "Blender as a Python module needs Python 3.11 or 3.13.", "Install one of them.")


def find_python(version: str) -> Path | None:
    """Return an interpreter of exactly this version (major.minor), or None."""
    candidates: list[str | Path | None] = [sys.executable, shutil.which(f"python{version}")]
    candidates += sorted(Path.home().glob(f".pyenv/versions/{version}*/bin/python"), reverse=True)
    if launcher := shutil.which("py"):
        completed = subprocess.run(
            [launcher, f"-{version}", "-c", "import sys; print(sys.executable)"],
            capture_output=True,
            text=True,
            check=False,
        )
        candidates.append(completed.stdout.strip() or None)
    probe = "import sys; print('%d.%d' % sys.version_info[:2])"
    for candidate in candidates:
        if candidate is None:
            continue
        completed = subprocess.run([candidate, "-c", probe], capture_output=True, text=True, check=False)
        if completed.stdout.strip() == version:
            return Path(candidate)
    return None


def variables() -> dict[str, str]:
    """Return the environment variables for the project's programs."""
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
    """Run a Python program of the project; if it fails, exit with its code."""
    completed = subprocess.run([python, *arguments], cwd=ROOT, env=variables(), check=False)
    if completed.returncode != 0:
        sys.exit(completed.returncode)


def say(text: str) -> None:
    """Print what is being done, on standard error."""
    print(f"[meshkin] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
