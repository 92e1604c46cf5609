"""Whole materials from source to target: what is read, what the worker bakes, what is written."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base.color import linear_to_srgb
from ..base.errors import InputError
from ..base.progress import Progress
from ..base.storage import readable_failure
from ..data.snapshot import Snapshot
from ..scene.blend import absolute_path
from ..scene.materials import baking, images, shading, textures
from ..scene.materials.channels import (
    COLOR_CHANNELS,
    SHADER_INPUTS,
    UNBOUNDED_CHANNELS,
    ChannelValue,
    Shading,
    common_displacement,
    common_strength,
    in_common_scale,
)
from ..scene.mesh import snapshot as snapshots
from ..scene.mesh import unwrapping
from ..scene.objects import BlenderObject
from .options import Options

PREVIEW = 512
"""Width of the picture shown while the full one is made."""
SMALLEST_BAKE, LARGEST_BAKE = 512, 4096
"""Width of the pictures that nodes are baked into first: as large as wanted, within these."""
UNWRAPS = ("smart", "xatlas")
"""How a target without UVs can be unwrapped: by Blender's Smart UV Project, or by xatlas."""
WHITE = 1 + 1 / 255
"""What is baked may be brighter than 1 by less than this and still be white: Cycles computes to some 1/5000."""
TILES = ("auto", "udim", "one")
"""What UVs outside the unit square mean: tiles of their own, or the same picture again; or what they look like."""

Run = Callable[..., Generator[Progress, None, dict[str, Any]]]


@dataclass(frozen=True)
class Wanted:
    """How to make the textures: as the fields of :class:`meshkin.workflow.Options`."""

    size: int
    margin: int
    threshold: float
    smoothing: float
    channels: tuple[str, ...]
    unwrap: str
    tiles: str
    folder: str
    preview: bool


@dataclass
class Made:
    """Pictures on the disk, the layout (F, 3, 2) that they were made for, and what to make of them; ``uvs`` (C, 2) is
    the layout where the target has none of its own."""

    shading: Shading
    pictures: list[textures.Picture]
    name: str
    layout: NDArray[np.float32] | None
    uvs: NDArray[np.float32] | None
    told: list[str] = field(default_factory=list)

    def write(self, obj: BlenderObject, folder: str) -> textures.WrittenMaterial:
        """Write it to the target; raises InputError ``mesh-changed`` where its UVs are others now."""
        if self.uvs is None:
            snapshots.check_uvs_unchanged(obj, self.layout)
        return textures.write(obj, self.shading, self.pictures, self.name, self.uvs, folder)


def check(source: BlenderObject, target: BlenderObject, wanted: Wanted) -> None:
    """Raise InputError where it can be known beforehand that this cannot work."""
    found = shading.read(source, wanted.channels)
    needs_uvs = any(wire.image for one in found.channels.values() for wire in one.values())
    if needs_uvs and (source.type != "MESH" or not source.data.uv_layers):
        raise InputError("no-uvs", f"“{source.name}” has no UV map.", "Its images need one: unwrap it.")
    if target.type != "MESH":
        raise InputError("not-a-mesh", f"“{target.name}” is not a mesh.", "Convert it first (Object > Convert).")
    if wanted.margin < 0 or not 1 <= wanted.size <= 16384:
        raise InputError(
            "texture-size",
            f"A texture of {wanted.size} pixels with a margin of {wanted.margin} cannot be made.",
            "Use a size of 1 to 16384 and a margin of 0 or more.",
        )
    for value, known in ((wanted.unwrap, UNWRAPS), (wanted.tiles, TILES)):
        if value not in known:
            raise InputError("option-invalid", f"“{value}” is not known.", f"Choose from {', '.join(known)}.")
    if not (0 <= wanted.threshold <= 1 and 0 <= wanted.smoothing <= 100):
        raise InputError("option-invalid", "A threshold goes from 0 to 1, smoothing from 0 to 100.", "Change them.")
    if wanted.folder:
        folder = Path(absolute_path(wanted.folder))
        with readable_failure(folder, "making the folder"):
            folder.mkdir(parents=True, exist_ok=True)


