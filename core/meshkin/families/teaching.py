"""From shapes with their features to a family: its members are checked, their sides told, the network taught."""

from __future__ import annotations

import datetime
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..base.progress import ProgressCallback
from ..base.storage import UNREADABLE
from ..data.recipe import Recipe
from ..data.snapshot import Snapshot
from ..geometry.arrays import Singles, unit_rows
from ..models import torch_files
from ..spectral import pca
from .kept import Family
from .learning import Learning, LearningSettings, Member, is_plateau
from .network import FamilyNetwork
from .record import FEWEST_SHAPES, Curve, FamilyRecord, MemberNote, check_count
from .rows import ROW_COMPONENTS, SIDE_WEIGHT, surface_rows, with_side
from .sides import SpectralShape, common_sides

PER_HELD_OUT = 5
"""Of so many shapes one is held out. Chosen; of fewer, none is."""
UNLIKE = 2.5
"""A shape is unlike the others of a family if its points are farther from the most similar ones of theirs, by this
factor, than those of the usual member. Measured: 0.8 to 1.8 in families of animals, 4.9 for a cat among people."""
UNLIKE_SAMPLE = 500
"""Points of each shape by which it is compared with the others. Chosen."""
SAVED_EVERY = 20.0
"""Seconds after which a learning notes how far it has come. Chosen."""


@dataclass(frozen=True)
class Pupil:
    """A shape with its features, from which a family is to be learned.

    Attributes:
        shape: the mesh.
        features: float (V, C), of its vertices.
    """

    shape: Snapshot
    features: NDArray[np.floating]


@dataclass(frozen=True)
class Lesson:
    """What is to be learned.

    Attributes:
        name: of the family.
        base: how the features were made.
        settings: of the learning.
        notes: file in which it is noted how far the learning has come; None to note nothing.
        device: a torch device.
    """

    name: str
    base: Recipe
    settings: LearningSettings
    notes: Path | None
    device: str


def settings_of(network: str, steps: int) -> LearningSettings:
    """The settings of a network of one of the sizes of :mod:`meshkin.families.options`."""
    if network == "published":
        # As in the released code, but for the sampled vertices, the pool and the average.
        return LearningSettings(layers=(1024, 512, 256), steps=steps, learning_rate=1e-4)
    return LearningSettings(steps=steps)


def check_members(pupils: Sequence[Pupil]) -> tuple[list[Pupil], list[str]]:
    """The shapes without repetitions, and which were left out, in sentences.

    Raises InputError ``family-few``, ``family-many``.
    """
    kept: dict[str, Pupil] = {}
    left_out = []
    for pupil in pupils:
        if (first := kept.get(pupil.shape.key)) is not None:
            left_out.append(f"“{pupil.shape.name}” is a copy of “{first.shape.name}” and counts once.")
        kept.setdefault(pupil.shape.key, pupil)
    check_count(len(kept))
    return list(kept.values()), left_out


def unlike_members(pupils: Sequence[Pupil]) -> list[str]:
    """Names of the shapes that are of another kind than most, as far as features tell."""
    if len(pupils) <= FEWEST_SHAPES:
        return []
    samples = [_sample(pupil.features) for pupil in pupils]
    distances = np.array(
        [
            np.median(
                1 - (own @ np.concatenate([rows for other, rows in enumerate(samples) if other != number]).T).max(1)
            )
            for number, own in enumerate(samples)
        ]
    )
    usual = np.median(distances)
    return [pupil.shape.name for pupil, own in zip(pupils, distances, strict=True) if own > UNLIKE * usual]


def teach(pupils: Sequence[Pupil], lesson: Lesson, report: ProgressCallback) -> Family:
    """Learn a family.

    Args:
        pupils: the shapes, as :func:`check_members` returns them, with features by one recipe.
        lesson: what to learn, and where it is noted how far that has come.
        report: told the progress; may raise Cancelled.
    """
    components = pca.basis([pupil.features for pupil in pupils], ROW_COMPONENTS)
    shapes = [
        SpectralShape.of(pupil.shape, pupil.features, components)
        for pupil in _reported(pupils, "Finding smooth functions", report)
    ]
    sides, reader = common_sides(shapes, _ticker(report, len(pupils)))
    members = [
        Member.of(pupil.shape, with_side(surface_rows(shape, pupil.features, components), side), lesson.settings)
        for pupil, shape, side in zip(
            _reported(pupils, "Measuring along the surfaces", report), shapes, sides, strict=True
        )
    ]
    held = {number for number in range(len(members)) if number % PER_HELD_OUT == PER_HELD_OUT - 1}
    learning = Learning(members[0].rows.shape[1], lesson.settings, lesson.device)
    network, curve = _learned(learning, members, held, lesson, report)
    notes = tuple(
        MemberNote(pupil.shape.name, pupil.shape.key, number in held, bool(side.any()))
        for number, (pupil, side) in enumerate(zip(pupils, sides, strict=True))
    )
    record = FamilyRecord(
        lesson.name,
        datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        network.widths,
        SIDE_WEIGHT,
        lesson.base,
        lesson.base.name,
        notes,
        curve,
        is_plateau(curve),
    )
    return Family(record, network.to("cpu"), components, reader)


def _learned(
    learning: Learning, members: Sequence[Member], held: set[int], lesson: Lesson, report: ProgressCallback
) -> tuple[FamilyNetwork, Curve]:
    """Teach the network, from where an earlier try was stopped if there was one."""
    if lesson.notes is not None and lesson.notes.is_file():
        try:
            learning.restore(torch_files.load(lesson.notes, lesson.device))
        except UNREADABLE:
            learning = Learning(members[0].rows.shape[1], lesson.settings, lesson.device)
    saved = time.monotonic()

    def tick(share: float, curve: Curve) -> None:
        nonlocal saved
        now = time.monotonic()
        try:
            report(f"Learning the family {curve.drawn()}".rstrip(), share)
        except BaseException:
            _note(learning, lesson.notes)
            raise
        if now - saved > SAVED_EVERY:
            _note(learning, lesson.notes)
            saved = now

    taught = [member for number, member in enumerate(members) if number not in held]
    result = learning.run(taught, [member for number, member in enumerate(members) if number in held], tick)
    _note(learning, lesson.notes)
    return result


def _note(learning: Learning, path: Path | None) -> None:
    """Write down how far a learning has come."""
    if path is not None:
        torch_files.save(path, learning.state())


def _reported(pupils: Sequence[Pupil], stage: str, report: ProgressCallback) -> Iterator[Pupil]:
    """The shapes one by one, with the progress of what is done to them."""
    for number, pupil in enumerate(pupils):
        report(stage, number / len(pupils))
        yield pupil


def _ticker(report: ProgressCallback, count: int) -> Callable[[], None]:
    """What is called in every round: it reports a share that approaches 1, as nobody knows the number of rounds."""
    rounds = itertools.count(1)
    return lambda: report("Telling left from right", 1 - 0.98 ** (next(rounds) / count))


def _sample(features: NDArray[np.floating]) -> Singles:
    known = features[features.any(axis=1)]
    picked = known[np.linspace(0, len(known) - 1, min(UNLIKE_SAMPLE, len(known))).astype(int)]
    return unit_rows(np.asarray(picked, np.float32))
