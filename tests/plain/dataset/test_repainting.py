"""Pictures painted over: the same each time, gone on with, whole on the disk, with what is to stay as it was."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers import datasets, small_diffusion
from meshkin.base import storage
from meshkin.base.errors import Cancelled, InputError, StorageError
from meshkin.base.png import write_png
from meshkin.base.progress import silent
from meshkin.dataset import edges, repainting
from meshkin.dataset.formats import coco, yolo
from meshkin.dataset.joining import join
from meshkin.dataset.options import LookOptions
from meshkin.dataset.prompts import Prompts
from meshkin.dataset.record import DataFolder, PicturePasses, SetRecord
from meshkin.features.diffusion.stable_diffusion import StableDiffusion
from meshkin.pictures import models as map_models
from meshkin.pictures import reading
from meshkin.worker.jobs.datasets import filter_dataset
from meshkin.worker.requests.datasets import FilterDataset

GOLDEN = (
    "0891090808910890108888908e599c1c68af62e30889090810908908dae191922d1f0efd10908890091111101d189a1e"
    "0b76fce1088908910909089007ff0d7ff8014b00110888881109090832e3fca1d41c83de111109101091091028b10930"
)
"""Edges of a picture by OpenCV, as bits."""
LOOK = LookOptions(look="painted", control=("edges", "depth", "normal"), steps=2)


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> StableDiffusion:
    folder = tmp_path_factory.mktemp("networks")
    small_diffusion.quiet()
    small_diffusion.base(folder / "base")
    for number in range(3):
        small_diffusion.control(folder / str(number), number + 1)
    return StableDiffusion(folder / "base", [folder / str(number) for number in range(3)], device="cpu")


@pytest.fixture
def made(tmp_path: Path) -> DataFolder:
    return datasets.make(tmp_path / "set", 3, size=(72, 64))


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as opened:
        return np.array(opened.convert("RGB"))


def painted(
    folder: DataFolder, networks: StableDiffusion, look: LookOptions = LOOK, numbers: Iterable[int] = (0, 1, 2)
) -> tuple[int, int]:
    painter = repainting.Painter(networks, look)
    return repainting.repaint(folder, tuple(numbers), painter, 7, ("a",), silent)[:2]


def test_edges_are_those_of_opencv() -> None:
    random = np.random.default_rng(5)
    picture = np.kron(random.integers(0, 256, (6, 8, 3)), np.ones((4, 4, 1), int))
    noisy = (picture + random.integers(-20, 20, picture.shape)).clip(0, 255).astype(np.uint8)
    # cv2.Canny(picture, 100, 200) of OpenCV 5.0.
    expected = np.unpackbits(np.frombuffer(bytes.fromhex(GOLDEN), np.uint8)).reshape(24, 32)
    assert np.array_equal(edges.canny(noisy), expected > 0)


def test_edges_of_shapes_are_not_those_of_textures(made: DataFolder) -> None:
    passes = PicturePasses.load(made.passes(0))
    random = np.random.default_rng(0).integers(0, 256, (64, 72, 3)).astype(np.uint8)
    found = edges.shape_edges(passes)
    inside = passes.object > 0
    outline = inside[:, :-1] != inside[:, 1:]
    assert found[:, :-1][outline].all()
    assert found.sum() < 0.5 * edges.canny(random).sum()
    assert not found[~(inside | np.roll(inside, -1, 0) | np.roll(inside, -1, 1))].any()


def test_painting_is_repeatable_and_whatever_the_order(
    made: DataFolder, networks: StableDiffusion, tmp_path: Path
) -> None:
    before = [pixels(made.rendered(number)) for number in range(3)]
    other = datasets.make(tmp_path / "other", 3, size=(72, 64))
    assert painted(made, networks) == (3, 0)
    assert painted(other, networks, numbers=(2,)) == (1, 0)
    assert np.array_equal(pixels(made.picture(2)), pixels(other.picture(2)))
    assert made.painting(2) == other.painting(2)
    for number in range(3):
        assert np.array_equal(pixels(made.rendered(number)), before[number])
        assert pixels(made.picture(number)).shape == (64, 72, 3)
        assert not np.array_equal(pixels(made.picture(number)), before[number])
    assert not np.array_equal(pixels(made.picture(0)), pixels(made.picture(1)))


def test_what_was_painted_stays_until_it_is_asked_for_otherwise(made: DataFolder, networks: StableDiffusion) -> None:
    painter = repainting.Painter(networks, LOOK)

    def stop_in_the_second(_: str, share: float) -> None:
        if share > 0.4:
            raise Cancelled

    with pytest.raises(Cancelled):
        repainting.repaint(made, (0, 1, 2), painter, 7, ("a",), stop_in_the_second)
    assert made.painting(0) is not None
    assert made.picture(1) == made.rendered(1)
    first = made.painted(0).stat().st_mtime_ns
    assert painted(made, networks) == (2, 1)
    assert made.painted(0).stat().st_mtime_ns == first
    made.painted(1).with_suffix(".json").unlink()  # as if it had stopped before the end
    assert painted(made, networks) == (1, 2)
    assert painted(made, networks, replace(LOOK, guidance=3.0)) == (3, 0)
    assert painted(made, networks, replace(LOOK, guidance=3.0, slow=True)) == (0, 3)


def test_a_full_disk_leaves_whole_paintings(
    made: DataFolder, networks: StableDiffusion, monkeypatch: pytest.MonkeyPatch
) -> None:
    really, count = storage._replace, 0

    def fails(source: Path, target: Path) -> None:
        nonlocal count
        count += 1
        if count > 3:  # the second picture's record
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        really(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(storage, "_replace", fails)
        with pytest.raises(StorageError, match="no space left"):
            painted(made, networks)
    assert made.painting(0) is not None
    assert made.painting(1) is None
    assert sorted(file.name for file in (made.path / "painted").iterdir()) == [
        "000000.json",
        "000000.png",
        "000001.png",
    ]
    half = pixels(made.painted(1))
    assert painted(made, networks) == (2, 1)
    assert np.array_equal(pixels(made.painted(1)), half)


@pytest.mark.parametrize("what", ["background", "objects"])
def test_what_is_to_stay_stays_to_the_bit(made: DataFolder, networks: StableDiffusion, what: str) -> None:
    painted(made, networks, replace(LOOK, repaint=what, strength=0.6), [0])
    objects = PicturePasses.load(made.passes(0)).object > 0
    stays = objects if what == "background" else ~objects
    before, after = pixels(made.rendered(0)), pixels(made.picture(0))
    assert np.array_equal(before[stays], after[stays])
    assert (before[~stays] != after[~stays]).any(axis=1).mean() > 0.9


def test_controls_see_the_objects_alone(made: DataFolder, networks: StableDiffusion) -> None:
    passes = PicturePasses.load(made.passes(0))
    picture = pixels(made.rendered(0))
    inside = passes.object > 0
    near = inside | np.roll(inside, 1, 0) | np.roll(inside, 1, 1) | np.roll(inside, -1, 0) | np.roll(inside, -1, 1)
    for chosen in ("picture", "shape"):
        lines, depth, normal = repainting.Painter(networks, replace(LOOK, edges=chosen)).controls(picture, passes)
        assert lines[inside].any()
        assert not lines[~near].any()
        assert (depth > 0).all(axis=2).tolist() == inside.tolist()
        assert np.allclose(normal[~inside], (0.5, 0.5, 1.0))
        assert normal[inside][:, 2].min() > 0.49  # blue is toward the camera


def test_trainers_get_the_painted_pictures(made: DataFolder, networks: StableDiffusion, tmp_path: Path) -> None:
    painted(made, networks, numbers=(1,))
    coco.write(made)
    yolo.write(made)
    files = [image["file_name"] for image in json.loads((made.path / "annotations.json").read_text())["images"]]
    assert files == ["pictures/000000.png", "painted/000001.png", "pictures/000002.png"]
    copied = pixels(made.path / "yolo" / "images" / "train" / "000001.png")
    assert np.array_equal(copied, pixels(made.painted(1)))
    joined = DataFolder(tmp_path / "joined")
    join([made.path], joined.path)
    assert joined.painting(1) == made.painting(1)


def test_the_filter_finds_pictures_that_lost_their_shape(
    made: DataFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By a network that is always right about pictures whose colors are normals."""
    folder = datasets.make(tmp_path / "twelve", 12, size=(72, 64))
    with pytest.raises(InputError, match="painted over"):
        filter_dataset(FilterDataset(folder.path, "shape", "", 0.25, 0, "cpu", False), silent)
    shown = [PicturePasses.load(folder.passes(number)).normal.astype(np.float32) for number in range(12)]
    order = [3, 1, 2, 7, 4, 5, 6, 0, *range(8, 12)]  # three shapes are exchanged
    for number, other in enumerate(order):
        write_png(folder.painted(number), ((shown[other] * (1, -1, -1) + 1) / 2 * 255).round().astype(np.uint8))

    def read(_model: object, picture: np.ndarray, *_: object) -> dict[str, np.ndarray]:
        return {"normal": (picture.astype(np.float32) / 255 * 2 - 1)}

    model = map_models.MapModel("known", str(tmp_path), "marigold-normals", "", ("normal",))
    monkeypatch.setattr(map_models, "find_models", lambda *_: [model])
    monkeypatch.setattr(reading, "read_maps", read)
    result = filter_dataset(FilterDataset(folder.path, "shape", "", 0.25, 0, "cpu", False), silent)
    assert folder.dropped() == {0, 3, 7}
    assert (result.dropped, result.misshapen) == (3, 3)
    misfits = json.loads((folder.path / "shape_misfits.json").read_text())
    assert misfits["000001.png"] < 0.1 < misfits["000003.png"]