def carry(
    source: BlenderObject,
    target: BlenderObject,
    snapshot: Snapshot,
    run: Run,
    folder: Path,
    wanted: Wanted,
    show: Callable[[Made], None],
) -> Generator[Progress, None, Made]:
    """Bake the source's materials into the target's UV layout.

    Args:
        source, target: the objects.
        snapshot: of the source.
        run: runs a job of the worker on ``folder/source.npz``, ``folder/target.npz`` and the map.
        folder: for bulk data.
        wanted: how.
        show: called with a small picture first, where a preview is wanted.
    """
    yield Progress("Reading the materials", 0)
    found = shading.read(source, wanted.channels)
    uvs = None
    if not target.data.uv_layers:
        uvs = yield from unwrapped(target, run, folder, wanted)
    laid = snapshots.take(target, uvs)
    laid.save(folder / "target.npz")
    plan = yield from _plan(source, snapshot, found, run, folder, wanted)
    told = [*found.notes]
    if uvs is not None:
        told.append(had_none(target, wanted))
    sizes = [wanted.size]
    if wanted.preview and wanted.size > PREVIEW:
        sizes.insert(0, PREVIEW)
    for size in sizes:
        margin = max(1, round(wanted.margin * size / wanted.size)) if wanted.margin else 0
        output = folder / f"pictures{size}"
        output.mkdir(exist_ok=True)
        answer = yield from run(
            "bake", folder=str(output), size=size, margin=margin, threshold=wanted.threshold,
            smoothing=wanted.smoothing, tiles=wanted.tiles, preview=size != wanted.size, **plan.arguments,
        )  # fmt: skip
        made = _made(plan, found, answer, target, laid.uvs, uvs, told)
        if size != wanted.size:
            show(made)
            yield Progress("Preview shown; making the full size", 0)
    return made


def had_none(target: BlenderObject, wanted: Wanted) -> str:
    """Says that and how a UV map was made."""
    tool = "Blender's Smart UV Project" if wanted.unwrap == "smart" else "xatlas"
    return f"“{target.name}” had no UV map: {tool} made one, “{textures.UV_NAME}”."


def unwrapped(
    target: BlenderObject, run: Run, folder: Path, wanted: Wanted
) -> Generator[Progress, None, NDArray[np.float32]]:
    """A UV layout for an object that has none, float32 (C, 2) on its own corners."""
    yield Progress("Unwrapping the target", 0)
    if wanted.unwrap == "smart":
        return unwrapping.smart_project(target, 2 * wanted.margin / wanted.size)
    unwrapping.local_mesh(target).save(folder / "unwrap.npz")
    answer = yield from run(
        "unwrap", shape=str(folder / "unwrap.npz"), size=wanted.size, padding=2 * wanted.margin, folder=str(folder)
    )
    return _array(answer["uvs"])


@dataclass
class _Plan:
    """What the worker is asked for, and how its pictures are to be named and encoded."""

    arguments: dict[str, Any]
    names: dict[str, str]
    spaces: dict[str, str]


