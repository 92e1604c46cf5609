"""Skinning weights on real characters: MeshKin beside what an artist does by hand, with known rigs on both sides.

    python tests/benchmarks/characters.py [--data FOLDER] [--work FOLDER] [--blender PYTHON] [--only TEXT …]
                                          [--joints | --from-joints]

Runs in the worker's environment; ``--blender`` is a Python that has ``bpy``. The data folder (``MESHKIN_TEST_DATA``)
holds ``characters``. Prints results/characters.txt.

A pair is two characters whose rigs have the same bones. MeshKin sees two meshes and the source's weights. Its peers get
more: the source is posed and scaled by both rigs so that its joints are those of the target, as an artist
does by hand; then weights come from the nearest face ("aligned", as Blender's Data Transfer, nearest face
interpolated), or are copied within 5 % of the diagonal and 30 degrees of normal and inpainted elsewhere ("inpainted",
robust weight transfer as published). "Boxes" is the nearest face after fitting the bounding boxes only. "Joints" is
MeshKin with what these peers are given: the target's own armature (*Method: Joints*), and no match; ``--joints`` prints
it beside the peers without matching anything. ``--from-joints`` prints what comes through a match that starts from
these joints (*Start from Joints*): "own" is the share of the area that comes to its own bone or a neighbor.

"L1" is the mean over the vertices of the sum of the absolute differences of a row; vertices without weights in truth
are left out. "posed" is the mean distance between the vertices posed by the true and by the transferred weights over 10
poses, per cent of the height. "side" is the share of vertices with more than 0.1 on bones of the wrong side; "gone" are
bones that carry more than 2 % of the source's weight and some of the target's, and less than a tenth of that came over.
All methods keep four weights a vertex. Characters marked with * were used when the matcher was tuned; a pair is held
out if one of its two characters was not.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "packaging" / "demo"), str(ROOT / "tests")]

import skeleton
from characters_data import Character, read, write_rig, write_variant
from meshkin.base.sides import mirror_indices
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import Match
from meshkin.geometry.arrays import unit_rows
from meshkin.geometry.closest_points import closest_points
from meshkin.geometry.filling import inpaint_weights
from meshkin.geometry.mesh import vertex_areas, vertex_normals
from meshkin.transfer.rig.onto_joints import Joints, posed_onto_joints
from meshkin.transfer.rig.rest_skeleton import RestSkeleton
from meshkin.transfer.weights.garment_map import nearest_points_map
from meshkin.transfer.weights.skinning import weights_through_map
from weights_cases import limited

Array = NDArray[Any]
POSES = 10
"""Poses over which the posed error is averaged."""
TUNED = """
    women_Soldier women_Casual men_Suit men_Swat women_Formal men_Adventurer men_Beach women_Medieval women_Adventurer
    men_Punk men_Worker Knight Mage Barbarian Rogue human-male human-female human-zombie human-bunny fox-dog fox-fox
    fox-cat fox-horse fox-panda Wolf-v12 Horse-v7 Cow-v3 Alpaca-v1 kaiju-base kaiju-t-rex dino_Apatosaurus
    dino_Stegosaurus men_Farmer women_Punk women_Worker men_Casual human-sophia human-sintel bird-base bird-eagle
    fish-shark fish-whale Deer-v4 Bull-v2 ShibaInu-v10
"""
PAIRS = """
    women_Casual:men_Suit women_Soldier@A:men_Beach@back men_Swat:women_Formal men_Adventurer:men_Beach
    women_Medieval:women_Adventurer men_Punk:men_Worker Knight:Mage Barbarian:Rogue human-male:human-female
    human-female:human-zombie human-male:human-bunny fox-dog:fox-fox fox-fox:fox-cat fox-horse:fox-panda
    Wolf-v12:Horse-v7 Cow-v3:Alpaca-v1 kaiju-base:kaiju-t-rex dino_Apatosaurus:dino_Stegosaurus
    men_Farmer:women_Punk women_Worker:men_Casual women_Suit:men_Farmer@A men_Casual@A:women_Punk@back
    Rogue_Hooded:Knight human-sophia:human-sintel human-sophia:human-male Deer-v4:Bull-v2 ShibaInu-v10:Husky-v9
    Donkey-v5:Stag-v11 Husky-v9:Deer-v4 bird-base:bird-eagle fish-shark:fish-whale women_Suit:women_Worker
    Fox-v6:Husky-v9 Horse_White-v8:Donkey-v5
