"""K-fold consistency: pictures whose poses cannot be learned from the others are probably wrong.

Source: 3D-DST (Ma et al., ICLR 2024), ``scripts/run_kcf_filter.py``: five folds, three angles with 41 bins each, the
sum of the three cross-entropies of held-out pictures as score, written to ``kcf_losses.json``. There five networks are
trained for hours; here heads of two layers are, on the features of a network that stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from ..base.progress import ProgressCallback
from ..base.storage import write_file
from ..features.extractors.efficientnet.network import EfficientNet
from ..geometry.arrays import Floats
from .formats.pascal3d import viewpoint
from .record import DataFolder, InstanceRecord, ModelRecord, PictureRecord, SetRecord

BINS = 41
"""Of each angle; the publication's."""
FOLDS_OF_POSES = 5
"""The publication's."""
FEWEST_OBJECTS = 25
"""Objects of a class that are needed. Chosen: a fold of five is the least that can be ranked."""
CROP = 224
"""Pixels along the picture of an object that the network sees. Chosen: as it was trained."""
BORDER_OF_CROP = 0.1
"""Share of the object's box that is left free on each side. Chosen."""
STAGES = (4, 6)
"""Of the network, whose maps are read. Chosen: one of fine, one of coarse cells."""
POOLED = 5
"""Cells each way to which maps are reduced: a pose shows in what is where. Chosen."""
DIMENSIONS = 128
"""Principal components of the features that heads see. Chosen."""
HIDDEN_UNITS, DROPOUT, EPOCHS, RATE, DECAY = 256, 0.3, 200, 3e-3, 1e-3
"""Of the heads, and of their training by AdamW on whole folds. Chosen; the epochs are the specification's."""
SPREAD_OF_BINS = 1.0
"""Standard deviation, in bins, of what a head is to answer: neighbors of the right bin are nearly right. Chosen."""
SCORES = "kcf_losses.json"
"""File of the scores, by pictures; the publication's."""
_BATCH = 16
"""Pictures that the network sees at once. Chosen."""


@dataclass(frozen=True)
class PoseSample:
    """An object in a picture.

    Attributes:
        number: of the picture.
        category: its class.
        bins: of azimuth, elevation and theta.
    """

    number: int
    category: str
    bins: tuple[int, int, int]


def samples_of(folder: DataFolder) -> tuple[list[PoseSample], list[tuple[Path, tuple[int, int, int, int]]]]:
    """All objects that are seen, and of each the picture and its box there. Raises StorageError, InputError."""
    data = SetRecord.load(folder.path)
    samples, crops = [], []
    for number in folder.numbers(with_dropped=True):
        record = folder.load(number)
        for instance in (each for each in record.instances if each.pixels[0]):
            model = data.model(instance.model)
            samples.append(PoseSample(number, model.category, bins_of(record, instance, model)))
            crops.append((folder.picture(number), instance.box))
    return samples, crops


def bins_of(record: PictureRecord, instance: InstanceRecord, model: ModelRecord) -> tuple[int, int, int]:
    """The bins of an object's azimuth, elevation and theta; of poses that its symmetries make alike, those of the one
    with the least azimuth."""
    pose, center = record.model_to_camera(instance), (np.array(instance.low) + instance.high) / 2
    turns = [np.eye(4), *(np.array(turn).reshape(4, 4) for turn in model.symmetries.discrete)]
    angles = min(viewpoint(pose @ turn, center)[:3] for turn in turns)
    azimuth, elevation, theta = angles
    if any(abs(axis[2]) == 1 for axis in model.symmetries.continuous):
        azimuth = 0.0
    return (
        int((azimuth / (2 * np.pi) % 1) * BINS) % BINS,
        _signed_bin(elevation),
        _signed_bin(theta),
    )


def _signed_bin(angle: float) -> int:
    """The bin of an angle from -pi to pi, radians, as the publication counts them."""
    return int(np.clip(np.ceil((angle / np.pi + 1) * BINS / 2 - 1), 0, BINS - 1))


def describe(
    crops: Sequence[tuple[Path, tuple[int, int, int, int]]], model: Path, device: str, report: ProgressCallback
) -> NDArray[np.float32]:
    """Features of objects in pictures, (N, D), by a network that stays as it is.

    Args:
        crops: the picture of each object, and its box: left, top, width, height.
        model: folder of an EfficientNet-Lite.
        device: "auto", "cpu" or a torch device.
        report: told the progress; may raise Cancelled.
    """
    network = EfficientNet(model, STAGES, CROP, device)
    rows = []
    for start in range(0, len(crops), _BATCH):
        report("Reading pictures", start / len(crops))
        pictures = np.stack([_cropped(*crop) for crop in crops[start : start + _BATCH]])
        shown = torch.from_numpy(pictures).to(network.device).float().permute(0, 3, 1, 2) / 255
        with torch.inference_mode():
            maps = [nn.functional.adaptive_avg_pool2d(each.float(), POOLED) for each in network.maps(shown)]
            rows.append(torch.cat([each.flatten(1) for each in maps], dim=1).cpu().numpy())
    return np.concatenate(rows)