def _plan(
    source: BlenderObject, snapshot: Snapshot, found: Shading, run: Run, folder: Path, wanted: Wanted
) -> Generator[Progress, None, _Plan]:
    layouts: dict[tuple[str, Any], str] = {}
    pictures: list[dict[str, Any]] = []
    numbers: dict[Any, list[int]] = {}
    uv_names = {wire.uv_map for one in found.channels.values() for wire in one.values() if wire.image}
    uv_maps = snapshots.uv_layouts(source, snapshot, uv_names) if uv_names else {}

    def layout(name: str, mapping: Any) -> int:
        key = (name, mapping)
        if key not in layouts:
            matrix = np.array(mapping)
            path = folder / f"layout{len(layouts)}.npy"
            _save(path, (uv_maps[name] @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32))
            layouts[key] = str(path)
        return list(layouts).index(key)

    def add(pixels: NDArray[Any], **how: Any) -> int:
        path = folder / f"picture{len(pictures)}.npy"
        _save(path, pixels)
        pictures.append({"pixels": str(path), **how})
        return len(pictures) - 1

    read: dict[Any, dict[Any, NDArray[Any]]] = {}
    jobs: dict[str, list[int]] = {}
    for slot, wires in found.channels.items():
        for channel in (channel for channel, wire in wires.items() if wire.needs_baking):
            jobs.setdefault(channel, []).append(slot)
    bakes: dict[str, int] = {}
    brightest: dict[str, float] = {}
    if jobs:
        snapshot.save(folder / "bake-shape.npz")
        answer = yield from run(
            "unwrap", shape=str(folder / "bake-shape.npz"), size=2048, padding=4, folder=str(folder)
        )
        uvs = _array(answer["uvs"])
        path = folder / "bake-layout.npy"
        _save(path, uvs[snapshot.corners])
        layouts["MeshKin bake", ()] = str(path)
        size = int(np.clip(wanted.size, SMALLEST_BAKE, LARGEST_BAKE))
        baked = yield from baking.bake(source, snapshot, uvs, jobs, size)
        for channel, pixels in baked.items():
            bakes[channel] = add(pixels, uv_layout=list(layouts).index(("MeshKin bake", ())), extension="clip")
            brightest[channel] = float(pixels[..., :3].max(initial=0))
    yield Progress("Reading the images", 0)
    for wires in found.channels.values():
        for wire in wires.values():
            key = _picture_key(wire)
            if wire.image is None or key in numbers:
                continue
            if (wire.image.name_full, wire.premultiplied) not in read:
                read[wire.image.name_full, wire.premultiplied] = images.tiles(wire.image, wire.premultiplied)
                yield Progress("Reading the images", 0.5)
            number = layout(wire.uv_map, wire.mapping)
            numbers[key] = [
                add(
                    pixels,
                    uv_layout=number,
                    extension=wire.address,
                    closest=wire.closest,
                    tile=list(tile) if tile else None,
                )
                for tile, pixels in read[wire.image.name_full, wire.premultiplied].items()
            ]
    channels, names, spaces = [], {}, {}
    widths = {one.name: one.width for one in SHADER_INPUTS}
    order = [*widths, "normal", "bump", "displacement"]
    used_names: set[str] = set()
    for channel in order:
        by_slot = {
            slot: in_common_scale(wires[channel], channel, found)
            for slot, wires in found.channels.items()
            if channel in wires
        }
        if not _is_picture(channel, by_slot, len(found.channels)):
            continue
        space, depth = _encoding(channel, by_slot, brightest.get(channel, 0))
        width = widths.get(channel, 3 if channel == "normal" else 1)
        flat = common_displacement(found)[1] if channel == "displacement" else 0.5
        strength = common_strength(found, channel)
        sources = {}
        for slot in found.channels:
            wire = by_slot.get(slot) or _missing(channel, width, flat)
            chosen = [bakes[channel]] if wire.needs_baking else numbers.get(_picture_key(wire), [])
            sources[slot] = _source(wire, chosen, space, width, channel, strength)
        channels.append(
            {"name": channel, "width": width, "depth": depth, "normal": channel == "normal", "slots": sources}
        )
        names[channel], spaces[channel] = _name(channel, by_slot, found, used_names), space
    arguments = {"pictures": pictures, "layouts": list(layouts.values()), "channels": channels}
    return _Plan(arguments, names, spaces)


def _picture_key(wire: ChannelValue) -> Any:
    image = wire.image.name_full if wire.image else ""
    return (image, wire.premultiplied, wire.uv_map, wire.mapping, wire.address, wire.closest)


def _is_picture(channel: str, wires: Mapping[int, ChannelValue], slots: int) -> bool:
    """Whether a channel needs a picture: it has images or bakes, or slots have different values."""
    if any(not wire.is_constant for wire in wires.values()):
        return True
    apart = len({tuple(wire.offset) for wire in wires.values()}) > 1
    return apart or (channel == "displacement" and 0 < len(wires) < slots)


def _encoding(channel: str, wires: Mapping[int, ChannelValue], bright: float) -> tuple[str, int]:
    """Color space and depth of a channel's picture: the source's own where its images agree."""
    found = [wire.image for wire in wires.values() if wire.image]
    depth = max((images.bit_depth(image) for image in found), default=8)
    heights = channel == "displacement" and any(wire.needs_baking for wire in wires.values())
    if channel in UNBOUNDED_CHANNELS or bright > WHITE or heights:
        depth = 32
    if channel not in COLOR_CHANNELS:
        return "Non-Color", depth
    spaces = {image.colorspace_settings.name for image in found}
    if depth == 32:
        return textures.linear_colorspace(), depth
    plain = all(wire.is_image_color for wire in wires.values() if wire.image) and all(
        not image.is_float for image in found
    )
    if len(spaces) == 1 and plain and not any(wire.needs_baking for wire in wires.values()):
        return spaces.pop(), depth
    return "sRGB", depth


