"""Maps of pictures learned on a CPU from rendered pairs: normals of animals and people that were not learned from.

    python -m meshkin picture pairs MESH … --count 480 --size 64 --output PAIRS
    python tests/benchmarks/picture_learning.py --pairs PAIRS --work FOLDER [--steps N] [--batch N] [--target NAME]

Runs in the worker's environment, in one thread; prints results/picture_learning.txt. Every fifth mesh is held out.

"from the picture": the small network, taught and asked as published, with the picture in the place of the noise; the
step either takes the picture itself ("oracle") or what the network makes of it ("ordinary"). "the same, from noise":
this very network, asked with noise in the place of the picture. "from noise, taught so": a network of the same size
that is shown the picture beside the blend and is taught the usual way, from noise to map; five steps, one draw.
"mean": the mean normal of all pairs that were learned from. Errors are mean angles over the pixels of the objects, of
all held-out pairs; "meshes" the same for each held-out mesh.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from meshkin.base.png import write_png
from meshkin.pictures.learning import formulas, measures, training
from meshkin.pictures.learning.networks import SmallNetwork
from meshkin.pictures.learning.pairs import PicturePairs

Bytes = NDArray[np.uint8]
SHOWN = 8
"""Held-out pairs of the picture that is left in the folder."""


def taught(pairs: PicturePairs, lesson: training.PictureLesson, work: Path) -> tuple[SmallNetwork, list[float], float]:
    """A network that has learned; its errors by epoch, and the seconds of the processor that it took."""
    network = SmallNetwork(lesson.seed, condition=lesson.noise)
    learning = training.PictureLearning(network, pairs, lesson)
    before = time.process_time()
    training.learn(learning, work / "notes.pt", work / "epochs", lambda stage, share: None)
    (work / "notes.pt").unlink(missing_ok=True)
    return network, learning.errors, time.process_time() - before


def digest(network: SmallNetwork) -> str:
    """Of all numbers of a network."""
    told = hashlib.blake2b(digest_size=8)
    for value in network.tensors().values():
        told.update(value.numpy().tobytes())
    return told.hexdigest()


def asked(network: SmallNetwork, pictures: Bytes, steps: int, start: str) -> Bytes:
    """The maps of pictures, by so many steps from the picture or from noise."""
    shown = network.encode(training.tensor(pictures, "cpu"))
    noise = torch.randn(shown.shape, generator=torch.Generator().manual_seed(0))
    begun = noise if start == "noise" else shown
    found = formulas.translate(network.velocity, network.schedule, begun, steps, keep=start == "oracle")
    return training.pixels(network.decode(found))


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--target", default="normal")
    parser.add_argument("--rival", action="store_true", help="also teach a network from noise")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    pairs = PicturePairs(arguments.pairs, arguments.target)
    lesson = training.PictureLesson(arguments.target, arguments.steps, arguments.batch)
    pictures, truth = (np.stack(each) for each in zip(*(pairs.read(one) for one in pairs.held_out), strict=True))
    mean = measures.mean_map(np.stack([pairs.read(number)[1] for number in pairs.taught]))
    names = [pairs.record.subjects[number % len(pairs.record.subjects)].name for number in pairs.held_out]
    unit = measures.unit_of(lesson.target)

    def row(name: str, found: Bytes) -> None:
        single = {one: [each == one for each in names] for one in dict.fromkeys(names)}
        each = [f"{one} {measures.error(found[at], truth[at], lesson.target):.3g}" for one, at in single.items()]
        print(f"{name:44}{measures.error(found, truth, lesson.target):8.3g}{unit}   {', '.join(each)}", flush=True)

    print(f"{len(pairs.taught)} pairs of {pairs.record.size} pixels learned from, {len(pairs.held_out)} held out;")
    shutil.rmtree(arguments.work, ignore_errors=True)
    network, errors, seconds = taught(pairs, lesson, arguments.work / "picture")
    count = sum(value.numel() for value in network.taught())
    print(
        f"{count / 1e6:.2f} million numbers, {lesson.steps} steps of {lesson.batch}, {seconds / 60:.1f} min of one core"
    )
    print(f"error by epoch: {' '.join(f'{error:.3g}' for error in errors[:: max(len(errors) // 12, 1)])}")
    print(f"numbers {digest(network)}\n\n{'':44}   error   meshes")
    row("mean", np.broadcast_to(mean, truth.shape))
    rows = [pictures, truth]
    for steps in (1, formulas.MAP_STEPS):
        for start in ("ordinary", "oracle"):
            found = asked(network, pictures, steps, start)
            row(f"from the picture, {steps} steps, {start}", found)
            if (steps, start) == (formulas.MAP_STEPS, "ordinary"):
                rows.append(found)
    row(f"the same, from noise, {formulas.MAP_STEPS} steps", asked(network, pictures, formulas.MAP_STEPS, "noise"))
    if arguments.rival:
        lesson = training.PictureLesson(arguments.target, arguments.steps, arguments.batch, noise=True)
        rival, _, seconds = taught(pairs, lesson, arguments.work / "noise")
        found = training.find(rival, pictures, "cpu", lesson)
        row(f"from noise, taught so, {formulas.MAP_STEPS} steps", found)
        rows.append(found)
    chosen = [index * len(pictures) // SHOWN for index in range(SHOWN)]
    sheet = np.concatenate([np.concatenate([part[index] for part in rows], axis=1) for index in chosen])
    write_png(arguments.work / "held_out.png", sheet.repeat(2, 0).repeat(2, 1))


if __name__ == "__main__":
    main()
