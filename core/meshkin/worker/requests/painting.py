"""Requests about painting."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...base.storage import write_file
from ...data.recipe import PartModel
from ...paint.settings import PaintSettings
from ...pictures.models import MapModel
from .base import Request


@dataclass(frozen=True)
class PlanPaintingResult:
    """``models`` are the models by their roles: base, depth, normal."""

    models: Mapping[str, PartModel]


@dataclass(frozen=True)
class PlanPainting(Request[PlanPaintingResult], job="plan-painting"):
    """Check whether something can be painted, before anything is done: the prompt, the models, the device.

    Attributes:
        settings: what to paint.
        models: folders, names or hub ids by their roles; the known ones for roles that are not there.
        online: whether models that are not there may be fetched.
        device: what computes.
        slow: whether it may take hours.
        subject: file of a subject; None for none.
    """

    settings: PaintSettings
    models: Mapping[str, str]
    online: bool
    device: str
    slow: bool
    subject: Path | None


@dataclass(frozen=True)
class ShapedViews:
    """A shape that follows the normals of its painted views, see :class:`meshkin.paint.shaping.Shaped`.

    Attributes:
        offsets: file of an array float32 (V, 3), how far the snapshot's vertices move.
        accepted: how many views fitted the shape.
        turned: share of the surface that came to face the other way.
    """

    offsets: Path
    accepted: int
    turned: float


@dataclass(frozen=True)
class PaintShapeResult:
    """A painted texture, as files.

    Attributes:
        files: for each layer of the UV layout, by UDIM number (1001 where there are no tiles), the picture's file.
        layer_of_slot: for each of the shape's material slots, the layer of its faces.
        overlap: share of the layout that lies over other faces of the same layer.
        seen: share of the texels that some view sees.
        given: share of the texels whose colors were known before.
        resumed: the step at which an earlier try was taken up again; 0 for none.
        steps: how many were done: fewer than wanted where that was enough.
        surface: for each map of the surface files as above.
        shaped: None where no normals were read, or the texture is unfinished.
    """

    files: tuple[dict[int, Path], ...]
    layer_of_slot: tuple[int, ...]
    overlap: float
    seen: float
    given: float
    resumed: int
    steps: int
    surface: Mapping[str, tuple[dict[int, Path], ...]]
    shaped: ShapedViews | None


@dataclass(frozen=True)
class PaintShape(Request[PaintShapeResult], job="paint"):
    """Paint a texture. A try that was stopped goes on where it was.

    Attributes:
        shape: snapshot file.
        settings: what to paint, and how.
        models: of :class:`PlanPaintingResult`.
        device: what computes.
        photo: file of the :class:`meshkin.data.photo_map.PhotoMap` of a reference; None for none.
        present: files of arrays float32 (H, W, C), the present colors of each material slot; with ``mask`` only.
        mask: image file in the UV layout, white where to paint; None for everywhere.
        subject: file of a subject that is painted; None for none.
        maps: the models that read maps from the painted views: roughness, metallic, normal.
        reading: seed, steps and resolution of that.
        folder: where to write the pictures; ``NUMBER/`` in it has rough ones after that many steps; a
            file :data:`ENOUGH_FILE` in it says that what is there is enough, and is to be finished.
    """

    shape: Path
    settings: PaintSettings
    models: Mapping[str, PartModel]
    device: str
    photo: Path | None
    present: tuple[Path, ...]
    mask: Path | None
    subject: Path | None
    maps: tuple[MapModel, ...]
    reading: tuple[int, int, int]
    folder: Path


ENOUGH_FILE = "enough"
"""In the folder of a :class:`PaintShape`, once the user wants no more than is there."""
WHOLE_FILE = "layers.json"
"""In a folder of rough pictures: what they are, written last."""


def newest_rough(folder: Path) -> Path | None:
    """The newest whole folder of rough pictures in the folder of a :class:`PaintShape`; None as long as there is
    none."""
    whole = [path.parent for path in folder.glob(f"*/{WHOLE_FILE}")]
    return max(whole, key=lambda path: int(path.name), default=None)


def write_rough(folder: Path, files: Sequence[Mapping[int, Path]], layer_of_slot: Sequence[int]) -> None:
    """Say what the rough pictures in a folder are, once all are written: as in :class:`PaintShapeResult`."""
    names = [{str(number): path.name for number, path in layer.items()} for layer in files]
    write_file(folder / WHOLE_FILE, lambda file: file.write_text(json.dumps([names, list(layer_of_slot)])))


def rough_files(folder: Path) -> tuple[list[dict[int, Path]], list[int]]:
    """The files and the layers of the slots that :func:`write_rough` told of."""
    layers, layer_of_slot = json.loads((folder / WHOLE_FILE).read_text())
    return [{int(number): folder / name for number, name in layer.items()} for layer in layers], layer_of_slot