def _source(
    wire: ChannelValue, pictures: Sequence[int], space: str, width: int, channel: str, strength: float
) -> dict[str, Any]:
    """What the worker needs to know about a slot's wire (:class:`meshkin.transfer.texture.channels.SlotTexture`)."""
    encode = space == "sRGB"
    values = np.asarray(wire.offset, np.float64)[:width]
    plain = [float(value) for value in (linear_to_srgb(values) if encode else values)]
    if wire.is_constant or not pictures:
        return {"pictures": [], "value": plain}
    linear = wire.needs_baking or (wire.image is not None and images.is_linear(wire.image))
    if wire.is_image_color and not wire.needs_baking and linear != encode:
        decode = encode = False  # as it is
    else:
        decode = not linear
    answer: dict[str, Any] = {
        "pictures": list(pictures),
        "value": [0.5, 0.5, 1.0] if channel == "normal" else plain,
        "from_srgb": decode,
        "to_srgb": encode,
        "weights": np.asarray(wire.weights)[:, :width].tolist(),
        "offset": wire.offset.tolist() if wire.offset.any() else [],
    }
    if channel == "normal" and wire.strength != strength:
        answer["strength"] = wire.strength / strength
    return answer


def _missing(channel: str, width: int, flat: float) -> ChannelValue:
    """A slot that has no such thing: flat."""
    offset = np.array([0.5, 0.5, 1.0]) if channel == "normal" else np.full(width, flat)
    return ChannelValue(width, weights=np.zeros((4, width)), offset=offset)


def _name(channel: str, wires: Mapping[int, ChannelValue], found: Shading, used: set[str]) -> str:
    """After the image that it comes from, else after the material."""
    image = next((wire.image for _, wire in _by_importance(wires, found) if wire.image), None)
    if image is not None and image.name not in used:
        used.add(image.name)
        return str(image.name)
    material = found.materials[found.main_slot]
    base = image.name if image else material.name if material else "texture"
    return f"{base} {channel.replace('_', ' ')}"


def _by_importance(wires: Mapping[int, ChannelValue], found: Shading) -> list[tuple[int, ChannelValue]]:
    return sorted(wires.items(), key=lambda entry: entry[0] != found.main_slot)


def _made(
    plan: _Plan,
    found: Shading,
    answer: dict[str, Any],
    target: BlenderObject,
    layout: NDArray[np.float32] | None,
    uvs: NDArray[np.float32] | None,
    told: Sequence[str],
) -> Made:
    pictures = []
    for channel, files in answer["files"].items():
        paths = {int(tile): Path(path) for tile, path in files.items()}
        material = found.materials[found.main_slot]
        name = plan.names.get(channel) or f"{material.name if material else 'texture'} {channel}"
        pictures.append(
            textures.Picture(
                channel,
                paths,
                f"{name} on {target.name}",
                plan.spaces.get(channel, "Non-Color"),
                channel == "base_color" and answer["alpha"],
            )
        )
    material = found.materials[found.main_slot]
    shares = answer["shares"]
    said = list(told)
    if shares["filled"] > 0:
        said.append(f"{shares['filled']:.1%} of the texture was filled in from around, as the mask image shows.")
    if shares["torn"] > 0.001:
        said.append(f"{shares['torn']:.1%} of the texture lies where the map is torn.")
    return Made(found, pictures, f"{material.name if material else 'Material'} on {target.name}", layout, uvs, said)


def described(written: textures.WrittenMaterial, made: Made) -> list[str]:
    """What was written, a sentence a line."""
    channels = [one.channel.replace("_", " ") for one in made.pictures]
    lines = []
    for channel, image in zip(channels, written.images, strict=True):
        tiled = ", tiled" if image.source == "TILED" else ""
        lines.append(f"Image “{image.name}” ({channel}, {image.size[0]} x {image.size[1]}{tiled}).")
    return [f"Material “{written.material.name}” in a new slot.", *lines, *made.told]


def _array(path: str) -> NDArray[Any]:
    values: NDArray[Any] = np.load(path, allow_pickle=False)
    return values


def _save(path: Path, values: NDArray[Any]) -> None:
    with readable_failure(path, "writing"):
        np.save(path, values, allow_pickle=False)


def wanted_of(options: Options) -> Wanted:
    """The part of the options that is about textures."""
    return Wanted(
        options.texture.size,
        options.texture.margin,
        options.texture.threshold,
        options.texture.map_smoothing,
        tuple(options.texture.channels),
        options.texture.unwrap,
        options.texture.tiles,
        options.texture.folder,
        options.texture.preview,
    )
