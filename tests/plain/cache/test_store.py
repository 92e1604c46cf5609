"""The cache: what goes in comes out, damage and full disks lose nothing, processes share it."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.processes import wait_for
from meshkin.base.errors import StorageError
from meshkin.base.storage import UNLIMITED, map_path, write_file
from meshkin.cache import store as cache
from meshkin.data.features import FeatureOrigin, Features
from meshkin.data.recipe import Part, Recipe
from meshkin.data.surface_map import Match, SurfaceMap


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MESHKIN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MESHKIN_CACHE_LIMIT", raising=False)
    return tmp_path / "cache"


def some(seed: int = 0, rows: int = 50) -> Features:
    generator = np.random.default_rng(seed)
    return Features(
        generator.normal(size=(rows, 7)).astype(np.float32),
        generator.integers(0, 24, rows).astype(np.int16),
        generator.uniform(size=rows).astype(np.float32),
        FeatureOrigin("Grün “x”", "0" * 32, Recipe("toy", None, 448, (Part("toy", 0.5, {"seed": seed}),)), ((7,),)),
    )


def seed_of(features: Features) -> int:
    """The seed that :func:`some` made features from."""
    seed = features.origin.recipe.parts[0].settings["seed"]
    assert isinstance(seed, int)
    return seed


def found_at(key: str) -> Features | None:
    """The features kept under a key, as a job finds them."""
    return cache.read(cache.features_path(key)) if cache.usable(key) else None


def grow_old(path: Path, seconds: float) -> None:
    when = time.time() - seconds
    os.utime(path, (when, when))


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".*")]


def test_what_is_saved_is_loaded(folder: Path) -> None:
    saved = some()
    path = cache.save("ab12", saved)
    assert path == cache.features_path("ab12") == folder / "features" / "ab12.safetensors"
    found = found_at("ab12")
    assert found is not None
    assert found.features == pytest.approx(saved.features, rel=1e-3)
    assert found.features.dtype == np.float32
    assert (found.seen == saved.seen).all()
    assert found.seen.dtype == np.int16
    assert (found.confidence == saved.confidence).all()
    assert found.origin == saved.origin
    assert cache.read(path).origin == saved.origin
    assert leftovers(folder) == []


def test_what_half_precision_cannot_hold_stays_finite() -> None:
    cache.save("big", replace(some(rows=2), features=np.full((2, 2), 1e9, np.float32)))
    found = found_at("big")
    assert found is not None
    assert np.isfinite(found.features).all()


def test_what_is_not_there_is_none() -> None:
    assert found_at("absent") is None
    with pytest.raises(StorageError) as raised:
        cache.read(cache.features_path("absent"))
    assert raised.value.code == "file-damaged"


@pytest.mark.parametrize("damage", ["truncated", "header", "empty", "zeros", "json", "missing array"])
def test_a_damaged_file_is_absent_and_removed(damage: str) -> None:
    from safetensors.numpy import save_file

    path = cache.save("ab12", some())
    whole = path.read_bytes()
    if damage == "json":
        save_file({"features": np.zeros((1, 1))}, path, {"meshkin": "{"})
    elif damage == "missing array":
        save_file({"features": np.zeros((1, 1))}, path, {"meshkin": "{}"})
    else:
        content = {"truncated": whole[:-9], "header": whole[:5], "empty": b"", "zeros": bytes(len(whole))}
        path.write_bytes(content[damage])
    with pytest.raises(StorageError) as raised:
        cache.read(path)
    assert raised.value.code == "file-damaged"
    assert not cache.usable("ab12")
    assert not path.exists()


def test_a_flipped_bit_is_noticed_wherever_it_is() -> None:
    path = cache.save("ab12", some())
    whole = path.read_bytes()
    for place in np.linspace(0, len(whole) - 1, 60).astype(int).tolist():
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        assert not cache.usable("ab12"), place
        assert not path.exists()


def test_the_file_of_another_key_is_noticed() -> None:
    path = cache.save("ab12", some())
    other = cache.features_path("cd34")
    other.write_bytes(path.read_bytes())
    assert not cache.usable("cd34")
    assert not other.exists()
    assert cache.usable("ab12")


def test_features_that_are_no_numbers_are_noticed() -> None:
    broken = replace(some(), confidence=np.full(len(some().features), np.nan, np.float32))
    cache.save("ab12", broken)
    assert not cache.usable("ab12")


def test_a_map_is_usable_or_removed() -> None:
    number, share = np.zeros(4, np.int32), np.ones(4, np.float32)
    one = SurfaceMap(number, np.full((4, 3), 1 / 3, np.float32), number, share)
    path = map_path("ab12")
    assert not cache.usable_map(path)
    Match(one, one, np.zeros((1, 3), np.int32), np.zeros((1, 3), np.int32)).save(path)
    assert cache.usable_map(path)
    path.with_name("cd34.npz").write_bytes(path.read_bytes())
    assert not cache.usable_map(path.with_name("cd34.npz"))
    path.write_bytes(path.read_bytes()[:200])
    assert not cache.usable_map(path)
    assert not path.exists()


def test_trimming_drops_the_least_recently_used() -> None:
    paths = [cache.save(f"{number}", some(number)) for number in range(4)]
    for age, path in zip((5000, 8000, 6000, 7000), paths, strict=True):
        grow_old(path, age)
    assert found_at("1") is not None  # the oldest is used again
    size = paths[0].stat().st_size
    freed = cache.trim(2 * size + 100)
    assert freed == 2 * size
    assert [path.exists() for path in paths] == [True, True, False, False]


def test_what_a_running_job_may_need_is_kept() -> None:
    path = cache.save("new", some())
    assert cache.trim(0) == 0
    assert path.exists()
    grow_old(path, cache.GRACE + 60)
    assert cache.trim(0) > 0
    assert not path.exists()


def test_saving_keeps_the_cache_within_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    old = cache.save("old", some(0))
    grow_old(old, cache.GRACE + 60)
    monkeypatch.setenv("MESHKIN_CACHE_LIMIT", str(old.stat().st_size + 10))
    new = cache.save("new", some(1))
    assert not old.exists()
    assert new.exists()
    grow_old(new, cache.GRACE + 60)
    monkeypatch.setenv("MESHKIN_CACHE_LIMIT", "0")  # no limit
    cache.save("newer", some(2))
    assert new.exists()


def test_leftovers_of_killed_processes_go(folder: Path) -> None:
    kept = cache.save("kept", some())
    left = folder / "features" / ".kept-x1.safetensors"
    left.write_bytes(b"half")
    grow_old(left, cache.GRACE + 60)
    cache.trim()
    assert not left.exists()
    assert kept.exists()


def test_info_and_clear(folder: Path) -> None:
    assert cache.info()["files"] == 0
    cache.clear()
    size = sum(cache.save(f"{number}", some(number)).stat().st_size for number in range(3))
    stranger = folder / "features" / "notes.txt"
    stranger.write_text("not ours")
    assert cache.info() == {"folder": str(folder), "files": 3, "bytes": size, "limit": cache.LIMIT, "shared": None}
    json.dumps(cache.info())
    cache.clear()
    assert cache.info()["files"] == 0
    assert stranger.exists()


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("MESHKIN_CACHE", str(tmp_path / "file"))
    with pytest.raises(StorageError):
        cache.save("ab12", some())
    assert found_at("ab12") is None


def test_a_folder_that_may_not_be_written(folder: Path, tmp_path: Path) -> None:
    """In a process without root's rights, where this one has them."""
    folder.mkdir()
    tmp_path.chmod(0o755)
    folder.chmod(0o555)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == os.getuid() and parent != Path("/") and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            if os.getuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            cache.save("ab12", some())
        except StorageError as error:
            status = 0 if error.code == "not-writable" and error.fix else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert list(folder.iterdir()) == []
    folder.chmod(0o755)


