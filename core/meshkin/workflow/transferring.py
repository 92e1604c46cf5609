"""Transfers: what is carried from one object to another through their match."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from ..base.errors import InputError
from ..base.progress import Progress
from ..data.surface_map import Match
from ..scene.mesh import snapshot as snapshots
from ..scene.objects import BlenderObject, Handle
from ..worker import client
from ..worker.requests.weights import IsGarment
from .describing import ObjectSnapshot
from .doubts import confidence_sentence, match_data, match_remarks
from .files import work_folder
from .matching import ObjectMatch, check_different, find_match
from .options import TRANSFERS, Options, Remark, Report, Steps
from .transfers import armature, hair, texture, values, weights
from .transfers.context import Carrier, Transfer, Write

CARRIERS: dict[str, Carrier] = {
    "texture": texture.TEXTURE,
    "weights": weights.WEIGHTS,
    "attributes": values.ATTRIBUTES,
    "materials": values.MATERIALS,
    "uvs": values.UVS,
    "shape_keys": values.SHAPE_KEYS,
    "detail": values.DETAIL,
    "hair": hair.HAIR,
    "armature": armature.ARMATURE,
}
"""How each of :data:`meshkin.workflow.options.TRANSFERS` is carried, in the order in which they are written."""


def transfer(source: BlenderObject, target: BlenderObject, what: Sequence[str], options: Options = Options()) -> Steps:
    """Carry texture, weights or attributes from source to target through their match, which is made first.

    Raises as :func:`match`, and InputError ``transfer-unknown``, ``no-texture``, ``no-uvs``, ``no-groups``,
    ``no-attributes``, ``no-armature``: before anything is computed where that can be known.
    """
    chosen = _chosen(what)
    for obj in (target, *options.rig.also):
        snapshots.check_writable(obj)
    check_different(source, target)
    source_handle, target_handle = Handle.of(source), Handle.of(target)
    also = tuple(Handle.of(obj) for obj in options.rig.also if obj not in (source, target))
    for name in chosen:
        CARRIERS[name].check(source, target, options)
    for handle in (source_handle, target_handle, *also):
        ObjectSnapshot.take(handle)  # raises InputError for a mesh without a surface
    with work_folder() as folder:
        is_garment = "weights" in chosen and (yield from _is_garment(source_handle, target_handle, options, folder))
        match: ObjectMatch | None = None
        if is_garment and set(chosen) <= {"weights", "armature"}:
            ends = ObjectSnapshot.take(source_handle), ObjectSnapshot.take(target_handle)
        else:
            match = yield from find_match(source_handle, target_handle, options, folder)
            ends = match.source, match.target
        context = Transfer(*ends, match, folder, options, is_garment, also)
        context.save_snapshots()
        writes = yield from _carry_all(context, chosen)
        source_handle.get()
        snapshots.check_writable(target_handle.get())
        snapshots.check_unchanged(target_handle.get(), context.target.snapshot)
        remarks: list[Remark] = [remark for write in writes for remark in write()]
        if sharing := target_handle.others_with_same_mesh():
            remarks.append(
                f"Its mesh is also that of {', '.join(f'“{name}”' for name in sharing)}, which show the same."
            )
        data: dict[str, Any] = {"map": "", "written": chosen}
        if match:
            maps = Match.load(match.map)
            remarks += [confidence_sentence(maps), *match_remarks(maps)]
            data |= match_data(match.map, maps)
            match.remember()
    return Report.of(
        f"“{source_handle.name}” gave “{target_handle.name}” its {' and '.join(chosen)}.",
        remarks,
        data,
    )


def _chosen(what: Sequence[str]) -> list[str]:
    """What is to be carried, in order; raises InputError ``transfer-unknown``."""
    unknown = [name for name in what if name not in TRANSFERS]
    if unknown or not what:
        raise InputError(
            "transfer-unknown", f"“{', '.join(unknown)}” cannot be transferred.", f"Choose from {', '.join(TRANSFERS)}."
        )
    return [name for name in TRANSFERS if name in what]


def _is_garment(source: Handle, target: Handle, options: Options, folder: Path) -> Generator[Progress, None, bool]:
    """Whether weights are to come from the nearest point: it is chosen so, or the target lies on the source."""
    if options.weights.nearness != "auto" or options.weights.method == "features":
        return options.weights.nearness == "always"
    files = [
        snapshots.take(handle.get()).check().save(folder / f"{name}-place.npz")
        for name, handle in (("source", source), ("target", target))
    ]
    return (yield from client.shared().run(IsGarment(*files))).worn


def _carry_all(context: Transfer, chosen: Sequence[str]) -> Generator[Progress, None, list[Write]]:
    """Carry everything; returns what writes it. Previews are taken away, also when a step fails or is cancelled."""
    writes = []
    try:
        for name in chosen:
            writes.append((yield from CARRIERS[name].carry(context)))
    finally:
        context.remove_previews()
    return writes
