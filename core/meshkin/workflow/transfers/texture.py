"""Materials, as textures in the target's UV map."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError, OptionError
from ...base.progress import Progress
from ...base.storage import make_folder
from ...data.snapshot import Snapshot
from ...scene.blend import absolute_path
from ...scene.display import previews
from ...scene.materials import shading as shadings
from ...scene.materials import textures
from ...scene.materials.channels import Shading
from ...scene.mesh import snapshot as snapshots
from ...scene.mesh import uv_maps
from ...scene.objects import BlenderObject
from ...transfer.texture.settings import MaterialBakeSettings, Tiles
from ...worker import client
from ...worker.requests.texture import BakeMaterials, BakeMaterialsResult
from ..characters import split
from ..doubts import WARNED_OVERLAP, overlap_warning
from ..options import Options, Remark, ResultWarning
from ..unwrapping import check_can_have_uvs, check_picture_options, has_usable_uvs, new_uv_map_remarks, unwrap
from .context import Carrier, Transfer, Write
from .texture_channels import ChannelPlan, plan_channels
from .texture_sources import SourcePictures, bake_nodes, read_images

PREVIEW_SIZE = 512
"""Width of the picture that is shown while the full one is made, pixels (chosen: baked in a second or two)."""
REPORTED_TORN_SHARE = 0.001
"""Share of the texels that lie where the map is torn, from which the report says so (chosen)."""
WARNED_TORN_SHARE = 0.05
"""The same share from which this is a warning (chosen)."""
WARNED_FILLED_SHARE = 0.25
"""Share of the texels that were filled in from around, from which this is a warning (chosen)."""


def _check(source: BlenderObject, target: BlenderObject, options: Options) -> None:
    chosen = options.texture
    shading = shadings.read(source, chosen.channels, chosen.leave_out)
    uv_maps.check(source, {value.uv_map for value in shading.values() if value.image})
    if target.type != "MESH":
        raise InputError("not-a-mesh", f"“{target.name}” is not a mesh.", "Convert it first (Object > Convert).")
    check_picture_options(chosen)
    if not (0 <= chosen.threshold <= 1 and 0 <= chosen.map_smoothing <= 100):
        raise OptionError("option-invalid", "A threshold goes from 0 to 1, smoothing from 0 to 100.", "Change them.")
    check_can_have_uvs(target)
    if chosen.folder:
        make_folder(Path(absolute_path(chosen.folder)))


@dataclass(frozen=True)
class _Textures:
    """Baked pictures, and what to make of them.

    Attributes:
        shading: the source's materials.
        materials: to be made, of pictures on the disk.
        layers_of_slots: for each of the target's meshes and its slots, which of them its faces get.
        target_uvs: for each mesh, (F, 3, 2) of its triangle corners, that the pictures were made for.
        new_uvs: for each mesh, (C, 2) of its own corners, where it has no UV map of use.
        remarks: for the report.
    """

    shading: Shading
    materials: list[textures.BakedMaterial]
    layers_of_slots: list[tuple[int, ...]]
    target_uvs: list[NDArray[np.float32] | None]
    new_uvs: list[NDArray[np.float32] | None]
    remarks: list[Remark]

    def write(self, objects: Sequence[BlenderObject], folder: str) -> list[textures.WrittenMaterials]:
        """Write them to the target's meshes; raises InputError ``mesh-changed`` where one has other UVs now."""
        ends = list(zip(objects, self.layers_of_slots, self.target_uvs, self.new_uvs, strict=True))
        for obj, _, uvs, new_uvs in ends:
            if new_uvs is None:
                snapshots.check_uvs_unchanged(obj, uvs)
        made: dict[tuple[int, str], Any] = {}
        return [
            textures.write(obj, self.shading, self.materials, layers, new_uvs, folder, made)
            for obj, layers, _, new_uvs in ends
        ]


