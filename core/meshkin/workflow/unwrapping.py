"""UV maps for textures: checked before any work is done, and made for targets that have none."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..base.errors import InputError, OptionError
from ..base.options import options_of
from ..base.progress import Progress
from ..scene.materials import textures
from ..scene.mesh import payloads, unwrapping
from ..scene.mesh import snapshot as snapshots
from ..scene.objects import BlenderObject
from ..transfer.texture.options import LARGEST_TEXTURE, TextureOptions
from ..transfer.texture.usable_uvs import is_on_palette, is_part_of_layout, target_uvs
from ..worker import client
from ..worker.requests.arrays import load_array
from ..worker.requests.texture import UnwrapShape
from .characters import listed
from .options import Remark, ResultWarning

_CHOICES = {name: options_of(TextureOptions)[name].values for name in ("unwrap", "tiles")}


def check_picture_options(options: TextureOptions) -> None:
    """Raise OptionError ``texture-size``, ``option-invalid`` if no picture can be made with these options."""
    if options.margin < 0 or not 1 <= options.size <= LARGEST_TEXTURE:
        raise OptionError(
            "texture-size",
            f"A texture of {options.size} pixels with a margin of {options.margin} cannot be made.",
            f"Use a size of 1 to {LARGEST_TEXTURE} and a margin of 0 or more.",
        )
    for name, known in _CHOICES.items():
        if getattr(options, name) not in known:
            raise OptionError(
                "option-invalid", f"“{getattr(options, name)}” is not known.", f"Choose from {', '.join(known)}."
            )


def check_can_have_uvs(target: BlenderObject) -> None:
    """Raise InputError ``uv-maps-full`` if the object has no UV map of use and no room for another."""
    if not has_usable_uvs(target):
        payloads.check_room_for_uv_maps(target, [textures.UV_NAME])


def has_usable_uvs(target: BlenderObject, source_uvs: NDArray[np.float32] | None = None) -> bool:
    """Whether a texture can be laid out in the object's UV map, which none can in one that was made for a palette.

    That of a copy can have the source's, whatever it is: ``source_uvs``, (F, 3, 2), are where its textures lie.
    """
    try:
        uvs = target_uvs(snapshots.take(target))
    except InputError:
        return False
    return not is_on_palette(uvs) or (source_uvs is not None and is_part_of_layout(uvs, source_uvs))


def unwrap(
    target: BlenderObject, options: TextureOptions, folder: Path
) -> Generator[Progress, None, NDArray[np.float32]]:
    """UVs for an object that has none, or none of use, float32 (C, 2) on its own mesh's corners.

    Raises InputError ``unwrap-failed``, and as :func:`check_can_have_uvs`.
    """
    yield Progress("Unwrapping the target", 0)
    check_can_have_uvs(target)
    if options.unwrap == "smart":
        return unwrapping.smart_project(target, 2 * options.margin / options.size)
    shape = unwrapping.local_mesh(target).save(folder / "unwrap.npz")
    request = UnwrapShape(shape, options.size, 2 * options.margin, folder / "unwrapped.npy")
    answer = yield from client.shared().run(request)
    return load_array(answer.uvs, "C2", C=len(target.data.loops))


def new_uv_map_remarks(targets: Sequence[BlenderObject], options: TextureOptions) -> list[Remark]:
    """Say of which objects a UV map was made, and by what; a warning of those that have one that is of no use."""
    tool = "Blender's Smart UV Project" if options.unwrap == "smart" else "xatlas"
    poor, none = (
        listed([f"“{target.name}”" for target in targets if bool(target.data.uv_layers) == has_one])
        for has_one in (True, False)
    )
    remarks: list[Remark] = []
    if poor:
        sentence = f"No texture fits into the UV map of {poor}: {tool} made another one, “{textures.UV_NAME}”."
        remarks.append(ResultWarning("uvs-replaced", sentence))
    if none:
        remarks.append(f"{none} had no UV map: {tool} made one, “{textures.UV_NAME}”.")
    return remarks
