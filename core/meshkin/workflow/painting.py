"""Textures painted from words, and from one photo where there is one."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ..base.errors import Enough, InputError
from ..base.progress import Progress, Result, in_step
from ..data.photo_map import PhotoMap
from ..data.snapshot import Snapshot
from ..paint.settings import ABOVE, PaintSettings
from ..pictures.options import SURFACE
from ..scene.blend import absolute_path
from ..scene.display import previews
from ..scene.materials import base_colors, textures
from ..scene.materials.channels import Shading
from ..scene.mesh import rest, shape_keys, surfaces
from ..scene.mesh import snapshot as snapshots
from ..scene.objects import BlenderObject, Handle
from ..transfer.texture.settings import Tiles
from ..worker import client
from ..worker.requests.arrays import load_array, save_array
from ..worker.requests.painting import (
    ENOUGH_FILE,
    PaintShape,
    PaintShapeResult,
    PlanPainting,
    ShapedViews,
    newest_rough,
    rough_files,
)
from ..worker.requests.pictures import FindMapModelsResult
from . import photo_matching
from .doubts import WARNED_OVERLAP, fold_warnings, overlap_warning
from .files import work_folder
from .options import Options, Remark, Report, ResultWarning, Steps
from .photographs import photo_doubts
from .picture_maps import find_models
from .steps import PAINT, PAINT_SECONDS, PHOTO, PHOTO_SECONDS, feature_costs
from .unwrapping import check_can_have_uvs, check_picture_options, has_usable_uvs, new_uv_map_remarks, unwrap
from .whole_job import whole_job

WARNED_UNSEEN = 0.25
"""Share of the texels that no view sees, from which the report warns (chosen)."""

NAME_LENGTH = 40
"""Letters of the prompt in the material's name. Chosen: Blender's names have 63."""
_NO_SHADING = Shading({0: None}, {0: {}}, 0, [])
"""A material of which nothing is known but what is painted."""


def paint(target: BlenderObject, options: Options = Options(), photo: str | Path = "", photo_mask: str = "") -> Steps:
    """Give an object a texture painted by Stable Diffusion from words: a new material in a new slot.

    The texture is shown while it is painted. If the job is cancelled, it is taken away again. If
    :class:`meshkin.base.errors.Enough` is thrown into it, it ends with the texture as far as it is painted, finished as
    ever. Started again with the same options, the job goes on where it was.

    Args:
        target: a mesh; without a UV map of use it gets one.
        options: of them ``paint`` and ``texture`` say what is painted.
        photo: an image file of a reference, which is matched first; "" for none.
        photo_mask: as for :func:`match_photo`.

    Raises InputError ``prompt-empty``, ``paint-slow`` (no graphics card), ``nothing-seen``, ``mask-missing``,
    ``uv-maps-full``, with a photo as :func:`match_photo`; ModelError where Stable Diffusion is not there, or where the
    subject is none or of another model; OptionError.
    """
    handle = Handle.of(target)
    check_picture_options(options.texture)
    snapshots.check_writable(target)
    surfaces.check_own(target, surfaces.take_checked(target))
    check_can_have_uvs(target)
    settings = _settings(options)
    mask = Path(absolute_path(options.paint.mask)) if options.paint.mask else None
    if mask is not None and not mask.is_file():
        raise InputError("mask-missing", f"There is no file {mask}.", "Choose another mask.")
    subject = Path(absolute_path(options.paint.subject)) if options.paint.subject else None
    costs = {PAINT: PAINT_SECONDS}
    if photo:
        costs = {**feature_costs([handle], options), PHOTO: PHOTO_SECONDS, **costs}
    return (yield from whole_job(_paint(handle, options, settings, (mask, subject), (photo, photo_mask)), costs))


def _settings(options: Options) -> PaintSettings:
    chosen, texture = options.paint, options.texture
    return PaintSettings(
        prompt=chosen.prompt,
        negative=chosen.negative,
        views=chosen.views,
        resolution=chosen.resolution,
        steps=chosen.steps,
        guidance=chosen.guidance,
        control=chosen.control,
        free=chosen.free,
        seed=chosen.seed,
        refine=chosen.refine,
        size=texture.size,
        margin=texture.margin,
        tiles=cast(Tiles, texture.tiles),  # checked before
    )


def _paint(
    handle: Handle,
    options: Options,
    settings: PaintSettings,
    files: tuple[Path | None, Path | None],
    photo: tuple[str | Path, str],
) -> Steps:
    mask, subject = files
    with work_folder() as folder:
        models = {role: str(name) for role, name in options.paint.models.items()}
        plan = PlanPainting(settings, models, options.worker.online, options.worker.device, options.paint.slow, subject)
        planned = yield from client.shared().run(plan)
        found = FindMapModelsResult((), "")
        if options.paint.surface or options.paint.shape:
            wanted, welcome = ("normal",) if options.paint.shape else (), SURFACE if options.paint.surface else ()
            found = yield from find_models(wanted, welcome, options)
        map_file = None
        remarks: list[Remark] = []
        if photo[0]:
            described, map_file = yield from photo_matching.match(photo[0], handle.get(), options, photo[1], folder)
            snapshots.check_unchanged(handle.get(), described.of.shape)
            remarks += photo_doubts(PhotoMap.load(map_file))
        target, new_uvs = handle.get(), None
        if not has_usable_uvs(target):
            if mask is not None:
                raise InputError("no-uvs", f"“{target.name}” has no UV map of use.", "A mask needs one: unwrap it.")
            new_uvs = yield from unwrap(target, options.texture, folder)
            remarks += new_uv_map_remarks([target], options.texture)
        shape = snapshots.take(target, new_uvs)
        request = PaintShape(
            shape=shape.save(folder / "paint-shape.npz"),
            settings=settings,
            models=planned.models,
            device=options.worker.device,
            photo=map_file,
            present=() if mask is None else _present(target, folder),
            mask=mask,
            subject=subject,
            maps=found.models,
            reading=(options.maps.seed, options.maps.steps, options.maps.resolution),
            folder=folder,
        )
        shown = _ShownTexture(handle, shape, new_uvs, options, settings.prompt)
        result = yield from in_step(PAINT, shown.while_painting(client.shared().run(request), folder))
        written = shown.write(result.files, result.layer_of_slot, result.surface, options.texture.folder)
        if result.shaped is not None:
            remarks += _write_shape(handle.get(), shape, result.shaped, settings)
        if found.missing:
            remarks.append(f"The material has no roughness and metallic of its own: {found.missing}")
    return _report(handle, options, result, written, remarks)


@dataclass
class _ShownTexture:
    """What is shown of a texture while it is painted.

    Attributes:
        handle: the target.
        shape: as it is painted.
        new_uvs: (C, 2), UVs that the target gets; None where it has some.
        options: of the job.
        prompt: names the material.
        written: what is shown now; None for nothing.
        number: after how many steps it was so.
    """

    handle: Handle
    shape: Snapshot
    new_uvs: NDArray[np.float32] | None
    options: Options
    prompt: str
    written: textures.WrittenMaterials | None = None
    number: int = field(default=0)

    def while_painting(self, job: Generator[Progress, None, Result], folder: Path) -> Generator[Progress, None, Result]:
        """Run the job, and show the newest rough texture, which is taken away at the end. Where what is there is
        enough (:class:`Enough`), the job finishes it."""
        try:
            while True:
                try:
                    progress = next(job)
                except StopIteration as end:
                    result: Result = end.value
                    return result
                self._show(folder)
                try:
                    yield progress
                except Enough:
                    (folder / ENOUGH_FILE).touch()
        finally:
            job.close()
            if self.written is not None:
                textures.undo_write(self.handle, self.written)
            previews.shown([])

    def write(
        self,
        files: Sequence[Mapping[int, Path]],
        layer_of_slot: Sequence[int],
        surface: Mapping[str, Sequence[Mapping[int, Path]]],
        folder: str = "",
    ) -> textures.WrittenMaterials:
        """Write pictures, and those of other channels, to the target; raises InputError ``mesh-changed`` where it has
        other UVs now."""
        target = self.handle.get()
        snapshots.check_unchanged(target, self.shape)
        if self.new_uvs is None:
            snapshots.check_uvs_unchanged(target, self.shape.uvs)
        name = f"{self.prompt.strip()[:NAME_LENGTH]} on {target.name}"
        materials = []
        for layer, each in enumerate(files):
            pictures = [textures.BakedPicture("base_color", each, name, base_colors.SRGB)]
            for channel, own in surface.items():
                pictures.append(textures.BakedPicture(channel, own[layer], f"{name} {channel}", base_colors.NON_COLOR))
            materials.append(textures.BakedMaterial(name, pictures))
        return textures.write(target, _NO_SHADING, materials, layer_of_slot, self.new_uvs, folder)

    def _show(self, folder: Path) -> None:
        newest = newest_rough(folder)
        if newest is None or int(newest.name) <= self.number:
            return
        self.number = int(newest.name)
        if self.written is not None:
            textures.undo_write(self.handle, self.written)
            self.written = None
        self.written = self.write(*rough_files(newest), {})
        previews.shown([partial(textures.undo_write, self.handle, self.written)])


def _present(target: BlenderObject, folder: Path) -> tuple[Path, ...]:
    """Files of the present base color of each material slot; gray where there is none.

    Raises InputError ``image-missing``, ``image-tiled``.
    """
    gray = np.full((1, 1, 4), 0.5, np.float32)
    files = []
    for number, slot in enumerate(target.material_slots or (None,)):
        material = slot.material if slot else None
        pixels = base_colors.base_color(material).pixels if material else gray
        files.append(save_array(folder / f"present-{number}.npy", pixels))
    return tuple(files)


def _write_shape(target: BlenderObject, shape: Snapshot, shaped: ShapedViews, settings: PaintSettings) -> list[Remark]:
    """Give the target the shape that follows its painted views as a shape key, if some view fits it."""
    count = settings.views + ABOVE
    if not shaped.accepted:
        text = f"None of the {count} views shows normals that fit the shape: there is no shape key."
        return [ResultWarning("shape-unseen", text)]
    if rest.is_posed(target, shape):
        text = f"“{target.name}” is posed by an armature: there is no shape key. Paint it in its rest pose."
        return [ResultWarning("shape-posed", text)]
    offsets = load_array(shaped.offsets, "V3", V=len(shape.vertices))[shape.original]
    name = f"Shape of {settings.prompt.strip()[:NAME_LENGTH]}"
    remarks: list[Remark] = [shape_keys.write(target, name, offsets.astype(np.float64), value=1.0)]
    text = f"The shape key follows the normals of {shaped.accepted} of {count} views. It is a start: look at it."
    remarks.append(ResultWarning("shape-start", text))
    return [*remarks, *fold_warnings({"The shape key": shaped.turned})]


def _report(
    handle: Handle,
    options: Options,
    result: PaintShapeResult,
    written: textures.WrittenMaterials,
    remarks: list[Remark],
) -> Report:
    names = list(dict.fromkeys(material.name for material in written.materials))
    remarks = [*remarks, *(f"Material “{name}” in a new slot." for name in names)]
    remarks += [f"Image “{image.name}” ({image.size[0]} x {image.size[1]})." for image in written.images]
    if result.resumed:
        remarks.append(f"Taken up again after step {result.resumed}.")
    if result.steps < options.paint.steps:
        text = f"It was stopped after {result.steps} of {options.paint.steps} steps, and finished as it was then. "
        text += "Painted again in the same way, it goes on from there."
        remarks.append(ResultWarning("paint-unfinished", text))
    if result.given > 0:
        remarks.append(f"{result.given:.0%} of the texture was known before and stayed.")
    if result.overlap > WARNED_OVERLAP:
        remarks.append(overlap_warning(result.overlap))
    unseen = 1 - result.seen
    text = f"{unseen:.0%} of the texture is seen by no view: it was filled in from around."
    if unseen > WARNED_UNSEEN:
        remarks.append(ResultWarning("texture-unseen", text))
    elif unseen > 0:
        remarks.append(text)
    data = {
        "materials": names,
        "images": {image.name: image.name for image in written.images},
        "seen": result.seen,
        "given": result.given,
        "overlap": result.overlap,
        "steps": result.steps,
    }
    return Report.of(f"“{handle.name}” is painted.", remarks, data)
