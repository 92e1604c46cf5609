"""Photographs: matched to an object, and carried onto it as a texture."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..base.png import write_png
from ..base.progress import Progress, in_step
from ..base.storage import file_name
from ..data.photo_map import PhotoMap
from ..pictures.options import SURFACE
from ..scene.display import image_editor
from ..scene.materials import base_colors, textures
from ..scene.mesh import snapshot as snapshots
from ..scene.mesh import surfaces
from ..scene.objects import BlenderObject, Handle
from ..worker import client
from ..worker.requests.arrays import load_array
from ..worker.requests.pictures import FindMapModelsResult
from ..worker.requests.texture import PhotoTextureArrays, TexturePhoto, TexturePhotoResult
from .describing import colors_of, write_colors
from .doubts import WARNED_OVERLAP, overlap_warning
from .files import work_folder
from .options import Options, Remark, Report, ResultWarning, Steps
from .photo_matching import check_photo, match
from .picture_maps import find_models, map_request
from .steps import (
    COLOR_SECONDS,
    COLORING,
    PHOTO,
    PHOTO_SECONDS,
    PICTURE_MAP_SECONDS,
    PICTURE_MAPS,
    feature_costs,
    transfer_costs,
    transfer_of,
)
from .unwrapping import check_can_have_uvs, check_picture_options, has_usable_uvs, new_uv_map_remarks, unwrap
from .whole_job import whole_job

LOW_PHOTO_CONFIDENCE = 0.4
"""Mean confidence below which a photograph's match is called poor: photographs of the mesh itself in other colors and
light have 0.43 to 0.55 (tests/benchmarks/results/photo_directions.txt). One from a wrong side may have as much."""
UNSURE_VIEWS = 0.01
"""Difference of the two best views' scores below which both may be right
(tests/benchmarks/results/photo_directions.txt)."""
STEEP_VIEW = 0.8
"""Height of a unit vector from which a view counts as one from above or below. Chosen: 53 degrees."""
SIDES = (
    "from the front", "from its front left", "from its left", "from its back left",
    "from the back", "from its back right", "from its right", "from its front right",
)  # fmt: skip
"""Where a camera stands, every 45 degrees, counterclockwise from above."""


def texture_photo(photo: str | Path, target: BlenderObject, options: Options = Options(), mask: str = "") -> Steps:
    """Give an object a photograph as its texture: where that shows it, else from the mirror twin, else filled.

    The photograph is matched first, as by :func:`match_photo`. The texture is a new image in a new material in a new
    slot; a second new image shows where each texel's color is from: the photograph (red), the mirror twin (green),
    the surroundings (blue).

    Where the model for it is there, light and shadow are taken out of the photograph first
    (``options.maps.remove_light``); its mean color stays. With ``options.maps.surface`` the material gets
    roughness and metallic of the photograph, too.

    An object without a UV map of use gets one, as ``options.texture.unwrap`` says.

    Raises as :func:`match_photo`, InputError ``uv-maps-full``, ``texture-size``, ``photo-nothing-seen``, and ModelError
    where the model of maps that are asked for is missing or another one.
    """
    handle = Handle.of(target)
    check_picture_options(options.texture)
    snapshots.check_writable(target)
    surfaces.check_own(target, surfaces.take_checked(target))
    check_can_have_uvs(target)
    costs = {**feature_costs([handle], options), PHOTO: PHOTO_SECONDS}
    if options.maps.remove_light or options.maps.surface:
        costs[PICTURE_MAPS] = PICTURE_MAP_SECONDS
    costs |= transfer_costs(["texture"], options)
    return (yield from whole_job(_texture_photo(photo, handle, options, mask), costs))


def _texture_photo(photo: str | Path, handle: Handle, options: Options, mask: str) -> Steps:
    yield from check_photo(photo, mask)
    surface = SURFACE if options.maps.surface else ()
    found = yield from find_models(surface, ("albedo",) if options.maps.remove_light else (), options)
    with work_folder() as folder:
        described, map_file = yield from match(photo, handle.get(), options, mask, folder)
        maps = yield from _maps(found, options, folder, map_file)
        shape, new_uvs = described.of.shape, None
        if not has_usable_uvs(handle.get()):
            new_uvs = yield from unwrap(handle.get(), options.texture, folder)
            shape = snapshots.take(handle.get(), new_uvs)
        request = TexturePhoto(
            map=map_file,
            shape=shape.save(folder / "shape.npz"),
            features=described.features,
            albedo=maps.get("albedo"),
            values=tuple(maps[name] for name in surface),
            size=options.texture.size,
            margin=options.texture.margin,
            output=folder / "texture.npz",
        )
        result = yield from in_step(transfer_of("texture"), client.shared().run(request))
        arrays = PhotoTextureArrays.load(result.arrays, S=options.texture.size)
        target = handle.get()
        snapshots.check_unchanged(target, described.of.shape)
        remarks: list[Remark] = []
        if new_uvs is None:
            snapshots.check_uvs_unchanged(target, described.of.shape.uvs)
        else:
            remarks += new_uv_map_remarks([target], options.texture)
            textures.add_uv_map(target.data, textures.free_uv_name(target.data), new_uvs)
        values = None if result.values is None else load_array(result.values, "SSC", S=options.texture.size)
        title = f"{Path(photo).stem} on {target.name}"
        image, material = base_colors.write_texture(target, arrays.pixels, title)
        if values is not None:
            pictures = {name: values[..., number] for number, name in enumerate(surface)}
            names = base_colors.add_values(material, pictures, title)
            remarks += [f"{name.capitalize()}: image “{each}”." for name, each in names.items()]
        origin_image = image_editor.show((arrays.origin * 255).round().astype(np.uint8), f"{image.name} origin")
    remarks.append(f"Texture: image “{image.name}” in the new material “{material.name}”.")
    remarks += _light_remarks(found, options)
    photo_map = PhotoMap.load(map_file)
    remarks += _texture_remarks(result, origin_image.name) + photo_doubts(photo_map)
    data: dict[str, Any] = {
        "map": str(map_file),
        "texture": image.name,
        "image": origin_image.name,
        "overlap": result.overlap,
    }
    data["light_removed"] = "albedo" in maps
    data["confidence"] = _mean_confidence(photo_map)
    data["shares"] = [result.seen, result.mirrored, result.filled]
    return Report.of(f"“{handle.name}” has the texture of {Path(photo).name}.", remarks, data)


def _maps(
    found: FindMapModelsResult, options: Options, folder: Path, map_file: Path
) -> Generator[Progress, None, dict[str, Path]]:
    """The files of what the models read from a matched photograph, by map."""
    if not found.models:
        return {}
    request = map_request(found, options, folder, map_file, None)
    return (yield from in_step(PICTURE_MAPS, client.shared().run(request))).maps


def _light_remarks(found: FindMapModelsResult, options: Options) -> list[Remark]:
    """Which of the photograph's colors the texture has."""
    if not options.maps.remove_light:
        return ["Light and shadow of the photo are in the texture."]
    if found.missing:
        return [f"Light and shadow of the photo are in the texture: {found.missing}"]
    used = next(model.name for model in found.models if "albedo" in model.maps)
    return [f"Light and shadow of the photo are taken out by {used}."]