def _carry(transfer: Transfer) -> Generator[Progress, None, Write]:
    yield Progress("Reading the materials", 0)
    options, targets = transfer.options.texture, transfer.target.objects()
    shading = shadings.read(transfer.source.handle.get(), options.channels, options.leave_out)
    new_uvs: list[NDArray[np.float32] | None] = []
    for target in targets:
        is_usable = has_usable_uvs(target, transfer.source.snapshot.uvs)
        new_uvs.append(None if is_usable else (yield from unwrap(target, options, transfer.folder)))
    pieces = [snapshots.take(target, uvs) for target, uvs in zip(targets, new_uvs, strict=True)]
    snapshot = Snapshot.joined(pieces, transfer.target.name)
    request, plans, missing = yield from _plan(transfer, shading, snapshot.save(transfer.target_file))
    remarks: list[Remark] = [*shading.notes, *_missing_tiles(missing)]
    unwrapped = [target for target, uvs in zip(targets, new_uvs, strict=True) if uvs is not None]
    remarks += new_uv_map_remarks(unwrapped, options)

    def named(baked: BakeMaterialsResult) -> _Textures:
        slots = [max(len(piece.material_names), 1) for piece in pieces]
        layers = np.zeros(sum(slots), np.int64)
        layers[: len(baked.layer_of_slot)] = baked.layer_of_slot[: len(layers)]
        return _Textures(
            shading,
            _materials(
                plans, shading, baked, snapshot, [piece.name for piece in pieces for _ in piece.material_names or ("",)]
            ),
            [tuple(each.tolist()) for each in split(layers, slots)],
            [piece.uvs for piece in pieces],
            new_uvs,
            remarks + _shares(baked),
        )

    if options.preview and options.size > PREVIEW_SIZE:
        _show(transfer, named((yield from client.shared().run(_smaller(request, PREVIEW_SIZE)))))
        yield Progress("Preview shown; making the full size", 0)
    result = named((yield from client.shared().run(request)))

    def write() -> list[Remark]:
        return _written(result.write(transfer.target.objects(), options.folder), result)

    return write


def _plan(
    transfer: Transfer, shading: Shading, target_file: Path
) -> Generator[Progress, None, tuple[BakeMaterials, list[ChannelPlan], Mapping[str, set[int]]]]:
    """What the worker is asked for, what becomes of each channel that it bakes, and the tiles that images lack."""
    source, snapshot, options = transfer.source.handle.get(), transfer.source.snapshot, transfer.options.texture
    pictures = SourcePictures(transfer.folder)
    yield from bake_nodes(source, snapshot, shading, pictures, options.size)
    yield from read_images(source, snapshot, shading, pictures)
    plans = plan_channels(shading, pictures)
    request = BakeMaterials(
        source=transfer.source_file,
        target=target_file,
        map=transfer.map,
        pictures=tuple(pictures.files),
        uv_layouts=tuple(pictures.uv_layouts),
        channels=tuple(plan.channel for plan in plans),
        settings=MaterialBakeSettings(
            size=options.size,
            margin=options.margin,
            threshold=options.threshold,
            smoothing=options.map_smoothing,
            tiles=cast(Tiles, options.tiles),  # checked before
            preview=False,
            left_out=shading.left_out,
        ),
        folder=make_folder(transfer.folder / "pictures"),
    )
    return request, plans, pictures.missing


def _missing_tiles(missing: Mapping[str, set[int]]) -> list[Remark]:
    """Warnings about the UDIM tiles that images lack, by the image's name."""
    return [
        ResultWarning(
            "tiles-missing",
            f"“{name}” has no tile {', '.join(map(str, sorted(tiles)))}, where faces lie: they were filled in.",
        )
        for name, tiles in missing.items()
        if tiles
    ]


def _smaller(request: BakeMaterials, size: int) -> BakeMaterials:
    """The same bake in a smaller size, for a preview."""
    settings, folder = request.settings, make_folder(request.folder.with_name("preview"))
    margin = max(1, round(settings.margin * size / settings.size)) if settings.margin else 0
    return replace(request, settings=replace(settings, size=size, margin=margin, preview=True), folder=folder)


