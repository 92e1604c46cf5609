"""Which model reads which map from a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import ModelError
from ..base.progress import ProgressCallback, silent
from ..models import checking, fetching, locating, marigold
from ..models.known import DEPTH, INTRINSICS, MARIGOLD, NORMALS, can_get, folder_of

KIND_OF = {
    "albedo": INTRINSICS,
    "normal": NORMALS,
    "depth": DEPTH,
    "roughness": INTRINSICS,
    "metallic": INTRINSICS,
}
"""The kind of the model that reads a map."""


@dataclass(frozen=True)
class MapModel:
    """A model, and what is read by it.

    Attributes:
        name, folder, kind, checksum: as in :class:`meshkin.models.checking.Located`; the folder as a text.
        maps: names of the maps.
    """

    name: str
    folder: str
    kind: str
    checksum: str
    maps: tuple[str, ...]


def find_models(
    what: Sequence[str], model: str = "", online: bool = False, report: ProgressCallback = silent
) -> list[MapModel]:
    """The models that read these maps, each once.

    Args:
        what: names of maps, of :data:`KIND_OF`.
        model: a folder, a known name or a hub id, for those of the maps that it gives; "" for the known ones.
        online: whether models that are not there may be fetched.
        report: told about a download; may raise Cancelled.

    Raises ModelError ``model-missing``, ``model-damaged``, ``model-wrong``, the last also where the named model gives
    none of the maps.
    """
    rest = list(dict.fromkeys(what))
    found: list[MapModel] = []
    if model:
        located = checking.verify(*_named(model, online, report))
        own = [name for name in rest if name in _given(located)]
        if not own:
            given, wanted = (", ".join(names) for names in (_given(located), rest))
            raise ModelError(
                "model-wrong",
                f"The model in {located.folder} gives {given}, not {wanted}.",
                "Choose another model, or other maps.",
            )
        found.append(_model(located, own))
        rest = [name for name in rest if name not in own]
    for kind in dict.fromkeys(KIND_OF[name] for name in rest):
        located = locating.locate(kind, MARIGOLD[kind], online=online, report=report, bundles={})
        own = [name for name in rest if KIND_OF[name] == kind]
        if lacking := [name for name in own if name not in _given(located)]:
            raise ModelError(
                "model-wrong",
                f"The model in {located.folder} does not give {', '.join(lacking)}.",
                "Name another model.",
            )
        found.append(_model(located, own))
    return found


def _named(model: str, online: bool, report: ProgressCallback) -> tuple[Path, str]:
    """The folder of the model that a user names, and the kind that it must be: one of Marigold's."""
    folder = Path(model).expanduser()
    if not folder.is_dir():
        folder = folder_of(model)
    if not folder.is_dir() and online and can_get(model):
        fetching.get(model, report=report)
    if not folder.is_dir():
        locating.locate(INTRINSICS, model, bundles={})  # says what is missing, and how to get it
    kind = checking.kind_in(folder)
    return folder, kind if kind in marigold.CLASSES else INTRINSICS


def _given(located: checking.Located) -> list[str]:
    return list(marigold.places(located.kind, checking.config(located.folder, marigold.INDEX)))


def _model(located: checking.Located, maps: Sequence[str]) -> MapModel:
    return MapModel(located.name, str(located.folder), located.kind, located.checksum, tuple(maps))