FULL = """
import resource, signal, sys
import numpy as np
from meshkin.base.errors import StorageError
from meshkin.cache import store as cache
from meshkin.data.features import FeatureOrigin, Features
from meshkin.data.recipe import Recipe

features = np.random.default_rng(0).normal(size=(4000, 50)).astype(np.float32)
origin = FeatureOrigin("large", "0" * 32, Recipe("toy", None, 448, ()), ())
large = Features(features, np.zeros(4000, np.int16), np.ones(4000, np.float32), origin)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    cache.save("ab12", large)
except StorageError as error:
    print(error.code)
"""


def test_a_file_that_cannot_be_finished_leaves_the_old_one(folder: Path) -> None:
    """The system stops the write in the middle, as a full disk does."""
    cache.save("ab12", some(5))
    source = Path(cache.__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-c", FULL],
        env={**os.environ, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert run.stdout.strip() == "file-failed"
    found = found_at("ab12")
    assert found is not None
    assert seed_of(found) == 5
    assert leftovers(folder) == []


def test_a_full_disk_is_named_and_loses_nothing(folder: Path) -> None:
    path = cache.save("ab12", some(5))

    def write_to_full_disk(file: Path) -> None:
        file.unlink()
        file.symlink_to("/dev/full")
        file.write_bytes(bytes(100))

    with pytest.raises(StorageError) as raised:
        write_file(path, write_to_full_disk)
    assert raised.value.code == "disk-full"
    assert raised.value.fix
    assert seed_of(cache.read(path)) == 5
    assert leftovers(folder) == []


def _save_often(seed: int) -> None:
    for _ in range(20):
        cache.save("shared", some(seed, 3000))


def test_two_processes_write_the_same_key(folder: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_save_often, args=(seed,)) for seed in (1, 2)]
    for writer in writers:
        writer.start()
    wait_for(cache.features_path("shared").exists, "nothing is written")
    while any(writer.is_alive() for writer in writers):  # from now on the file is there at any time, and whole
        found = cache.read(cache.features_path("shared"))
        assert found.features == pytest.approx(some(seed_of(found), 3000).features, rel=1e-3, abs=1e-4)
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert found_at("shared") is not None
    assert leftovers(folder) == []


# Several machines, and a shared cache


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of others with some features, a map and a painted picture, which may only be read."""
    place = tmp_path / "Netz 網" / "cache"
    monkeypatch.setenv("MESHKIN_CACHE", str(place))
    cache.save("both", some(1))
    cache.save("theirs", some(2))
    number, share = np.zeros(4, np.int32), np.ones(4, np.float32)
    one = SurfaceMap(number, np.full((4, 3), 1 / 3, np.float32), number, share)
    Match(one, one, np.zeros((1, 3), np.int32), np.zeros((1, 3), np.int32)).save(map_path("ab12"))
    write_file(cache.painted_folder("theirs") / "000.png", lambda file: file.write_bytes(b"picture"))
    monkeypatch.setenv("MESHKIN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MESHKIN_SHARED_CACHE", str(place))
    return place


def content_of(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file with what is in it and when it was changed."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_what_others_have_computed_is_copied_once(folder: Path, shared: Path) -> None:
    before = content_of(shared)
    cache.save("both", some(7))
    for key, seed in (("both", 7), ("theirs", 2)):
        found = found_at(key)
        assert found is not None
        assert seed_of(found) == seed  # one's own comes first
    assert cache.usable_map(map_path("ab12"))
    assert [path.read_bytes() for path in cache.bring_painted("theirs").iterdir()] == [b"picture"]
    assert found_at("nobody's") is None
    shutil.rmtree(shared)
    assert found_at("theirs") is not None
    assert cache.usable_map(map_path("ab12"))
    assert len(content_of(folder)) == 4
    assert leftovers(folder) == []
    assert before


def test_the_shared_cache_is_only_read(shared: Path, tmp_path: Path) -> None:
    before = content_of(shared)
    found_at("theirs")
    cache.save("mine", some(3))
    grow_old(cache.features_path("theirs"), cache.GRACE + 60)
    cache.trim(0)
    cache.clear()
    assert content_of(shared) == before
    assert cache.info()["files"] == 0


@pytest.mark.parametrize("what", ["damaged", "of another key", "gone"])
def test_a_shared_cache_that_cannot_be_used(what: str, folder: Path, shared: Path) -> None:
    """It is as if the file were not there, and what is in the shared cache stays as it is."""
    path = shared / "features" / "theirs.safetensors"
    if what == "gone":
        shutil.rmtree(shared)
    else:
        path.write_bytes(path.read_bytes()[:-9] if what == "damaged" else path.with_stem("both").read_bytes())
    assert found_at("theirs") is None
    assert not (folder / "features" / "theirs.safetensors").exists()
    assert path.exists() == (what != "gone")
    cache.save("theirs", some(5))
    found = found_at("theirs")
    assert found is not None
    assert seed_of(found) == 5


def test_a_cache_has_a_limit_of_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which counts on each machine that uses it, whatever limit that has for others."""
    monkeypatch.setenv("MESHKIN_CACHE_LIMIT", "1")
    size = cache.save("old", some(0)).stat().st_size
    cache.set_limit(10 * size)
    assert cache.limit() == 10 * size
    grow_old(cache.features_path("old"), cache.GRACE + 60)
    cache.save("new", some(1))
    assert cache.features_path("old").exists()
    cache.set_limit(0)
    assert cache.limit() == UNLIMITED
    cache.set_limit(None)
    assert cache.limit() == 1
    (folder / "limit").write_bytes(b"\xff\x00much")
    assert cache.limit() == 1


def test_files_are_as_open_as_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.umask(0o077)
    try:
        for mode in (0o700, 0o755, 0o2775):
            place = tmp_path / oct(mode)
            place.mkdir()
            place.chmod(mode)
            monkeypatch.setenv("MESHKIN_CACHE", str(place))
            path = cache.save("ab12", some())
            assert path.stat().st_mode & 0o777 == mode & 0o666
            assert path.parent.stat().st_mode & 0o777 == mode & 0o777
        monkeypatch.setenv("MESHKIN_CACHE", str(tmp_path / "made"))
        path = cache.save("ab12", some())
        modes = [each.stat().st_mode & 0o777 for each in (path, path.parent, path.parent.parent)]
        assert modes == [0o600, 0o700, 0o700]
    finally:
        os.umask(before)


def test_a_clock_that_is_wrong_deletes_nothing_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine is a day ahead of the disk's, and the cache is full."""
    monkeypatch.setenv("MESHKIN_CACHE_LIMIT", "1")
    hour = time.time() + 86_400
    monkeypatch.setattr(time, "time", lambda: hour)
    paths = [cache.save(f"{number}", some(number)) for number in range(3)]
    assert all(path.exists() for path in paths)


def test_a_disk_that_does_not_answer_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    path = cache.save("ab12", some())

    def fail(self: Path) -> bytes:
        raise OSError(errno.ESTALE, "Stale file handle")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", fail)
        assert not cache.usable("ab12")
    assert path.exists()
    assert cache.usable("ab12")


def _work_for_others(seed: int, limit: int, steps: int = 30) -> None:
    cache.GRACE = 0.2
    for step in range(steps):
        key = f"{(seed + step) % 5}"
        if cache.usable(key):
            try:
                assert seed_of(cache.read(cache.features_path(key))) % 10 == int(key)
            except StorageError:  # trimmed since
                assert not cache.features_path(key).exists() or cache.usable(key)
        else:
            cache.save(key, some(10 * seed + int(key), 2000))
        cache.trim(limit)


def test_many_that_write_read_and_trim_at_once(folder: Path) -> None:
    size = cache.save("size", some(0, 2000)).stat().st_size
    context = multiprocessing.get_context("fork")
    workers = [
        context.Process(target=_work_for_others, args=(seed, 3 * size, 30 if seed > 1 else 1_000_000))
        for seed in range(1, 5)
    ]
    for worker in workers:
        worker.start()
    time.sleep(0.5)
    workers[0].kill()  # in the middle of anything
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [-9, 0, 0, 0]
    whole = [path.stem for path in (folder / "features").glob("[!.]*")]
    assert all(cache.usable(key) for key in whole)
    for path in folder.rglob("*"):
        grow_old(path, cache.GRACE + 60)
    cache.trim(3 * size)
    assert leftovers(folder) == []
    assert cache.info()["bytes"] <= 3 * size


def test_two_that_trim_delete_no_more_than_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one is quicker: each file that this one wants to delete is gone already."""
    paths = [cache.save(f"{number}", some(number)) for number in range(4)]
    for age, path in enumerate(paths):
        grow_old(path, cache.GRACE + 1000 - age)
    unlink = Path.unlink

    def twice(self: Path, missing_ok: bool = False) -> None:
        unlink(self)
        unlink(self, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", twice)
    cache.trim(2 * paths[0].stat().st_size + 100)
    assert [path.exists() for path in paths] == [False, False, True, True]


def test_a_file_that_another_machine_reads_is_replaced_when_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Windows has it, here or behind a network disk."""
    path = cache.save("ab12", some(1))
    replace_file, refused = os.replace, [True] * 3

    def busy(source: Path, target: Path) -> None:
        if refused and refused.pop():
            raise PermissionError(errno.EACCES, "The process cannot access the file")
        replace_file(source, target)

    monkeypatch.setattr(os, "replace", busy)
    cache.save("ab12", some(2))
    assert seed_of(cache.read(path)) == 2
    assert not refused


def test_an_answer_of_the_network_disk_that_was_lost(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk has put the file in its place; asked once more, it does not find what it was to move."""
    replace_file = os.replace

    def lossy(source: Path, target: Path) -> None:
        replace_file(source, target)
        replace_file(source, target)

    monkeypatch.setattr(os, "replace", lossy)
    path = cache.save("ab12", some(1))
    assert seed_of(cache.read(path)) == 1
    assert leftovers(folder) == []

    def gone(source: Path, target: Path) -> None:
        source.unlink()
        replace_file(source, target)

    monkeypatch.setattr(os, "replace", gone)
    with pytest.raises(StorageError) as raised:
        cache.save("ab12", some(2))
    assert raised.value.code == "file-failed"
    assert seed_of(cache.read(path)) == 1


def test_a_file_that_is_replaced_while_it_is_read(monkeypatch: pytest.MonkeyPatch, shared: Path) -> None:
    """A network disk then has no file any more where this machine has opened one, in one's own and the shared cache."""
    cache.save("ab12", some(1))
    read_bytes, stale = Path.read_bytes, set[Path]()

    def read(self: Path) -> bytes:
        if self not in stale:
            stale.add(self)
            raise OSError(errno.ESTALE, "Stale file handle")
        return read_bytes(self)

    monkeypatch.setattr(Path, "read_bytes", read)
    assert seed_of(cache.read(cache.features_path("ab12"))) == 1
    theirs = found_at("theirs")
    assert theirs is not None
    assert seed_of(theirs) == 2
    assert len(Match.load(shared / "maps" / "ab12.npz").to_source.face) == 4
    assert len(stale) >= 3


def _one_machine(seed: int, place: Path, shared: Path, limit: int) -> None:
    os.environ.update({"MESHKIN_CACHE": str(place), "MESHKIN_SHARED_CACHE": str(shared)})
    for step in range(25):
        key = f"{(seed + step) % 5}"
        if cache.usable(key):
            assert seed_of(cache.read(cache.features_path(key))) % 10 == int(key)
        cache.features_path(key).unlink(missing_ok=True)  # it comes from the shared cache the next time, too
        if seed % 2:
            cache.save("own", some(seed, 2000))
            cache.trim(limit)


def _owner_of_the_shared_cache(shared: Path) -> None:
    os.environ["MESHKIN_CACHE"] = str(shared)
    os.environ.pop("MESHKIN_SHARED_CACHE", None)
    cache.GRACE = 0.05
    for step in range(10_000):
        cache.save(f"{step % 5}", some(10 * step + step % 5, 2000))
        if step % 7 == 0:
            cache.trim(0)


def test_machines_with_caches_of_their_own_before_one_that_changes(tmp_path: Path) -> None:
    """Its owner writes and trims it all the time; what the others take from it is whole, and they leave it alone."""
    shared = tmp_path / "net"
    context = multiprocessing.get_context("fork")
    owner = context.Process(target=_owner_of_the_shared_cache, args=(shared,))
    owner.start()
    machines = [
        context.Process(target=_one_machine, args=(seed, tmp_path / f"cache{seed}", shared, 1)) for seed in range(3)
    ]
    for machine in machines:
        machine.start()
    for machine in machines:
        machine.join()
    owner.kill()
    owner.join()
    assert [machine.exitcode for machine in machines] == [0, 0, 0]
    assert {path.stem for path in (shared / "features").glob("[!.]*")} <= set("01234")
    for seed in range(3):
        assert leftovers(tmp_path / f"cache{seed}") == []


def _other_user() -> None:
    os.setgid(65534)
    os.setuid(65534)
    for key, seed in (("both", 1), ("theirs", 2)):
        found = found_at(key)
        assert found is not None
        assert seed_of(found) == seed
    assert cache.usable_map(map_path("ab12"))
    cache.save("mine", some(3))
    assert cache.info()["files"] == 4


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can become another user")
def test_a_shared_cache_of_another_user(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose folders and files this user may read, and no more."""
    with tempfile.TemporaryDirectory() as name:  # this user may not even look into the folders of tests
        net, mine = Path(name, "net"), Path(name, "mine")
        shutil.copytree(shared, net)
        mine.mkdir()
        os.chown(mine, 65534, 65534)
        for place in (Path(name), net, *net.rglob("*")):
            place.chmod(0o555 if place.is_dir() else 0o444)
        before = content_of(net)
        monkeypatch.setenv("MESHKIN_SHARED_CACHE", str(net))
        monkeypatch.setenv("MESHKIN_CACHE", str(mine))
        process = multiprocessing.get_context("fork").Process(target=_other_user)
        process.start()
        process.join()
        assert process.exitcode == 0
        assert content_of(net) == before
