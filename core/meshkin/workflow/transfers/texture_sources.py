"""The source's images, and what its nodes bake to, as files for the worker."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ...base.progress import Progress
from ...base.udim import tile_number
from ...data.snapshot import Snapshot
from ...scene.materials import baking, images
from ...scene.materials.channels import ChannelValue, Shading
from ...scene.mesh import uv_maps as uv_layouts
from ...scene.objects import BlenderObject
from ...transfer.texture.channels import Extension
from ...transfer.texture.usable_uvs import unit_squares
from ...worker import client
from ...worker.requests.arrays import load_array, save_array
from ...worker.requests.texture import PictureFile, UnwrapShape

SMALLEST_BAKE, LARGEST_BAKE = 512, 4096
"""Width of the pictures that nodes are baked into, pixels: that of the texture, within these (chosen)."""
UNWRAP_SIZE, UNWRAP_PADDING = 2048, 4
"""Pixels for which the UV map that nodes are baked in is made, and between its islands (chosen)."""


@dataclass
class SourcePictures:
    """Pictures and UV layouts of the source that were written to files, each once.

    Attributes:
        folder: of the files.
        files: the pictures.
        uv_layouts: files of the UV layouts that they use.
        baked: by channel, the index of the picture that its nodes were baked into.
        brightest: by channel, the greatest baked value.
        missing: by the image's name, the UDIM tiles that it lacks and where faces lie.
    """

    folder: Path
    files: list[PictureFile] = field(default_factory=list)
    uv_layouts: list[Path] = field(default_factory=list)
    baked: dict[str, int] = field(default_factory=dict)
    brightest: dict[str, float] = field(default_factory=dict)
    missing: dict[str, set[int]] = field(default_factory=dict)
    _of_image: dict[_Key, list[int]] = field(default_factory=dict)

    def of(self, channel: str, value: ChannelValue) -> list[int]:
        """The indices of the pictures that hold a channel's value."""
        return [self.baked[channel]] if value.needs_baking else self._of_image.get(_key(value), [])

    def has(self, value: ChannelValue) -> bool:
        """Whether the value's image was added."""
        return _key(value) in self._of_image

    def add_layout(self, uvs: NDArray[np.floating]) -> int:
        """Write a UV layout (F, 3, 2); returns its index."""
        path = self.folder / f"layout{len(self.uv_layouts)}.npy"
        self.uv_layouts.append(save_array(path, uvs.astype(np.float32)))
        return len(self.uv_layouts) - 1

    def add_bake(self, channel: str, pixels: NDArray[np.float32], layout: int) -> None:
        """Write what a channel's nodes were baked into."""
        self.baked[channel] = self._add(pixels, layout, "clip")
        self.brightest[channel] = float(pixels[..., :3].max(initial=0))

    def add_image(self, value: ChannelValue, tiles: dict[tuple[int, int] | None, NDArray[Any]], layout: int) -> None:
        """Write the tiles of a value's image."""
        extension = cast(Extension, value.address)  # checked when it arrives at the worker
        self._of_image[_key(value)] = [
            self._add(pixels, layout, extension, value.closest, tile) for tile, pixels in tiles.items()
        ]

    def _add(
        self,
        pixels: NDArray[Any],
        layout: int,
        extension: Extension,
        closest: bool = False,
        tile: tuple[int, int] | None = None,
    ) -> int:
        path = save_array(self.folder / f"picture{len(self.files)}.npy", pixels)
        self.files.append(PictureFile(path, layout, extension, closest, tile))
        return len(self.files) - 1


_Key = tuple[Any, ...]


def _key(value: ChannelValue) -> _Key:
    """Values with the same key are read from the same pictures."""
    image = value.image.name_full if value.image else ""
    return (image, value.premultiplied, value.uv_map, value.mapping, value.address, value.closest)


def bake_nodes(
    source: BlenderObject, snapshot: Snapshot, shading: Shading, pictures: SourcePictures, size: int
) -> Generator[Progress, None, None]:
    """Bake the channels whose nodes are more than one image, into a UV map made for this.

    Args:
        source: the object.
        snapshot: of the source.
        shading: its materials.
        pictures: the results are added to it.
        size: of the texture, pixels.
    """
    slots_by_channel: dict[str, list[int]] = {}
    for slot, values in shading.channels.items():
        for channel, value in values.items():
            if value.needs_baking:
                slots_by_channel.setdefault(channel, []).append(slot)
    if not slots_by_channel:
        return
    shape = snapshot.save(pictures.folder / "bake-shape.npz")
    request = UnwrapShape(shape, UNWRAP_SIZE, UNWRAP_PADDING, pictures.folder / "bake-uvs.npy")
    uvs = load_array((yield from client.shared().run(request)).uvs, "C2", C=int(snapshot.corners.max()) + 1)
    layout = pictures.add_layout(uvs[snapshot.corners])
    bake_size = min(max(size, SMALLEST_BAKE), LARGEST_BAKE)
    baked = yield from baking.bake(source, snapshot, uvs, slots_by_channel, bake_size)
    for channel, pixels in baked.items():
        pictures.add_bake(channel, pixels, layout)


def read_images(
    source: BlenderObject, snapshot: Snapshot, shading: Shading, pictures: SourcePictures
) -> Generator[Progress, None, None]:
    """Read the images of all channels, each with the UVs that it is mapped by; they are added to ``pictures``."""
    yield Progress("Reading the images", 0)
    values = shading.values()
    uv_maps = uv_layouts.layouts(source, snapshot, {value.uv_map for value in values if value.image})
    pixels: dict[tuple[str, bool], dict[tuple[int, int] | None, NDArray[Any]]] = {}
    layouts: dict[tuple[str, tuple[tuple[float, ...], ...]], int] = {}
    for value in values:
        if value.image is None or pictures.has(value):
            continue
        image = (value.image.name_full, value.premultiplied)
        if image not in pixels:
            pixels[image] = images.tiles(value.image, value.premultiplied)
            yield Progress("Reading the images", 0.5)
        mapped = (value.uv_map, value.mapping)
        if mapped not in layouts:
            layouts[mapped] = pictures.add_layout(value.map_uvs(uv_maps[value.uv_map]))
        pictures.add_image(value, pixels[image], layouts[mapped])
    for slot, by_channel in shading.channels.items():
        for value in by_channel.values():
            if value.image is not None and value.image.source == "TILED":
                there = pixels[value.image.name_full, value.premultiplied]
                squares = unit_squares(value.map_uvs(uv_maps[value.uv_map])[snapshot.materials == slot])
                lacking = {tile_number(square) for square in squares if square not in there}
                pictures.missing.setdefault(value.image.name, set()).update(lacking)