"""
"""Source and target; @A is a character with its arms lowered, @back one that faces the other way."""


# Methods ---------------------------------------------------------------------------------------------------------


def aligned(source: Character, target: Character) -> Array:
    """The source's vertices, posed and scaled by both rigs so that its joints are the target's."""
    size = target.diagonal / source.diagonal
    places = {bone: index for index, bone in reversed(list(enumerate(target.bones)))}
    posed = source.matrices.copy()
    for bone, name in enumerate(source.bones):
        parent = source.parents[bone]
        if name in places:
            other = places[name]
            stretch = target.lengths[other] / max(source.lengths[bone], 1e-9)
            posed[bone] = target.matrices[other] @ np.diag([size, stretch, size, 1])
        elif parent >= 0:
            posed[bone] = posed[parent] @ np.linalg.inv(source.matrices[parent]) @ source.matrices[bone]
    weights = source.bone_weights()
    weights[weights.sum(axis=1) == 0, 0] = 1
    return skeleton.skin(source.vertices, weights, source.matrices, posed)


def nearest(source: Character, target: Character, places: Array) -> tuple[Array, Array]:
    """The source's weights at the points nearest to the target's, the source lying at ``places``; and which of them lie
    near enough, and face the same way, to be copied as they are."""
    closest = closest_points(target.vertices, places, source.faces.astype(np.int64))
    corners = source.faces[closest.face]
    rows = np.einsum("vk,vkb->vb", closest.barycentric, source.weights[corners])
    normals = unit_rows(np.einsum("vk,vkd->vd", closest.barycentric, vertex_normals(places, source.faces)[corners]))
    cosine = np.einsum("vd,vd->v", normals, vertex_normals(target.vertices, target.faces))
    near = np.sqrt(np.maximum(closest.square, 0)) <= 0.05 * target.diagonal
    return rows, near & (cosine >= np.cos(np.radians(30)))


def peers(source: Character, target: Character) -> tuple[Array, Array, Array]:
    """Weights by the three peers: aligned, inpainted, boxes."""
    rows, near = nearest(source, target, aligned(source, target))
    inpainted = inpaint_weights(rows, near, target.vertices, target.faces).values if near.any() else rows
    low, high = target.vertices.min(axis=0), target.vertices.max(axis=0)
    fitted = (source.vertices - source.vertices.min(axis=0)) / np.ptp(source.vertices, axis=0) * (high - low) + low
    return limited(rows), limited(inpainted), limited(nearest(source, target, fitted)[0])


def ours(source: Character, target: Character, match: Match) -> Array:
    """Weights through MeshKin's map."""
    shapes = [Snapshot.from_arrays(end.vertices.astype(np.float32), end.faces, end.name) for end in (source, target)]
    return weights_through_map(source.weights, shapes[0], shapes[1], match.to_source).weights


def rest_skeleton(character: Character) -> RestSkeleton:
    """The character's bones as MeshKin reads them."""
    matrices = character.matrices
    heads = matrices[:, :3, 3]
    return RestSkeleton(
        heads,
        heads + matrices[:, :3, 1] * character.lengths[:, None],
        matrices[:, :3, 2],
        character.parents,
        np.array(mirror_indices(character.bones)),
        np.arange(len(character.bones)),
    )


def by_joints(source: Character, target: Character) -> Array:
    """Weights by the joints of the target's own armature."""
    first = {name: bone for bone, name in reversed(list(enumerate(target.bones)))}
    place = np.array([first.get(name, -1) for name in source.bones])
    bones = rest_skeleton(target)
    posed = posed_onto_joints(
        source.vertices,
        source.bone_weights(),
        rest_skeleton(source),
        Joints(bones.heads[place], bones.tails[place], place >= 0),
    )
    lying, there = (
        Snapshot.from_arrays(vertices.astype(np.float32), end.faces, end.name)
        for vertices, end in ((posed, source), (target.vertices, target))
    )
    return weights_through_map(source.weights, lying, there, nearest_points_map(lying, there)).weights


# Measures --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measures:
    """What is measured of weights on a target; see the head of this file."""

    difference: float
    posed: float
    side: float
    gone: list[str]


def measure(source: Character, target: Character, weights: Array) -> Measures:
    """Measure weights (V, C) in the source's columns against the target's own."""
    names = sorted({*source.columns, *target.columns})
    found, true, given = (
        in_columns(rows, columns, names)
        for rows, columns in (
            (weights, source.columns), (target.weights, target.columns), (source.weights, source.columns),
        )
    )  # fmt: skip
    known = true.any(axis=1)
    gone = (mean_share(given) > 0.02) & (mean_share(true) > 0.002) & (mean_share(found) < 0.1 * mean_share(true))
    difference = float(np.abs(found - true).sum(axis=1)[known].mean())
    return Measures(
        difference,
        posed_error(target, found, true, np.asarray(known), names),
        float(wrong_side(found, true, names)[known].mean()),
        [name for name, is_gone in zip(names, gone, strict=True) if is_gone],
    )