def _texture_remarks(result: TexturePhotoResult, origin: str) -> list[Remark]:
    """Where the texture's colors are from; ``origin`` is the name of the image that shows it."""
    remarks: list[Remark] = [
        f"{result.seen:.0%} is from the photo (red in “{origin}”), {result.mirrored:.0%} from the mirror twin (green), "
        f"{result.filled:.0%} filled in (blue)."
    ]
    if result.overlap > WARNED_OVERLAP:
        remarks.append(overlap_warning(result.overlap))
    return remarks


def match_photo(photo: str | Path, target: BlenderObject, options: Options = Options(), mask: str = "") -> Steps:
    """Match a photograph to an object: for each pixel of what it shows, a point on the object's surface.

    ``data["map"]`` is the path of a :class:`meshkin.data.photo_map.PhotoMap` in the cache, ``data["image"]`` the name
    of a new image: the photograph, colored like the mesh's feature colors, which are written to it, as strongly as
    each pixel is trusted. With ``options.features.pictures`` it is saved there too.

    Args:
        photo: an image file.
        target: a mesh.
        options: of its features only the parts that look at pictures are used, the object rendered in its own
            materials unless ``style`` says otherwise; "auto" takes all whose models are there.
        mask: an image file, white (or opaque) where the object is; "" for the photograph's transparency or, where it
            has none, what agrees with the mesh.

    Raises as :func:`features`, and InputError ``photo-missing``, ``photo-unreadable``, ``photo-small``,
    ``mask-differs``, ``mask-empty``, ``photo-no-object``, ``photo-features`` (none of the features looks at photos).
    """
    handle = Handle.of(target)
    costs = {**feature_costs([handle], options), PHOTO: PHOTO_SECONDS, COLORING: COLOR_SECONDS}
    return (yield from whole_job(_show_match(photo, handle, options, mask), costs))


