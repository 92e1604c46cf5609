"""Making environments for real, from wheels made here, and every way it fails."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import meshkin
from helpers.processes import wait_for
from helpers.wheels import wheel
from meshkin.base import processes
from meshkin.base.errors import InputError, MeshKinError, StorageError, WorkerError
from meshkin.base.progress import Progress, finish
from meshkin.cli import doctor
from meshkin.worker import client, environment, setup, system_libraries
from meshkin.worker import requirements as worker_requirements
from meshkin.worker.requests.maintenance import ExamineWorker, ListModels

CORE = Path(meshkin.__file__).parent.parent
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def prints(python: Path, code: str) -> str:
    return subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def failure(folder: Path, requirements: list[str], python: Path | str | None = None) -> MeshKinError:
    with pytest.raises(MeshKinError) as raised:
        finish(environment.create(folder, requirements, python))
    return raised.value


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], list[Progress]]:
    """An environment, its requirements, and what was told while it was made."""
    folder = tmp_path_factory.mktemp("Umgebung 日本") / "worker"
    requirements = ["# what it needs", wheel(folder.parent / "wheels", "kinlet")]
    told: list[Progress] = []
    python = finish(environment.create(folder, requirements), told.append)
    assert python == environment.python_in(folder)
    return folder, requirements, told


def test_made_whole(made: tuple[Path, list[str], list[Progress]]) -> None:
    folder, requirements, told = made
    assert prints(environment.python_in(folder), "import kinlet; print(kinlet.NAME)") == "kinlet"
    assert environment.is_complete(folder, requirements)
    assert environment.is_complete(folder, requirements, VERSION)
    assert not environment.is_complete(folder, requirements, "3.99")
    assert not environment.is_complete(folder, [*requirements, "another"])
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions)
    assert {"Making the environment", "Installing the libraries"} <= {progress.stage for progress in told}
    assert "kinlet" in folder.with_name("worker.log").read_text()


def test_made_again_in_no_time(made: tuple[Path, list[str], list[Progress]]) -> None:
    folder, requirements, _ = made
    before = folder.with_name("worker.log").stat().st_mtime_ns
    with pytest.raises(StopIteration) as end:  # at the first turn
        next(environment.create(folder, requirements))
    assert end.value.value == environment.python_in(folder)
    finish(environment.create(folder, requirements, sys.executable))
    assert folder.with_name("worker.log").stat().st_mtime_ns == before


def test_found(made: tuple[Path, list[str], list[Progress]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, requirements, _ = made
    monkeypatch.delenv("MESHKIN_WORKER_PYTHON", raising=False)
    monkeypatch.setenv("MESHKIN_HOME", str(folder.parent))
    monkeypatch.setattr(worker_requirements, "read", lambda: requirements)
    assert environment.find() == environment.python_in(folder)
    monkeypatch.setattr(worker_requirements, "read", lambda: [*requirements, "newer"])
    assert environment.find() != environment.python_in(folder)
    monkeypatch.setenv("MESHKIN_WORKER_PYTHON", str(tmp_path / "mine"))
    assert environment.find() == tmp_path / "mine"


def install(folder: Path, names: Iterable[str]) -> None:
    """What is left of an installed library when nothing of it is imported."""
    for name in names:
        info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")


@pytest.fixture
def own_folder(made: tuple[Path, list[str], list[Progress]]) -> Iterator[Path]:
    """The environment's folder of libraries, which is left as it was."""
    own = Path(prints(environment.python_in(made[0]), "import sysconfig; print(sysconfig.get_path('purelib'))"))
    before = set(own.iterdir())
    yield own
    for added in set(own.iterdir()) - before:
        shutil.rmtree(added)


def test_this_interpreter_is_found_only_with_all_libraries_of_its_own(
    made: tuple[Path, list[str], list[Progress]], own_folder: Path, tmp_path: Path
) -> None:
    """Libraries that are only on the process's path, as those beside an add-on, are no worker's."""
    python, needed = environment.python_in(made[0]), worker_requirements.names(worker_requirements.read())
    install(tmp_path / "beside", needed)
    find = f"import os, sys; sys.path[:0] = [{str(CORE)!r}, {str(tmp_path / 'beside')!r}]\n"
    find += f"os.environ['MESHKIN_HOME'] = {str(tmp_path)!r}; os.environ.pop('MESHKIN_WORKER_PYTHON', None)\n"
    find += "from meshkin.worker.environment import find; print(find())"
    assert prints(python, find) == "None"
    install(own_folder, needed[1:])
    assert prints(python, find) == "None"
    install(own_folder, needed[:1])
    assert prints(python, find) == str(python)


def test_names_of_requirements() -> None:
    lines = ["torch==2.13.0", "scipy~=1.17", "numpy>=2.2,<3", "robust_laplacian", "open.exr [x] ; python_version > '3'"]
    assert worker_requirements.names(lines) == ["torch", "scipy", "numpy", "robust_laplacian", "open.exr"]


