"""Whole materials baked from files into files: what the worker does for :mod:`meshkin.workflow.texturing`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...base.progress import ProgressCallback
from ...data.snapshot import Snapshot
from ...data.surface_map import Match
from .bake import bake
from .channels import Baked, Channel, Layout, Picture, Source
from .layouts import target_uvs
from .map_smoothing import smoothed
from .picture_files import save_picture
from .texels import texel_map

LOOK = 256
"""Width of the pictures in which tiles are compared."""
KEPT = 2048
"""Width of the largest picture whose texels' kin are kept for the next bake."""
ALIKE = 0.95
"""Two tiles that share this much of what the smaller one covers show the same texels."""


def bake_files(
    source: Snapshot, target: Snapshot, match: Match, arguments: Mapping[str, Any], report: ProgressCallback
) -> dict[str, Any]:
    """Bake what the arguments of :func:`meshkin.worker.jobs.bake_materials` ask for; its result."""
    pictures = [_picture(one) for one in arguments["pictures"]]
    if arguments["quick"]:
        pictures = [replace(one, pixels=_small(one.pixels, 2 * arguments["size"])) for one in pictures]
    layouts = [np.load(path, allow_pickle=False) for path in arguments["layouts"]]
    channels = [_channel(one) for one in arguments["channels"]]
    names = [one["name"] for one in arguments["channels"]]
    if arguments["smoothing"] > 0:
        report("Smoothing the map", 0)
        even = smoothed(match.to_source, source, target, arguments["smoothing"])
        match = replace(match, to_source=even)
    tiles = None if arguments["tiles"] == "one" else found_tiles(target_uvs(target), arguments["tiles"] == "udim")
    layout = Layout(arguments["size"], arguments["margin"], tiles, arguments["threshold"])
    files: dict[str, dict[str, str]] = {}
    shares: dict[str, list[float]] = {}
    alpha = "base_color" in names and "alpha" in names
    memory = _memory(source, target, match, layout)
    for baked in bake(pictures, layouts, channels, source, target, match, layout, report, memory):
        number = 1001 + baked.tile[0] + 10 * baked.tile[1]
        report("Saving the texture", 0)
        for name, pixels in _named(baked, names, alpha, arguments["threshold"]).items():
            path = save_picture(pixels, Path(arguments["folder"]) / f"{name}.{number}.png")
            files.setdefault(name, {})[str(number)] = str(path)
        for key, share in baked.shares.items():
            shares.setdefault(key, []).append(share)
    return {"files": files, "alpha": alpha, "shares": {key: float(np.mean(all_)) for key, all_ in shares.items()}}


_last: dict[str, dict[Any, Any]] = {}
"""What the last bake can leave to the next one, which often differs in its channels or threshold alone."""


def _memory(source: Snapshot, target: Snapshot, match: Match, layout: Layout) -> dict[Any, Any] | None:
    """Where the bake of these shapes at this size keeps its texels' kin; None where that would be too much to keep."""
    if layout.size > KEPT:
        _last.clear()
        return None
    digest = hashlib.blake2b(f"{source.key} {target.key} {layout.size} {layout.tiles}".encode())
    for array in (target.uvs, match.to_source.face, match.to_source.barycentric, match.to_source.confidence):
        digest.update(np.ascontiguousarray(array).tobytes())
    key = digest.hexdigest()
    if key not in _last:
        _last.clear()
        _last[key] = {}
    return _last[key]


def _small(pixels: NDArray[Any], most: int) -> NDArray[Any]:
    """A picture halved until it is at most ``most`` pixels wide and high, as long as it can be: for a preview."""
    while max(pixels.shape[:2]) > most and not (pixels.shape[0] % 2 or pixels.shape[1] % 2):
        halves = [pixels[i::2, j::2].astype(np.float32) for i in (0, 1) for j in (0, 1)]
        pixels = (sum(halves[1:], halves[0]) / 4).astype(pixels.dtype)
    return pixels


def found_tiles(uvs: NDArray[np.floating], wanted: bool) -> tuple[tuple[int, int], ...] | None:
    """The UDIM tiles that a layout fills; None where its UVs mean one picture, repeated outside the unit square.

    Where it is not ``wanted`` anyway, a layout has tiles if each of its triangles lies in one of the tiles 1001 and on,
    and no tile shows the texels of another (mirrored halves are often moved aside by a whole tile).

    Args:
        uvs: (F, 3, 2).
    """
    low, high = np.floor(uvs.min(axis=1) + 1e-5), np.ceil(uvs.max(axis=1) - 1e-5) - 1
    inside = (high <= low).all(axis=1) & (low >= 0).all(axis=1) & (low[:, 0] < 10) & (low[:, 1] < 100)
    first = np.maximum(low, 0).astype(int)
    corners = np.unique(first[inside], axis=0)
    tiles = tuple((int(u), int(v)) for u, v in sorted(corners.tolist(), key=lambda corner: corner[::-1]))
    if wanted:
        return tiles or ((0, 0),)
    if len(tiles) < 2 and tiles in ((), ((0, 0),)):
        return None
    if not inside.all() or len(tiles) == 1:
        return None
    covered = [texel_map(uvs - np.array(tile), LOOK, wrap=False).covered for tile in tiles]
    for index, one in enumerate(covered):
        for other in covered[:index]:
            if (one & other).sum() > ALIKE * min(one.sum(), other.sum()):
                return None
    return tiles


def _named(baked: Baked, names: list[str], alpha: bool, threshold: float) -> dict[str, NDArray[Any]]:
    found = dict(zip(names, baked.pictures, strict=True))
    if alpha:
        base = found["base_color"]
        found["base_color"] = np.concatenate([base, _as_deep(found.pop("alpha"), base.dtype)], axis=2)
    if threshold > 0:
        found["mask"] = baked.filled[..., None]
    return found


def _as_deep(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if values.dtype == dtype:
        return values
    share = values / (np.iinfo(values.dtype).max if values.dtype != np.float32 else 1)
    return np.asarray(share if dtype == np.float32 else np.rint(share * np.iinfo(dtype).max), dtype)


def _picture(data: Mapping[str, Any]) -> Picture:
    pixels = np.load(data["pixels"], allow_pickle=False)
    tile = tuple(data["tile"]) if data.get("tile") else None
    return Picture(pixels, data["layout"], data.get("address", "repeat"), bool(data.get("closest")), tile)


def _channel(data: Mapping[str, Any]) -> Channel:
    sources = {}
    for slot, one in data["sources"].items():
        weights = one.get("weights")
        sources[int(slot)] = Source(
            tuple(one["pictures"]),
            tuple(one["value"]),
            bool(one.get("decode")),
            bool(one.get("encode")),
            tuple(map(tuple, weights)) if weights else None,
            tuple(one.get("offset", ())),
            float(one.get("strength", 1)),
        )
    return Channel(sources, data["width"], data["depth"], data["normal"])