def _show(transfer: Transfer, preview: _Textures) -> None:
    """Show a preview on the target, until the transfer ends."""
    targets = transfer.target.objects()
    for target in targets:
        snapshots.check_writable(target)
    written = preview.write(targets, "")
    previews.shown([partial(textures.undo_write, *each) for each in zip(transfer.target.handles, written, strict=True)])


def _materials(
    plans: Sequence[ChannelPlan],
    shading: Shading,
    baked: BakeMaterialsResult,
    target: Snapshot,
    mesh_of_slot: Sequence[str],
) -> list[textures.BakedMaterial]:
    """The materials to be made of the baked files, one for each layer of the target's UV layout.

    ``mesh_of_slot`` has the name of the mesh that each of the target's slots is of.
    """
    material = shading.materials[shading.main_slot]
    by_channel = {plan.channel.name: plan for plan in plans}
    places = _places(baked, target, mesh_of_slot)
    materials = []
    for place, files_of_layer in zip(places, baked.files, strict=True):
        pictures = []
        for channel, files in files_of_layer.items():
            plan = by_channel.get(channel)
            name = plan.name if plan else f"{material.name if material else 'texture'} {channel}"
            colorspace = plan.colorspace if plan else "Non-Color"
            has_alpha = channel == "base_color" and baked.alpha
            pictures.append(textures.BakedPicture(channel, files, f"{name} {place}", colorspace, has_alpha))
        materials.append(textures.BakedMaterial(f"{material.name if material else 'Material'} {place}", pictures))
    return materials


def _places(baked: BakeMaterialsResult, target: Snapshot, mesh_of_slot: Sequence[str]) -> list[str]:
    """What each layer is on, in words: a mesh, and where one has several, the material with the most faces in it."""
    slots = len(baked.layer_of_slot)
    faces = np.bincount(target.materials, minlength=slots)
    main = [
        max(range(slots), key=lambda each: faces[each] if baked.layer_of_slot[each] == layer else -1, default=0)
        for layer in range(len(baked.files))
    ]
    meshes = [mesh_of_slot[slot] if slot < len(mesh_of_slot) else target.name for slot in main]
    names = [name if name else f"slot {slot + 1}" for slot, name in enumerate(target.material_names)]
    return [
        f"on {mesh}" + (f", {names[slot]}" if meshes.count(mesh) > 1 and slot < len(names) else "")
        for mesh, slot in zip(meshes, main, strict=True)
    ]


def _shares(baked: BakeMaterialsResult) -> list[Remark]:
    """How much of the texture is not as the source's."""
    remarks: list[Remark] = []
    filled, torn = baked.shares.filled, baked.shares.torn
    if filled > 0:
        sentence = f"{filled:.1%} of the texture was filled in from around, as the mask image shows."
        remarks.append(ResultWarning("texture-filled", sentence) if filled > WARNED_FILLED_SHARE else sentence)
    if len(baked.files) > 1:
        remarks.append(
            f"Its materials lie over each other in the UV map: there are images for each of {len(baked.files)}."
        )
    if baked.overlap > WARNED_OVERLAP:
        remarks.append(overlap_warning(baked.overlap))
    if torn > REPORTED_TORN_SHARE:
        sentence = f"{torn:.1%} of the texture lies where the map is torn."
        remarks.append(ResultWarning("texture-torn", sentence) if torn > WARNED_TORN_SHARE else sentence)
    return remarks


def _written(written: Sequence[textures.WrittenMaterials], result: _Textures) -> list[Remark]:
    """What was written, a sentence each, and where it is poor."""
    materials = dict.fromkeys(material.name for each in written for material in each.materials)
    lines = [f"Material “{name}” in a new slot." for name in materials]
    for each in written:
        for image, channel in zip(each.images, each.channels, strict=True):
            tiled = ", tiled" if image.source == "TILED" else ""
            size = f"{image.size[0]} x {image.size[1]}"
            lines.append(f"Image “{image.name}” ({channel.replace('_', ' ')}, {size}{tiled}).")
    return [*lines, *result.remarks]


TEXTURE = Carrier(_check, _carry)