def test_an_interpreter_that_lacks_libraries_is_refused_before_the_job(
    made: tuple[Path, list[str], list[Progress]], own_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that the preferences name; the doctor's job says the same."""
    monkeypatch.setenv("MESHKIN_HOME", str(tmp_path))
    python, needed = environment.python_in(made[0]), worker_requirements.names(worker_requirements.read())
    install(own_folder, [name.upper().replace("_", "-") for name in needed if name not in ("scipy", "xatlas")])
    monkeypatch.setenv("MESHKIN_WORKER_PYTHON", str(python))
    try:
        with pytest.raises(WorkerError) as raised:
            finish(client.shared().run(ListModels()))
        state = finish(client.shared().run(ExamineWorker()))
        checks = {check.name: check for check in finish(doctor.examine())}
    finally:
        client.stop()
    assert raised.value.code == "worker-incomplete"
    assert raised.value.message == f"The worker's Python, {python}, lacks scipy, xatlas."
    assert f"{python} -m pip install -r" in raised.value.fix
    assert [name for name, version in state.versions.items() if not version] == ["scipy", "xatlas"]
    assert state.versions["robust_laplacian"] == "1.0"
    assert list(state.versions) == needed
    assert [device.name for device in state.devices] == ["cpu"]
    assert not checks["worker"].ok
    assert checks["worker"].found.endswith(f"at {python}, lacks scipy, xatlas")
    assert [name for name, check in checks.items() if name.startswith("library ") and not check.ok] == [
        "library scipy",
        "library xatlas",
    ]
    assert "MESHKIN_WORKER_PYTHON" in checks["library scipy"].fix


def test_a_base_that_went_away_is_noticed(made: tuple[Path, list[str], list[Progress]]) -> None:
    """As when the Blender that made it was removed."""
    folder, requirements, _ = made
    settings = folder / "pyvenv.cfg"
    kept = settings.read_text()
    try:
        settings.write_text("\n".join(
            "home = /opt/blender-gone/python/bin" if line.startswith("home") else line for line in kept.splitlines()
        ))  # fmt: skip
        assert not environment.is_complete(folder, requirements)
    finally:
        settings.write_text(kept)
    assert environment.is_complete(folder, requirements)


@pytest.mark.parametrize("stage", ["Making the environment", "Looking for the libraries"])
def test_closed_in_the_middle(tmp_path: Path, stage: str) -> None:
    folder, requirements = tmp_path / "worker", [wheel(tmp_path, "kinlet")]
    job = environment.create(folder, requirements)
    for progress in job:
        if progress.stage == stage:
            break
        time.sleep(0.01)
    job.close()
    assert folder.exists()
    assert not environment.is_complete(folder, requirements)


def test_one_that_does_not_work_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is whole as far as can be seen, but its Python has been replaced, as by an update of the system."""
    monkeypatch.setenv("MESHKIN_HOME", str(tmp_path))
    requirements = [wheel(tmp_path, "kinlet")]
    monkeypatch.setattr(worker_requirements, "read", lambda: requirements)
    python = finish(environment.create(environment.worker_folder(), requirements))
    python.unlink()
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    assert environment.is_complete(environment.worker_folder(), requirements)
    assert finish(setup.set_up()) == python
    client.stop()
    assert prints(python, "import kinlet; print(kinlet.NAME)") == "kinlet"


def test_two_at_once_and_the_first_killed(tmp_path: Path) -> None:
    """The second waits for the first; when that is killed in the middle, it makes the environment itself."""
    folder, requirements = tmp_path / "worker", [wheel(tmp_path, "kinlet")]
    script = (
        f"import sys; sys.path.insert(0, {str(CORE)!r})\n"
        "from pathlib import Path; from meshkin.base.progress import finish\n"
        "from meshkin.worker.environment import create\n"
        f"finish(create(Path({str(folder)!r}), {requirements!r}), lambda progress: print(progress.stage, flush=True))"
    )
    first = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    with first:
        assert first.stdout
        for line in first.stdout:
            if line.startswith("Making"):
                break
        second = environment.create(folder, requirements)
        assert next(second).stage == "Preparing"
        wait_for(lambda: next(second).stage == "Waiting for another setup to finish", "it does not wait")
        first.send_signal(signal.SIGKILL)
        first.wait()
    python = finish(second)
    assert environment.is_complete(folder, requirements)
    assert prints(python, "import kinlet; print(kinlet.NAME)") == "kinlet"


def test_a_requirement_that_cannot_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens on the discard port of this machine."""
    monkeypatch.setenv("PIP_RETRIES", "1")
    folder, requirements = tmp_path / "worker", ["--index-url http://127.0.0.1:9/simple", "no-such-library-at-all"]
    error = failure(folder, requirements)
    assert isinstance(error, WorkerError)
    assert error.code == "pip-failed"
    assert "No matching distribution found for no-such-library-at-all" in error.message
    assert "connection" in error.fix
    assert str(tmp_path / "worker.log") in error.fix
    assert not folder.exists()


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    treasure = tmp_path / "worker" / "treasure.blend"
    treasure.parent.mkdir()
    treasure.write_text("gold")
    error = failure(tmp_path / "worker", [])
    assert isinstance(error, InputError)
    assert error.code == "folder-taken"
    assert treasure.read_text() == "gold"


def test_a_python_without_ensurepip(tmp_path: Path) -> None:
    """As Debian's without its package python3-venv: a copy of this interpreter with all the library but that."""
    tail = f"lib/python{VERSION}"
    source, copy = Path(sys.base_prefix) / tail, tmp_path / "base" / tail
    copy.mkdir(parents=True)
    for entry in source.iterdir():
        if entry.name not in ("ensurepip", "site-packages"):
            (copy / entry.name).symlink_to(entry)
    python = tmp_path / "base" / "bin" / f"python{VERSION}"
    python.parent.mkdir()
    shutil.copy(Path(sys.base_prefix) / "bin" / f"python{VERSION}", python)
    library = sysconfig.get_config_var("LDLIBRARY")
    for shared in Path(sys.base_prefix, "lib").glob(f"{library}*"):
        (tmp_path / "base" / "lib" / shared.name).symlink_to(shared)
    assert prints(python, "import sys; print(sys.base_prefix)") == str(tmp_path / "base")

    error = failure(tmp_path / "worker", [], python)
    assert error.code == "venv-missing"
    assert "apt install python3-venv" in error.fix
    assert not (tmp_path / "worker").exists()


def test_a_python_that_is_too_old(tmp_path: Path) -> None:
    old = tmp_path / "python3.9"
    old.write_text("#!/bin/sh\necho version 3.9\n")
    old.chmod(0o755)
    error = failure(tmp_path / "worker", [], old)
    assert error.code == "python-too-old"
    assert "3.9" in error.message
    assert "3.11" in error.fix


@pytest.mark.parametrize("name", ["nowhere", "text.txt", "/bin/true"])
def test_a_python_that_is_none(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.txt").write_text("not a program")
    assert failure(tmp_path / "worker", [], tmp_path / name).code == "python-missing"


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert isinstance(failure(tmp_path / "file" / "worker", []), StorageError)


def test_disk_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What pip writes goes to a device that is always full."""
    monkeypatch.setenv("PIP_LOG", "/dev/full")
    error = failure(tmp_path / "worker", ["--no-index", "no-such-library-at-all"])
    assert isinstance(error, StorageError)
    assert error.code == "disk-full"
    assert not (tmp_path / "worker").exists()


def test_own_python_is_never_blender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.own_python() == Path(sys.executable)
    monkeypatch.setattr(sys, "executable", "/opt/blender-4.2/blender")
    assert environment.own_python().name.startswith("python")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with pytest.raises(WorkerError) as raised:
        environment.own_python()
    assert raised.value.code == "python-missing"


def test_requirements_of_the_worker_hold_here() -> None:
    """The tests run on libraries that the pins allow."""
    lines = worker_requirements.read()
    assert any(line.startswith("torch==") for line in lines)
    check = (
        "import sys; from importlib.metadata import version\n"
        "from pip._vendor.packaging.requirements import Requirement\n"
        "wanted = map(Requirement, sys.argv[1:])\n"
        "print([str(one) for one in wanted if not one.specifier.contains(version(one.name))])"
    )
    run = subprocess.run([sys.executable, "-c", check, *lines], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_variables_for_another_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/opt/blender/python")
    monkeypatch.setenv("MESHKIN_HOME", "/somewhere")
    cleaned = processes.clean_variables()
    assert "PYTHONHOME" not in cleaned
    assert cleaned["MESHKIN_HOME"] == "/somewhere"
    assert os.environ["PYTHONHOME"] == "/opt/blender/python"


def test_missing_system_libraries_are_named(made: tuple[Path, list[str], list[Progress]], tmp_path: Path) -> None:
    """A library of SciPy's with two of the system libraries it needs renamed to some that are not there."""
    import scipy.optimize

    python = environment.python_in(made[0])
    own = Path(prints(python, "import sysconfig; print(sysconfig.get_path('purelib'))"))
    library = next(
        path for path in Path(scipy.optimize.__file__).parent.rglob("*.so") if b"libstdc++.so.6\0" in path.read_bytes()
    )
    broken = own / f"broken.{sysconfig.get_config_var('EXT_SUFFIX').lstrip('.')}"
    content = library.read_bytes().replace(b"libstdc++.so.6\0", b"libjack.so.0\0\0\0")
    broken.write_bytes(content.replace(b"libc.so.6\0", b"libZ.so.6\0"))
    try:
        missing = system_libraries.missing_libraries(python, "broken")
        assert sorted(missing) == [("libZ.so.6", ""), ("libjack.so.0", "libjack-jackd2-0")]
        assert system_libraries.missing_libraries(python, "kinlet") == []
        assert system_libraries.missing_libraries(python, "not_installed") == []
    finally:
        broken.unlink()