def in_columns(rows: Array, columns: list[str], names: list[str]) -> Array:
    result = np.zeros((len(rows), len(names)))
    result[:, [names.index(column) for column in columns]] = rows
    return result


def mean_share(rows: Array) -> Array:
    return rows.mean(axis=0)


def wrong_side(found: Array, true: Array, names: list[str]) -> Array:
    """Vertices of one side with more than 0.1 on bones of the other, bool (V,)."""
    left, right = (
        np.array([bool(re.search(rf"[._]{letter}$", name, re.IGNORECASE)) for name in names]) for letter in "lr"
    )
    crossed = np.where(true[:, right].sum(axis=1) > 0.5, found[:, left].sum(axis=1), 0)
    crossed += np.where(true[:, left].sum(axis=1) > 0.5, found[:, right].sum(axis=1), 0)
    return np.asarray(crossed > 0.1)


def posed_error(target: Character, found: Array, true: Array, known: Array, names: list[str]) -> float:
    """Mean distance between vertices posed by the true and the found weights, hundredths of the height."""
    generator = np.random.default_rng(0)
    used = [bone for bone, name in enumerate(target.bones) if true[:, names.index(name)].any()]
    first = {name: bone for bone, name in reversed(list(enumerate(target.bones)))}
    column_bone = np.array([first.get(name, 0) for name in names])
    total = 0.0
    for _ in range(POSES):
        turns = np.zeros((len(target.bones), 3))
        turns[used] = generator.normal(0, 15, (len(used), 3))
        local = Rotation.from_euler("xyz", turns, degrees=True).as_matrix()
        posed = skeleton.pose(target.parents, target.matrices, local)
        places = [
            skeleton.skin(target.vertices[known], rows[known], target.matrices[column_bone], posed[column_bone])
            for rows in (true, found)
        ]
        total += float(np.linalg.norm(places[0] - places[1], axis=1).mean())
    return 100 * total / POSES / target.height


# Running ---------------------------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("MESHKIN_TEST_DATA") or ROOT.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--work", type=Path, default=Path("/tmp/meshkin-characters"))
    parser.add_argument("--blender", default=str(ROOT / ".environments" / "bpy-5.2" / "bin" / "python"))
    parser.add_argument("--joints", action="store_true", help="print only who is given the target's joints")
    parser.add_argument("--from-joints", action="store_true", help="print matches that start from the target's joints")
    parser.add_argument("--only", nargs="*", default=[], help="pairs whose names contain one of these")
    arguments = parser.parse_args()
    work: Path = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    pairs = [pair for pair in PAIRS.split() if not arguments.only or any(text in pair for text in arguments.only)]
    names = sorted({name for pair in pairs for name in pair.split(":")})
    files = [next((arguments.data / "characters").rglob(f"{name.split('@')[0]}.glb")) for name in names]
    script = [arguments.blender, str(Path(__file__).with_name("characters_scene.py"))]
    missing = sorted({str(file) for file in files if not (work / f"{file.stem}.npz").exists()})
    if missing:
        subprocess.run([*script, "import", str(work), *missing], check=True)
    for name in names:
        if "@" in name and not (work / f"{name}.npz").exists():
            write_variant(work, name)
    if arguments.joints:
        print_joints(work, pairs)
        return
    if arguments.from_joints:
        for name in names:
            write_rig(work, name)
        subprocess.run([*script, "match-from-joints", str(work), *pairs], check=True)
        print_from_joints(work, pairs)
        return
    subprocess.run([*script, "match", str(work), *pairs], check=True)
    print_table(work, pairs)


def print_joints(work: Path, pairs: list[str]) -> None:
    """The table of those who are given the target's joints: both peers and MeshKin without a match."""
    print(f"{'':40}" + "".join(f"{method:>18}" for method in ("aligned", "inpainted", "joints")))
    print(f"{'':40}" + 3 * f"{'L1':>10}{'posed':>8}" + "    side")
    rows = []
    for pair in pairs:
        source, target = (read(work, name) for name in pair.split(":"))
        measured = [
            measure(source, target, weights) for weights in (*peers(source, target)[:2], by_joints(source, target))
        ]
        rows.append([[each.difference, each.posed] for each in measured])
        figures = "".join(f"{each.difference:10.3f}{each.posed:8.2f}" for each in measured)
        print(f"{title_of(pair):40}{figures}{measured[-1].side:8.2%}", flush=True)
    mean = np.mean(rows, axis=0)
    print(f"{'mean':40}" + "".join(f"{one:10.3f}{two:8.2f}" for one, two in mean))
    best = np.array(rows)[:, :2].min(axis=1)
    wins = (np.array(rows)[:, 2] <= best).mean(axis=0)
    share = mean[2] / best.mean(axis=0)
    print(f"\nOf the better peer on each pair: L1 {share[0]:.0%}, posed {share[1]:.0%};")
    print(f"at least as good on {wins[0]:.0%} of the pairs (L1), {wins[1]:.0%} (posed).")