def _show_match(photo: str | Path, handle: Handle, options: Options, mask: str) -> Steps:
    with work_folder() as folder:
        described, map_file = yield from match(photo, handle.get(), options, mask, folder)
        photo_map = PhotoMap.load(map_file)
        colors = yield from colors_of([described], options, folder, photo=True)
        snapshots.check_unchanged(handle.get(), described.of.shape)
        picture = image_editor.match_picture(photo_map, colors[0][1].colors)
        title = f"{Path(photo).stem} on {handle.name}"
        if options.features.pictures:
            write_png(Path(options.features.pictures) / f"{file_name(title)}.png", picture)
        write_colors(colors)
        image = image_editor.show(picture, title)
    confidence, share = _mean_confidence(photo_map), float(photo_map.mask.mean())
    return Report.of(
        f"{Path(photo).name} is matched to “{handle.name}”: confidence {confidence:.0%} on average.",
        [f"The object covers {share:.0%} of the photo. See the image “{image.name}”.", *photo_doubts(photo_map)],
        {"map": str(map_file), "confidence": confidence, "share": share, "image": image.name},
    )


def _mean_confidence(photo_map: PhotoMap) -> float:
    return float(photo_map.confidence[photo_map.mask].mean())


def _side(direction: Sequence[float]) -> str:
    """From where a camera in this direction (3,) sees an object whose front is -Y, in words."""
    x, y, z = direction
    if abs(z) > STEEP_VIEW:
        return "from above" if z > 0 else "from below"
    turn = round(np.arctan2(x, -y) / (np.pi / 4)) % len(SIDES)
    return SIDES[turn]


def photo_doubts(photo_map: PhotoMap) -> list[Remark]:
    """What the user should know about a match of a photograph."""
    (*seen_from, is_mirrored, score), (*other, other_mirrored, other_score) = photo_map.poses
    what = "The photo's mirror image" if is_mirrored else "The photo"
    doubts: list[Remark] = [f"{what} shows the object {_side(seen_from)}."]
    if score - other_score < UNSURE_VIEWS:
        mirrored = " as a mirror image" if other_mirrored and not is_mirrored else ""
        text = f"Perhaps the photo shows it {_side(other)}{mirrored}: that fits about as well. “Other Side” takes that."
        doubts.append(ResultWarning("view-unsure", text))
    if (mean := _mean_confidence(photo_map)) < LOW_PHOTO_CONFIDENCE:
        doubts.append(ResultWarning("low-confidence", f"The match is poor: its confidence is {mean:.0%} on average."))
    return doubts
