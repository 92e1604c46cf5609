"""Jobs about UV maps and textures."""

from __future__ import annotations

import numpy as np

from ...base.progress import ProgressCallback
from ...data.photo_map import PhotoMap
from ...data.snapshot import Snapshot
from ...data.surface_map import Match
from ..requests.arrays import load_array, save_array
from ..requests.texture import (
    BakeMaterials,
    BakeMaterialsResult,
    PhotoTextureArrays,
    TexturePhoto,
    TexturePhotoResult,
    UnwrapShape,
    UnwrapShapeResult,
)


def unwrap_shape(request: UnwrapShape, report: ProgressCallback) -> UnwrapShapeResult:
    """Make a UV map."""
    from ...transfer.texture.unwrapping import unwrap_polygons

    shape = Snapshot.load(request.shape)
    report("Unwrapping", 0)
    uvs = unwrap_polygons(shape.vertices, shape.faces, shape.polygons, shape.corners, request.size, request.padding)
    return UnwrapShapeResult(save_array(request.output, uvs))


def bake_materials(request: BakeMaterials, report: ProgressCallback) -> BakeMaterialsResult:
    """Bake channels of the source's materials into the target's UV map, as picture files."""
    from ...transfer.texture.channels import Picture, SourceTextures
    from ...transfer.texture.material_files import bake_material_files

    pictures = [
        Picture(load_array(file.pixels, "HWC"), file.uv_layout, file.extension, file.closest, file.tile)
        for file in request.pictures
    ]
    source = Snapshot.load(request.source)
    uv_layouts = [load_array(path, "F32", F=len(source.faces)) for path in request.uv_layouts]
    baked = bake_material_files(
        SourceTextures(pictures, uv_layouts, request.channels),
        source,
        Snapshot.load(request.target),
        Match.load(request.map),
        request.settings,
        request.folder,
        report,
    )
    return BakeMaterialsResult(baked.files, baked.layer_of_slot, baked.overlap, baked.alpha, baked.shares)


def texture_photo(request: TexturePhoto, report: ProgressCallback) -> TexturePhotoResult:
    """Make a texture of a photograph that is matched to a shape."""
    from ...cache import store as cache
    from ...transfer.texture.photo import lay_out
    from ...transfer.texture.photo_border import without_background

    photo_map, shape = PhotoMap.load(request.map), Snapshot.load(request.shape)
    features = cache.read(request.features).features
    height, width = photo_map.mask.shape
    layout = lay_out(photo_map, shape, features, request.size, report)
    colors = photo_map.photo.astype(np.float32) / np.float32(255)
    if request.albedo:
        colors = load_array(request.albedo, "HW3", H=height, W=width).astype(np.float32)
    pixels = layout.texture(without_background(colors, photo_map.mask), request.margin)
    arrays = PhotoTextureArrays(pixels, layout.origin).save(request.output)
    file = None
    if request.values:
        values = np.empty((height, width, len(request.values)), np.float32)
        for channel, path in enumerate(request.values):
            values[..., channel] = load_array(path, "HW", H=height, W=width)
        painted = layout.texture(without_background(values, photo_map.mask), request.margin)
        file = save_array(request.output.with_name("values.npy"), painted[..., :-1])
    seen, mirrored, filled = layout.origin[layout.origin.any(axis=-1)].mean(axis=0).tolist()
    return TexturePhotoResult(arrays, file, seen, mirrored, filled, layout.overlap)
