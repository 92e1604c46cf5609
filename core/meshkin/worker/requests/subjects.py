"""Requests about subjects that are learned from photographs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .base import Request


@dataclass(frozen=True)
class LearnSubjectResult:
    """What was learned.

    Attributes:
        output: the file.
        base: name of the model that it is for.
        losses: the mean loss of the first and of the last tenth of each stage.
    """

    output: Path
    base: str
    losses: tuple[float, ...]


@dataclass(frozen=True)
class LearnSubject(Request[LearnSubjectResult], job="learn-subject"):
    """Learn a subject from pictures. A try that was stopped goes on where it was.

    Attributes:
        pictures: files, of which the first is the photograph.
        mask: file, white where the subject is on the first; None where that is said by its transparency.
        name: what the subject is, in common words.
        output: the file to write.
        model: folder, name or hub id of Stable Diffusion; "" for the known one.
        steps, size, own, seed: as in :class:`meshkin.paint.subject_learning.SubjectLesson`.
        device: what computes.
        online: whether a model that is not there may be fetched.
        slow: whether it may take hours.
    """

    pictures: tuple[Path, ...]
    mask: Path | None
    name: str
    output: Path
    model: str
    steps: int
    size: int
    own: int
    seed: int
    device: str
    online: bool
    slow: bool