def print_from_joints(work: Path, pairs: list[str]) -> None:
    """The table of matches that start from the target's joints, beside the joints alone."""
    print(f"{'':40}{'joints':>18}{'from joints':>18}")
    print(f"{'':40}" + 2 * f"{'L1':>10}{'posed':>8}" + "    side     own  confidence")
    rows = []
    for pair in pairs:
        source, target = (read(work, name) for name in pair.split(":"))
        match = Match.load(work / f"{' to '.join(pair.split(':'))}.joints.npz")
        measured = [
            measure(source, target, weights) for weights in (by_joints(source, target), ours(source, target, match))
        ]
        rows.append([[each.difference, each.posed] for each in measured])
        figures = "".join(f"{each.difference:10.3f}{each.posed:8.2f}" for each in measured)
        own, confidence = on_own_bone(source, target, match), match.to_source.confidence.mean()
        led = "" if match.notes.get("by_joints") else "  not from joints"
        print(f"{title_of(pair):40}{figures}{measured[1].side:8.2%}{own:8.2f}{confidence:12.2f}{led}", flush=True)
    print(f"{'mean':40}" + "".join(f"{one:10.3f}{two:8.2f}" for one, two in np.mean(rows, axis=0)))


def on_own_bone(source: Character, target: Character, match: Match) -> float:
    """Share of the target's area whose answer is on the same bone or a neighbor of it."""
    main, there = (
        np.where(end.weights.any(axis=1), np.array(end.columns)[end.weights.argmax(axis=1)], "")
        for end in (source, target)
    )
    near = {(bone, bone) for bone in (*source.bones, *target.bones)}
    for end in (source, target):
        for bone, parent in zip(end.bones, end.parents, strict=True):
            if parent >= 0:
                near |= {(bone, end.bones[parent]), (end.bones[parent], bone)}
    answers = main[match.to_source.vertex]
    area = vertex_areas(target.vertices, target.faces) * ((there != "") & (answers != "") & np.isin(there, main))
    right = np.array([pair in near for pair in zip(answers.tolist(), there.tolist(), strict=True)])
    return float(area @ right / area.sum())


def title_of(pair: str) -> str:
    """The pair's names, those that were tuned on with a star."""
    return " -> ".join(name + "*" * (name.split("@")[0] in TUNED.split()) for name in pair.split(":"))


def print_table(work: Path, pairs: list[str]) -> None:
    methods = "aligned", "inpainted", "boxes", "MeshKin", "joints"
    print("Skinning weights on real characters. 2 cores, no GPU.\n")
    print(f"{'':40}" + "".join(f"{method:>18}" for method in methods))
    print(f"{'':40}" + 5 * f"{'L1':>10}{'posed':>8}" + "    side  confidence  gone; what the match says")
    rows = []
    for pair in pairs:
        source, target = (read(work, name) for name in pair.split(":"))
        path = work / f"{' to '.join(pair.split(':'))}.map.npz"
        match, notes = Match.load(path), json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        measured = [
            measure(source, target, weights)
            for weights in (*peers(source, target), ours(source, target, match), by_joints(source, target))
        ]
        rows.append([[each.difference, each.posed] for each in measured])
        mine = measured[3]
        print(
            f"{title_of(pair):40}"
            + "".join(f"{each.difference:10.3f}{each.posed:8.2f}" for each in measured)
            + f"{mine.side:8.2%}{match.to_source.confidence.mean():12.2f}  {' '.join(mine.gone)}"
            + ("; " if notes["sentences"] else "") + " ".join(notes["sentences"]),
            flush=True,
        )  # fmt: skip
    held = np.array([not all(name.split("@")[0] in TUNED.split() for name in pair.split(":")) for pair in pairs])
    figures = np.array(rows)
    for label, chosen in (("mean", np.ones(len(pairs), bool)), ("mean, held out", held), ("mean, tuned on", ~held)):
        if chosen.any():
            mean = figures[chosen].mean(axis=0)
            print(f"{label:40}" + "".join(f"{one:10.3f}{two:8.2f}" for one, two in mean))
    best = figures[:, :2].min(axis=1)
    wins = (figures[:, 3] <= best).mean(axis=0)
    share = figures[:, 3].mean(axis=0) / best.mean(axis=0)
    print(f"\nOf the better of the aligned peers on each pair: L1 {share[0]:.0%}, posed {share[1]:.0%};")
    print(f"at least as good on {wins[0]:.0%} of the pairs (L1), {wins[1]:.0%} (posed).")


if __name__ == "__main__":
    main()