def prompts_of(prompts: Prompts, folder: DataFolder, count: int) -> list[str]:
    data, record = SetRecord.load(folder.path), folder.load(0)
    return [prompts.prompt(replace(record, number=number), data, 3) for number in range(count)]


def test_prompts_are_drawn_from_words(made: DataFolder, tmp_path: Path) -> None:
    found = prompts_of(Prompts.of(LookOptions().prompt, None), made, 200)
    assert len(set(found)) > 190
    assert found == prompts_of(Prompts.of(LookOptions().prompt, None), made, 200)
    assert all(" car" in each and "  " not in each and "{" not in each and ", ," not in each for each in found)
    file = tmp_path / "words.csv"
    file.write_text("class,called,color,place\ncar,estate car,red,on ice\ncar,,blue,\n,,gray,at sea\n", "utf-8")
    table = Prompts.of("{class}: {color}, {place}", file)
    found = prompts_of(table, made, 20)
    assert {each.split(",")[0] for each in found[:2]} == {"estate car: red", "estate car: blue"}
    assert [each.count("red") for each in found].count(1) == 10  # each word as often as the other
    assert {each.split(", ")[1] for each in found} == {"on ice"}
    assert table.classes() == {"car"}
    optional = prompts_of(Prompts.of("an {color?} {class} {color}", None), made, 100)
    assert 30 < sum(each.startswith(("a car", "an car")) for each in optional) < 70
    lines = tmp_path / "prompts.txt"
    lines.write_text("# mine\na {class} in Rome\nan {class} in Oslo\n", "utf-8")
    assert set(prompts_of(Prompts.of("", lines), made, 4)) == {"a car in Rome", "a car in Oslo"}


def test_words_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no words for \{weather\}"):
        Prompts.of("a {class} in {weather}", None)
    with pytest.raises(InputError, match="no file"):
        Prompts.of("a {class}", tmp_path / "none.csv")
    for name, text in (("empty.txt", "\n"), ("empty.csv", "class,place\n")):
        (tmp_path / name).write_text(text, "utf-8")
        with pytest.raises(InputError, match=name):
            Prompts.of("a {class}", tmp_path / name)
