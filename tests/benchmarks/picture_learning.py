"""Normals of pictures learned on a CPU from rendered pairs, of meshes that were not learned from.

    python -m meshkin picture pairs MESH … --count 480 --size 64 --output PAIRS
    python tests/benchmarks/picture_learning.py --pairs PAIRS [PAIRS …] --work FOLDER [--steps N] [--batch N] [--rivals]

Runs in the worker's environment, in one thread; prints a part of results/picture_learning.txt. Every fifth mesh of each
folder is held out. Pairs of several folders are learned from together, at the size of the smallest ones.

"mean": the mean normal of all pairs that were learned from. "from the picture": the small network as MeshKin teaches
it, with the picture in the place of the noise; "ordinary" takes at each step what the network makes of the picture,
"oracle" the picture itself. "the same, from noise": this very network, asked with noise in the place of the picture.
With --rivals also: "from noise, taught so": the same network taught in the same way, but from noise; five steps, one
draw. "one step, taught alone": the same network taught the first step alone, a plain regression of the map from the
picture. All learn for as many steps, from the same pairs. Errors are mean angles over the pixels of the objects, of
all held-out pairs, then of those of each folder; "learned" is the error of as many pairs that were learned from.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from meshkin.base.png import write_png
from meshkin.pictures.learning import formulas, measures, training, values
from meshkin.pictures.learning.networks import SmallNetwork
from meshkin.pictures.learning.pairs import PicturePairs

Bytes = NDArray[np.uint8]
Finding = Callable[[Bytes], Bytes]
SHOWN = 16
"""Held-out pairs of the picture that is left in the folder."""
TARGET = "normal"


class JoinedPairs(PicturePairs):
    """Pairs of several folders, in memory; ``folder_of`` tells each one's folder, ``name_of`` its mesh."""

    def __init__(self, folders: Sequence[Path]) -> None:
        parts = [PicturePairs(folder, TARGET) for folder in folders]
        size = min(part.record.size for part in parts)
        self.record, self.key = parts[0].record, ""
        self.held_out, self.taught = list[int](), list[int]()
        self.folder_of, self.name_of = list[str](), list[str]()
        self._read: list[tuple[Bytes, Bytes]] = []
        for folder, part in zip(folders, parts, strict=True):
            begun = len(self._read)
            self.held_out += [begun + number for number in part.held_out]
            self.taught += [begun + number for number in part.taught]
            subjects = part.record.subjects
            for number in range(part.record.count):
                self._read.append(smaller(*part.read(number), part.record.size // size))
                self.folder_of.append(folder.name)
                self.name_of.append(subjects[number % len(subjects)].name)

    def read(self, number: int) -> tuple[Bytes, Bytes]:
        return self._read[number]


class Regression(SmallNetwork):
    """The small network, taught its first step alone."""

    def loss(
        self, asked: formulas.Velocity, start: torch.Tensor, goal: torch.Tensor, random: np.random.Generator
    ) -> torch.Tensor:
        steps = torch.full((len(start),), formulas.steps_of(self.schedule)[0])
        return (formulas.found(self.schedule, start, asked(start, steps), steps) - goal).square().mean()


def smaller(picture: Bytes, shown: Bytes, times: int) -> tuple[Bytes, Bytes]:
    """A picture and its normals (S, S, 3) so many times smaller: means of cells, of normals where half are."""
    cells = (len(picture) // times, times, len(picture) // times, times)
    there = np.asarray(shown.any(axis=-1))
    normals = ((shown / 127.5 - 1) * there[..., None]).reshape(*cells, 3).sum(axis=(1, 3))
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-6)
    kept = there.reshape(cells).mean(axis=(1, 3)) >= 0.5
    mean = picture.reshape(*cells, 3).mean(axis=(1, 3))
    return mean.round().astype(np.uint8), (((normals + 1) * 127.5).round() * kept[..., None]).astype(np.uint8)


def learned(network: SmallNetwork, pairs: PicturePairs, lesson: training.PictureLesson, work: Path) -> None:
    """Teach a network, and tell how it went."""
    learning = training.PictureLearning(network, pairs, lesson)
    before = time.process_time()
    training.learn(learning, work / "notes.pt", work / "epochs", lambda stage, share: None)
    (work / "notes.pt").unlink(missing_ok=True)
    minutes = (time.process_time() - before) / 60
    told = " ".join(f"{error:.3g}" for error in learning.errors[:: max(len(learning.errors) // 12, 1)])
    count = sum(value.numel() for value in network.taught())
    digest = hashlib.blake2b(b"".join(each.numpy().tobytes() for each in network.tensors().values()), digest_size=8)
    print(f"  [{count / 1e6:.2f} million numbers, {minutes:.1f} min of one core, digest {digest.hexdigest()};")
    print(f"   error of eight held-out pairs by epoch: {told}]", flush=True)


def asked(network: SmallNetwork, pictures: Bytes, steps: int, start: str) -> Bytes:
    """The normals of pictures, by so many steps from the picture or from noise."""
    found = []
    for first in range(0, len(pictures), training.TOGETHER):
        shown = network.encode(values.tensor(pictures[first : first + training.TOGETHER], "cpu"))
        begun = training.noise_like(shown, torch.Generator().manual_seed(first)) if start == "noise" else shown
        told = training.asking(network, shown)
        maps = formulas.translate(told, network.schedule, begun, steps, keep=start == "oracle")
        found.append(values.map_pixels(network.decode(maps), TARGET))
    return np.concatenate(found)


class Table:
    """Rows of errors, and the pictures of some held-out pairs."""

    def __init__(self, pairs: JoinedPairs) -> None:
        every = max(len(pairs.taught) // len(pairs.held_out), 1)
        self._pairs, self._numbers = pairs, (pairs.held_out, pairs.taught[::every])
        self._pictures, self._truth = zip(*(self._stacked(numbers) for numbers in self._numbers), strict=True)
        self._sheet = [self._pictures[0], self._truth[0]]

    def _stacked(self, numbers: Sequence[int]) -> tuple[Bytes, Bytes]:
        pictures, truth = zip(*(self._pairs.read(number) for number in numbers), strict=True)
        return np.stack(pictures), np.stack(truth)

    def row(self, name: str, finding: Finding, show: bool = False, meshes: bool = False) -> None:
        """Judge a way of finding normals."""
        found, truth = finding(self._pictures[0]), self._truth[0]
        told = f"{measures.error(found, truth, TARGET):8.1f}"
        told += f"{measures.error(finding(self._pictures[1]), self._truth[1], TARGET):9.1f}"
        for names in (self._pairs.folder_of, self._pairs.name_of)[: 1 + meshes]:
            of = np.array([names[number] for number in self._pairs.held_out])
            each = [f"{one} {measures.error(found[of == one], truth[of == one], TARGET):.1f}" for one in np.unique(of)]
            told += "   " + ", ".join(each)
        print(f"{name:38}{told}", flush=True)
        if show:
            self._sheet.append(found)

    def draw(self, file: Path) -> None:
        """Some held-out pairs in rows: the picture, the truth, and what was shown of the rows."""
        chosen = [index * len(self._sheet[0]) // SHOWN for index in range(SHOWN)]
        sheet = np.concatenate([np.concatenate([part[index] for part in self._sheet], axis=1) for index in chosen])
        write_png(file, sheet.repeat(2, 0).repeat(2, 1))


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, nargs="+", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rivals", action="store_true", help="also teach from noise, and one step alone")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    pairs, work = JoinedPairs(arguments.pairs), arguments.work
    shutil.rmtree(work, ignore_errors=True)
    table, network = Table(pairs), SmallNetwork()
    lesson = training.PictureLesson(TARGET, arguments.steps, arguments.batch)
    size = len(pairs.read(0)[0])
    print(f"{len(pairs.taught)} pairs of {size} pixels learned from, {len(pairs.held_out)} held out;")
    print(f"{lesson.steps} steps of {lesson.batch}\n\n{'':38}held out  learned   of these")
    mean = measures.mean_map(np.stack([pairs.read(number)[1] for number in pairs.taught]))
    table.row("mean", lambda pictures: np.broadcast_to(mean, pictures.shape))
    learned(network, pairs, lesson, work / "picture")
    table.row("from the picture, 1 step", lambda pictures: asked(network, pictures, 1, "ordinary"), show=True)
    five = formulas.MAP_STEPS
    table.row("from the picture, 5 steps, ordinary", lambda each: asked(network, each, five, "ordinary"), True, True)
    table.row("from the picture, 5 steps, oracle", lambda pictures: asked(network, pictures, five, "oracle"))
    table.row("the same, from noise, 5 steps", lambda pictures: asked(network, pictures, five, "noise"))
    if arguments.rivals:
        rival, plain = SmallNetwork(), Regression()
        noisy = training.PictureLesson(TARGET, arguments.steps, arguments.batch, noise=True)
        learned(rival, pairs, noisy, work / "noise")
        table.row("from noise, taught so, 5 steps", lambda each: training.find(rival, each, TARGET, "cpu", noise=True))
        learned(plain, pairs, lesson, work / "plain")
        table.row("one step, taught alone", lambda pictures: asked(plain, pictures, 1, "ordinary"))
    table.draw(work / "held_out.png")


if __name__ == "__main__":
    main()
