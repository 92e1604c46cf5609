"""Disks that are full, and files that are nobody else's business."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.creatures import creature
from helpers.main_job import GEOMETRIC
from helpers.places import Place
from helpers.shell import WORKER
from meshkin import workflow
from meshkin.base.errors import StorageError
from meshkin.base.progress import finish
from meshkin.worker import client


def can_mount() -> bool:
    """Whether this process may make a file system that only its children see."""
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return bool(shutil.which("unshare")) and subprocess.run(command, capture_output=True, check=False).returncode == 0


needs_mount = pytest.mark.skipif(not can_mount(), reason="no file system can be mounted here")


def on_a_full_disk(folder: Path, *commands: str) -> subprocess.CompletedProcess[str]:
    """Run shell commands where ``folder`` is a file system of its own without a free byte."""
    fill = f"mount -t tmpfs -o size=256k,nr_inodes=200 tmpfs '{folder}' && cd '{folder}' && mkdir -p cache/maps"
    fill += " && head -c 100000 /dev/zero > cache/maps/old.npz; cat /dev/zero > filler 2>/dev/null; cd /; "
    script = fill + "; ".join(commands)
    return subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, check=False)


@needs_mount
def test_the_cache_can_be_cleared_on_a_full_disk(place: Place) -> None:
    """The worker's log lies there, too."""
    meshkin = f"'{WORKER}' -m meshkin"
    ran = on_a_full_disk(place.home, f"{meshkin} cache info", f"{meshkin} cache clear", f"{meshkin} cache info")
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert "1 files" in lines[0]
    assert "Freed" in lines[1]
    assert ": 0 files" in lines[2]
    assert "died" not in ran.stderr


@needs_mount
def test_a_job_on_a_full_disk_says_so(place: Place) -> None:
    (place.work / "one.off").write_text("OFF\n4 4 0\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 2 1\n3 0 1 3\n3 1 2 3\n3 0 3 2\n")
    command = f"'{sys.executable}' -m meshkin features '{place.work}/one.off' --features geometric"
    ran = on_a_full_disk(place.home, f"{command} --output '{place.work}/f.safetensors' --json")
    assert ran.returncode == 6, ran.stderr
    assert '"disk-full"' in ran.stdout
    assert [file.name for file in place.work.iterdir()] == ["one.off"]


def test_cache_and_logs_are_for_the_user_alone(place: Place) -> None:
    umask = os.umask(0o022)
    try:
        finish(workflow.features([creature("one", subdivisions=2)], GEOMETRIC))
    finally:
        os.umask(umask)
    for folder in (place.home / "cache", place.home / "logs"):
        files = [folder, *folder.rglob("*")]
        assert len(files) > 1
        for file in files:
            assert stat.S_IMODE(file.stat().st_mode) == (0o700 if file.is_dir() else 0o600), file


def test_a_job_folder_that_was_given_up_is_not_made_again(place: Place) -> None:
    """The worker still computes when a cancelled job's folder is removed."""
    source, target = creature("source", subdivisions=3), creature("target", 1.2, subdivisions=3)
    job = workflow.match(source, target, GEOMETRIC)
    for progress in job:
        if progress.stage == "Measuring the surface":
            break
    job.close()
    client.stop()
    assert not list(place.temporary.iterdir())


def test_no_backup_of_an_older_file_is_left(place: Place) -> None:
    from meshkin.scene import blend

    creature("one", subdivisions=2)
    for _ in range(2):
        blend.save_file(place.work / "out.blend")
    assert [file.name for file in place.work.iterdir()] == ["out.blend"]


def test_a_folder_that_cannot_be_written_to(place: Place) -> None:
    (place.work / "file").write_text("")
    from meshkin.scene import blend

    with pytest.raises(StorageError):
        blend.save_file(place.work / "file" / "out.blend")
