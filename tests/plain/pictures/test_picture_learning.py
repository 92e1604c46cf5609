"""Maps learned from pairs: better than nothing, repeatable to the bit, gone on with, and what is refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers import picture_pairs
from helpers.places import CORE, TESTS
from meshkin.base.errors import Cancelled, InputError, MeshKinError, StorageError
from meshkin.base.png import write_png
from meshkin.base.progress import silent
from meshkin.base.storage import disk_full
from meshkin.pictures.learning import applying, measures, notes, training
from meshkin.pictures.learning.options import SMALL
from meshkin.pictures.learning.pairs import PAIRS_RECORD, PicturePairs, file_of
from meshkin.pictures.learning.teaching import PictureTask, teach

FEW = 8
"""Steps of a learning that is only looked at, and not for what it has learned."""


def task(steps: int = FEW, target: str = "normal", seed: int = 0) -> PictureTask:
    return PictureTask(training.PictureLesson(target, steps, 4, seed), SMALL, "cpu", False)


@pytest.fixture
def pairs(home: Path, tmp_path: Path) -> Path:
    return picture_pairs.balls(tmp_path / "pairs")


@pytest.mark.slow
def test_normals_are_learned(home: Path, tmp_path: Path) -> None:
    folder = picture_pairs.balls(tmp_path / "pairs", count=80)
    learned = teach(folder, tmp_path / "a.safetensors", task(700), silent)
    assert learned.error < 0.75 * learned.record.mean_error
    assert learned.record.errors[-1] < learned.record.errors[0]
    sheets = sorted(learned.epochs.iterdir())
    assert len(sheets) == len(learned.record.errors)
    assert Image.open(sheets[-1]).size == (3 * 32, 4 * 32)  # the picture, the truth, what is found
    picture = picture_pairs.ball(64, np.random.default_rng(99))
    Image.fromarray(picture[0]).save(tmp_path / "ball.png")
    where = applying.Where("", "cpu", False)
    assert applying.apply(tmp_path / "ball.png", str(tmp_path / "a.safetensors"), where, tmp_path / "n.png", silent)
    found = np.asarray(Image.open(tmp_path / "n.png"))
    plain = np.broadcast_to(np.array((127, 127, 255), np.uint8), picture[1].shape)
    assert measures.error(found, picture[1], "normal") < measures.error(plain, picture[1], "normal")


@pytest.mark.parametrize("target", ["normal", "parts"])
def test_a_learning_repeats_to_the_bit(pairs: Path, tmp_path: Path, target: str) -> None:
    first, second = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    for file in (first, second):
        teach(pairs, file, task(target=target), silent)
    teach(pairs, tmp_path / "other.safetensors", task(target=target, seed=1), silent)
    assert first.read_bytes() == second.read_bytes() != (tmp_path / "other.safetensors").read_bytes()


def test_a_stopped_learning_goes_on_to_the_same_bits(pairs: Path, tmp_path: Path) -> None:
    whole, halved = tmp_path / "whole.safetensors", tmp_path / "halved.safetensors"
    teach(pairs, whole, task(), silent)

    def stop(stage: str, share: float) -> None:
        if share > 0.6:
            raise Cancelled

    with pytest.raises(Cancelled):
        teach(pairs, halved, task(), stop)
    assert not halved.exists()
    begun = []
    teach(pairs, halved, task(), lambda stage, share: begun.append(share))
    assert min(begun[1:]) > 0.6
    assert whole.read_bytes() == halved.read_bytes()


def test_a_killed_learning_goes_on_to_the_same_bits(pairs: Path, tmp_path: Path, home: Path) -> None:
    output = tmp_path / "killed.safetensors"
    program = (
        "import sys, torch; from pathlib import Path; torch.set_num_threads(int(sys.argv[3]))\n"
        "from meshkin.pictures.learning import notes; notes.NOTED_EVERY = 0\n"
        "from meshkin.pictures.learning.teaching import PictureTask, teach; import time\n"
        f"task = PictureTask(training.PictureLesson('normal', {FEW}, 4, 0), 'small', 'cpu', False)\n"
        "teach(Path(sys.argv[1]), Path(sys.argv[2]), task, lambda stage, share: time.sleep(0.2))\n"
    )
    import torch

    command = [sys.executable, "-c", program, str(pairs), str(output), str(torch.get_num_threads())]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(CORE), str(TESTS)))}
    process = subprocess.Popen(command, env=environment)
    epochs = tmp_path / "killed epochs"
    while not list(epochs.glob("epoch_0002.png")) and process.poll() is None:
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
    assert process.wait() != 0
    assert not output.exists()
    begun = []
    teach(pairs, output, task(), lambda stage, share: begun.append(share))
    assert min(begun[1:]) >= 2 / FEW  # it did not begin anew
    teach(pairs, tmp_path / "whole.safetensors", task(), silent)
    assert output.read_bytes() == (tmp_path / "whole.safetensors").read_bytes()


def test_a_full_disk_loses_nothing(pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "NOTED_EVERY", 0)
    output = tmp_path / "full.safetensors"

    def fill(path: Path, pixels: picture_pairs.Bytes) -> None:
        if path.stem == "epoch_0002":
            raise disk_full("writing", path)
        write_png(path, pixels)

    with monkeypatch.context() as full:
        full.setattr(training, "write_png", fill)
        with pytest.raises(StorageError, match="no space left"):
            teach(pairs, output, task(), silent)
    begun = []
    teach(pairs, output, task(), lambda stage, share: begun.append(share))
    assert min(begun[1:]) > 0.4
    teach(pairs, tmp_path / "whole.safetensors", task(), silent)
    assert output.read_bytes() == (tmp_path / "whole.safetensors").read_bytes()


def test_bad_pairs_are_refused(pairs: Path, tmp_path: Path) -> None:
    def code(folder: Path) -> str:
        with pytest.raises(InputError) as raised:
            PicturePairs(folder, "normal")
        assert raised.value.fix
        return raised.value.code

    assert code(tmp_path / "nowhere") == "pairs-missing"
    (tmp_path / "empty").mkdir()
    assert code(tmp_path / "empty") == "pairs-missing"
    file, record = file_of(pairs, 3), pairs / PAIRS_RECORD
    whole, text = file.read_bytes(), record.read_text()
    for cut in (0, 7, 40, len(whole) - 1):
        file.write_bytes(whole[:cut])
        assert code(pairs) == "pairs-damaged"
    Image.new("RGB", (320, 64)).save(file)
    assert code(pairs) == "pairs-size"
    file.unlink()
    assert code(pairs) == "pairs-unfinished"
    for damaged in ("", "[]", text[:-9], text.replace('"size": 32', '"size": 0'), text.replace("seed", "sed")):
        record.write_text(damaged)
        assert code(pairs) == "pairs-damaged"
    record.write_text(text.replace('"count": 12', '"count": 1'))
    assert code(pairs) == "pairs-few"


def test_what_is_damaged_inside_is_named(pairs: Path, tmp_path: Path) -> None:
    file = file_of(pairs, 1)
    content = bytearray(file.read_bytes())
    content[60:80] = bytes(20)
    file.write_bytes(bytes(content))
    with pytest.raises(InputError, match=file.name):
        teach(pairs, tmp_path / "a.safetensors", task(), silent)


def test_pictures_that_do_not_fit_the_network_are_refused(home: Path, tmp_path: Path) -> None:
    folder = picture_pairs.balls(tmp_path / "odd", size=33)
    with pytest.raises(InputError, match="multiple of 16"):
        teach(folder, tmp_path / "a.safetensors", task(), silent)


def test_every_fifth_subject_is_held_out(home: Path, tmp_path: Path) -> None:
    many = PicturePairs(picture_pairs.balls(tmp_path / "many", count=22, kinds=10), "normal")
    assert many.held_out == [4, 9, 14, 19]
    few = PicturePairs(picture_pairs.balls(tmp_path / "few", count=4), "normal")
    assert few.held_out == [3]


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_pictures_that_cannot_be_read_are_refused(pairs: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "photo.png").write_bytes(content)
    where = applying.Where("", "cpu", False)
    with pytest.raises(InputError, match="photo"):
        applying.apply(tmp_path / "photo.png", "anything", where, tmp_path / "map.png", silent)
    Image.new("RGB", (40, 30)).save(tmp_path / "photo.png")
    with pytest.raises(MeshKinError, match="no imported LoRA"):
        applying.apply(tmp_path / "photo.png", "anything", where, tmp_path / "map.png", silent)