def _cropped(picture: Path, box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """A square of a picture around a box, uint8 (CROP, CROP, 3)."""
    left, top, width, height = box
    side = max(width, height) * (1 + 2 * BORDER_OF_CROP)
    x, y = left + width / 2 - side / 2, top + height / 2 - side / 2
    with Image.open(picture, formats=("PNG",)) as opened:
        square = (round(x), round(y), round(x + side), round(y + side))
        return np.array(opened.convert("RGB").crop(square).resize((CROP, CROP), Image.Resampling.BILINEAR))


def scores(features: NDArray[np.float32], bins: NDArray[np.int64], seed: int, report: ProgressCallback) -> Floats:
    """How little the pose of each of N objects of one class can be learned from the others: the sum of the
    cross-entropies of its three angles by a head that did not see it, (N,).

    Args:
        features: (N, D).
        bins: (N, 3).
        seed: of the folds and of the heads.
        report: told the progress; may raise Cancelled.
    """
    generator = torch.Generator().manual_seed(seed)
    values = _components(torch.from_numpy(features))
    targets = torch.from_numpy(bins)
    soft = _soft(targets)
    fold = torch.randperm(len(values), generator=generator) % FOLDS_OF_POSES
    losses = torch.zeros(len(values))
    for number in range(FOLDS_OF_POSES):
        report("Learning poses", number / FOLDS_OF_POSES)
        held_out = fold == number
        head = _trained(values[~held_out], soft[~held_out], seed + number)
        with torch.inference_mode():
            answers = head(values[held_out]).view(-1, 3, BINS).log_softmax(dim=2)
            losses[held_out] = -answers.gather(2, targets[held_out][..., None]).sum(dim=(1, 2))
    return losses.double().numpy()


def _components(values: torch.Tensor) -> torch.Tensor:
    """Features (N, D) by their principal components, each of unit variance over all."""
    centered = values - values.mean(dim=0)
    count = min(DIMENSIONS, *centered.shape)
    left, singular, _ = torch.linalg.svd(centered, full_matrices=False)
    reduced = left[:, :count] * singular[:count]
    return reduced / reduced.std(dim=0).mean().clamp_min(1e-9)


def _soft(bins: torch.Tensor) -> torch.Tensor:
    """What heads are to answer, (N, 3, BINS): a bell around each bin; that of the azimuth goes around."""
    away = (torch.arange(BINS)[None, None] - bins[..., None]).abs().float()
    away[:, 0] = torch.minimum(away[:, 0], BINS - away[:, 0])
    bell = torch.exp(-((away / SPREAD_OF_BINS) ** 2) / 2)
    return bell / bell.sum(dim=2, keepdim=True)


def _trained(values: torch.Tensor, soft: torch.Tensor, seed: int) -> nn.Module:
    """A head that answers what it was shown."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = nn.Sequential(
            nn.Linear(values.shape[1], HIDDEN_UNITS),
            nn.ReLU(),
            nn.Dropout(DROPOUT),
            nn.Linear(HIDDEN_UNITS, 3 * BINS),
        )
        optimizer = torch.optim.AdamW(head.parameters(), RATE, weight_decay=DECAY)
        for _ in range(EPOCHS):
            answers = head(values).view(-1, 3, BINS).log_softmax(dim=2)
            loss = -(soft * answers).sum(dim=(1, 2)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return head.eval()


def write_scores(folder: DataFolder, samples: Sequence[PoseSample], found: Floats, drop: float) -> dict[str, set[int]]:
    """Write the scores; returns for each class the numbers of the pictures that its worst share ``drop`` is in.

    A picture counts as its worst object. Raises StorageError.
    """
    by_picture: dict[str, float] = {}
    worst: dict[str, set[int]] = {}
    for category in sorted({sample.category for sample in samples}):
        rows = [row for row, sample in enumerate(samples) if sample.category == category and np.isfinite(found[row])]
        ordered = sorted(rows, key=lambda row: -found[row])[: round(drop * len(rows))]
        worst[category] = {samples[row].number for row in ordered}
        for row in rows:
            name = f"{samples[row].number:06d}.png"
            by_picture[name] = max(by_picture.get(name, 0.0), float(found[row]))
    content = json.dumps(dict(sorted(by_picture.items())))
    write_file(folder.path / SCORES, partial(Path.write_text, data=content, encoding="utf-8"))
    return worst
