"""Skin weights against the truth: Blender's Data Transfer, closest point with inpainting, and MeshKin, side by side.

    python tests/benchmarks/weights.py [--data FOLDER] [--work FOLDER] [--blender PYTHON] [--only PART …]

Runs in the worker's environment with Anny (PyPI ``anny``) added; ``--blender`` is a Python that has ``bpy``. The data
folder (``MESHKIN_TEST_DATA``) holds ``makehuman`` and ``characters``; what is not there is left out. Prints
results/weights.txt, to which what is seen in the pictures of ``weights_pictures.py`` is added by hand.

The truth: an analytic figure of capsules with clothes at a distance; MakeHuman's body, whose proxies and clothes are
given by exact barycentric rows; and people by Anny, who share one rig and one set of weights, at other topologies.
"L1" is the mean over vertices of the sum of the absolute differences of a row, "wrong" the share of vertices with more
than half of their weight on other bones (L1 above 1), "side" the share with more than 0.1 on bones of the wrong side,
"posed" the mean distance between the vertex posed by true and by found weights over 20 poses, per cent of height. All
methods keep four weights a vertex; the truth has more in places.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import igl
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "packaging" / "demo"), str(ROOT / "tests")]

import skeleton
from helpers.figures import Figure
from meshkin.base.sides import mirror_indices
from meshkin.data.surface_map import Match
from meshkin.geometry.arrays import unit_rows
from meshkin.geometry.closest_points import closest_points
from meshkin.geometry.filling import inpaint_weights
from meshkin.geometry.mesh import vertex_normals
from meshkin.transfer.rig.joints import fit_joints
from meshkin.transfer.rig.pose import transfer_pose
from meshkin.transfer.rig.rest_skeleton import RestSkeleton
from meshkin.transfer.weights.garment_map import map_garment
from meshkin.transfer.weights.garments import is_garment
from meshkin.transfer.weights.skinning import weights_through_map
from weights_cases import PARTS, Case, limited, normalized, save, shape

Array = NDArray[Any]
POSES = 20
LIMBS = (
    "spine",
    "neck",
    "head",
    "clavicle",
    "shoulder",
    "upperarm",
    "lowerarm",
    "wrist",
    "upperleg",
    "lowerleg",
    "foot",
)
"""Bones that are turned, with all their children."""


# Methods ---------------------------------------------------------------------------------------------------------


def closest_inpainted(case: Case) -> Array:
    """Closest point, copied within 5 % of the bounding box's diagonal and 30° of normal, as published; the rest
    biharmonic. Wider gaps than that leave nothing to copy."""
    points, surface = case.target.vertices.astype(np.float64), case.source.vertices.astype(np.float64)
    if case.match:
        low, size = surface.min(axis=0), np.ptp(surface, axis=0)
        points = (points - points.min(axis=0)) / np.ptp(points, axis=0) * size + low
    faces = case.source.faces.astype(np.int64)
    closest = closest_points(points, surface, faces)
    corners, shares = faces[closest.face], closest.barycentric
    rows = np.einsum("vk,vkb->vb", shares, normalized(case.weights)[corners])
    normal = unit_rows(np.einsum("vk,vkd->vd", shares, vertex_normals(surface, faces)[corners]))
    cosine = np.einsum("vd,vd->v", normal, vertex_normals(points, case.target.faces))
    near = np.sqrt(np.maximum(closest.square, 0)) <= 0.05 * np.linalg.norm(np.ptp(surface, axis=0))
    known = near & (cosine >= np.cos(np.radians(30)))
    return inpaint_weights(rows, known, points, case.target.faces).values


def ours(case: Case, found: Match | None) -> tuple[Array, float]:
    start = time.perf_counter()
    garment = not case.match
    to_source = map_garment(case.source, case.target).to_body if found is None else found.to_source
    carried = weights_through_map(case.weights, case.source, case.target, to_source, garment=garment)
    seconds = time.perf_counter() - start
    check(carried.weights, 4)
    return carried.weights, seconds


def check(weights: Array, limit: int) -> None:
    assert (weights >= 0).all()
    assert ((weights > 0).sum(axis=1) <= limit).all()
    assert np.abs(weights.sum(axis=1, dtype=np.float64) - 1).max() <= 1e-6


# Measures --------------------------------------------------------------------------------------------------------


def measure(case: Case, weights: Array) -> dict[str, float]:
    weights = normalized(weights)
    error = np.abs(weights - case.truth).sum(axis=1)
    found = {"L1": float(error.mean()), "wrong": float((error > 1).mean())}
    side = np.array(
        [1 if name.endswith((".L", "_L")) else -1 if name.endswith((".R", "_R")) else 0 for name in case.bones]
    )
    if side.any():
        left, right = (
            np.asarray([weights[:, side == one].sum(axis=1), case.truth[:, side == one].sum(axis=1)]) for one in (1, -1)
        )
        crossed = np.where(right[1] > 0.5, left[0], np.where(left[1] > 0.5, right[0], 0))
        found["side"] = float((crossed > 0.1).mean())
    if case.rig is not None:
        found["posed"] = posed_error(case, weights)
    return found


def posed_error(case: Case, weights: Array) -> float:
    """Mean distance between the vertices posed by true and by found weights, hundredths of the height."""
    assert case.rig is not None
    parents, bones = case.rig
    generator = np.random.default_rng(0)
    vertices = case.target.vertices.astype(np.float64)
    total = 0.0
    moving = np.array([name.startswith(LIMBS) for name in case.bones])
    for _ in range(POSES):
        turns = generator.normal(0, 20, (len(bones), 3)) * moving[:, None]
        posed = skeleton.pose(parents, bones, Rotation.from_euler("xyz", turns, degrees=True).as_matrix())
        one, two = (skeleton.skin(vertices, rows, bones, posed) for rows in (case.truth, weights))
        total += float(np.linalg.norm(one - two, axis=1).mean())
    return 100 * total / POSES / float(np.ptp(vertices[:, 2]))


def armatures(cases: list[Case], scenes: Path) -> list[str]:
    """Joints fitted through MeshKin's maps against the true ones, hundredths of the height."""
    lines = [f"{'armatures':34}{'mean':>8}{'median':>8}{'worst':>8}  joints outside of the body  seconds"]
    means = []
    for case in cases:
        if not case.match or case.rig is None:
            continue
        found = Match.load(scenes / f"{case.part}-{case.name}.map.npz")
        parents, true = case.rig
        rest, lengths = case.extra["source_bones"], case.extra["source_lengths"]
        heads = rest[:, :3, 3]
        tails = heads + rest[:, :3, 1] * lengths[:, None]
        mirror = np.array(mirror_indices(case.bones))
        bones = RestSkeleton(heads, tails, rest[:, :3, 2], parents, mirror, np.arange(len(case.bones)))
        start = time.perf_counter()
        fitted = fit_joints(bones, case.weights, case.source, case.target, found.to_target)
        seconds = time.perf_counter() - start
        error = 100 * np.linalg.norm(fitted.heads - true[:, :3, 3], axis=1) / np.ptp(case.target.vertices[:, 2])
        shapes = ((case.source, heads), (case.target, fitted.heads))
        within = [
            igl.fast_winding_number(one.vertices.astype(np.float64), one.faces.astype(np.int64), points) > 0.5
            for one, points in shapes
        ]
        means.append(error.mean())
        lines.append(
            f"  {case.name:32}{error.mean():8.2f}{np.median(error):8.2f}{error.max():8.2f}"
            f"{int((within[0] & ~within[1]).sum()):10}{seconds:27.1f}"
        )
    return [*lines, f"  {'mean':32}{np.mean(means):8.2f}", ""] if means else []


def poses(cases: list[Case], scenes: Path) -> list[str]:
    """The source brought into each target's pose through MeshKin's maps, without a rig, and posed by its true bones."""
    lines = [f"{'poses as shape keys':34}{'before':>8}{'mean':>8}{'worst':>8}  edges longer or shorter  seconds"]
    for case in cases:
        if not case.match or case.rig is None:
            continue
        found = Match.load(scenes / f"{case.part}-{case.name}.map.npz")
        parents, wanted = case.rig
        rest = case.extra["source_bones"]
        turns = wanted.copy()  # the target's orientations, the source's lengths
        for bone, parent in enumerate(parents.tolist()):
            step = rest[parent, :3, :3].T @ (rest[bone, :3, 3] - rest[parent, :3, 3])
            at = rest[bone, :3, 3] if parent < 0 else turns[parent, :3, 3] + turns[parent, :3, :3] @ step
            turns[bone, :3, 3] = at
        vertices = case.source.vertices.astype(np.float64)
        true = skeleton.skin(vertices, case.weights, rest, turns)
        start = time.perf_counter()
        posed = transfer_pose(case.target, case.source, found.to_target)
        seconds = time.perf_counter() - start
        before, error = (
            100 * np.linalg.norm(laid_over(points, true) - true, axis=1) / np.ptp(vertices[:, 2])
            for points in (vertices, posed.vertices.astype(np.float64))
        )
        lines.append(
            f"  {case.name:32}{before.mean():8.2f}{error.mean():8.2f}{error.max():8.2f}"
            f"{posed.stretch:12.1%}{seconds:22.1f}"
        )
    return [*lines, ""] if len(lines) > 1 else []


def laid_over(points: Array, others: Array) -> Array:
    """Points turned and moved to where they lie nearest to others."""
    turn, _ = Rotation.align_vectors(others - others.mean(axis=0), points - points.mean(axis=0))
    moved: Array = turn.apply(points - points.mean(axis=0)) + others.mean(axis=0)
    return moved


ANIMALS = ("Horse-v7", "Cow-v3", "Deer-v4", "Alpaca-v1", "Husky-v9", "ShibaInu-v10")
"""Pairs, source first, whose armatures have bones of the same names."""


def animals(arguments: argparse.Namespace) -> list[str]:
    """Armatures fitted to other animals against their own, hundredths of the height; bones that move something only."""
    data, folder = arguments.data / "characters", arguments.work / "animals"
    if not data.exists():
        return []
    folder.mkdir(exist_ok=True)
    script = str(Path(__file__).with_name("weights_scene.py"))
    subprocess.run([arguments.blender, script, str(folder), *ANIMALS, "--animals", str(data)], check=True)
    lines = [f"{'armatures of animals':34}{'mean':>8}{'median':>8}{'worst':>8}  joints outside of the body, the worst"]
    means = []
    for one, two in zip(ANIMALS[::2], ANIMALS[1::2], strict=True):
        with np.load(folder / f"{one} to {two}.npz") as found:
            error = np.linalg.norm(found["fitted"] - found["true"], axis=1)
            error *= 100 / np.ptp(found["target_vertices"][:, 2])
            within = [
                igl.fast_winding_number(found[f"{end}_vertices"], found[f"{end}_faces"].astype(np.int64), places) > 0.5
                for end, places in (("source", found["source"]), ("target", found["fitted"]))
            ]
            outside, worst = int((within[0] & ~within[1]).sum()), found["names"][error.argmax()]
        means.append(error.mean())
        lines.append(
            f"  {f'{one} -> {two}':32}{error.mean():8.2f}{np.median(error):8.2f}{error.max():8.2f}{outside:10}"
            f"{worst:>18}"
        )
    return [*lines, f"  {'mean':32}{np.mean(means):8.2f}", ""]


def speed() -> list[str]:
    """How long it takes after the match, 60 bones, a fifth of the vertices inpainted."""
    lines = [
        f"{'speed':34}{'bones':>8}{'inpainted':>11}{'seconds':>9}{'allowed':>9}{'share':>8}  of the processor's time"
    ]
    figure = Figure()
    body = figure.body(160)
    places = body.vertices.astype(np.float64)
    weights = np.repeat(figure.weights(places), 6, axis=1)[:, :60] * np.random.default_rng(0).random((len(places), 60))
    for cells, rounds, allowed in ((75, 1, 1), (59, 3, 15)):
        coarse = figure.body(cells, 0.4)
        vertices, faces = igl.loop(coarse.vertices.astype(np.float64), coarse.faces.astype(np.int64), rounds)
        target = shape("fine", vertices, faces.astype(np.int32))
        to_source = map_garment(body, target).to_body
        to_source.confidence[target.vertices[:, 2] < 0.25] = 0
        start, busy = time.perf_counter(), time.process_time()
        carried = weights_through_map(weights, body, target, to_source, garment=True)
        seconds, busy = time.perf_counter() - start, time.process_time() - busy
        check(carried.weights, 4)
        size = f"{len(target.vertices)} vertices"
        lines.append(
            f"  {size:32}{weights.shape[1]:8}{carried.inpainted.mean():11.0%}{seconds:9.2f}{allowed:9}"
            f"{seconds / allowed:8.0%}{busy:9.2f}"
        )
    return lines


# Running ---------------------------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("MESHKIN_TEST_DATA") or ROOT.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--work", type=Path, default=Path("/tmp/meshkin-weights"))
    parser.add_argument("--blender", default=str(ROOT / ".environments" / "bpy-5.2" / "bin" / "python"))
    parser.add_argument("--only", nargs="*", choices=[*PARTS, "animals"], default=[*PARTS, "animals"])
    arguments = parser.parse_args()
    scenes = arguments.work / "scenes"
    scenes.mkdir(parents=True, exist_ok=True)
    cases = [case for part in arguments.only if part in PARTS for case in PARTS[part](arguments)]
    for case in cases:
        path = scenes / f"{case.part}-{case.name}.npz"
        if not path.exists():
            source, target = case.source, case.target
            arrays = {"sv": source.vertices, "sf": source.faces, "sw": normalized(case.weights)}
            save(path, tv=target.vertices, tf=target.faces, match=case.match, **arrays)
    subprocess.run([arguments.blender, str(Path(__file__).with_name("weights_scene.py")), str(scenes)], check=True)
    print("Skin weights against the truth. 2 cores, no GPU.\n")
    print(f"{'':34}{'Data Transfer':^32}{'closest point, inpainted':^32}{'MeshKin':^32}")
    print(f"{'':34}" + 3 * f"{'L1':>8}{'wrong':>8}{'side':>8}{'posed':>8}" + "  seconds")
    for part in dict.fromkeys(case.part for case in cases):
        rows = []
        print(f"{part}")
        for case in (case for case in cases if case.part == part):
            stem = f"{case.part}-{case.name}"
            found = Match.load(scenes / f"{stem}.map.npz") if case.match else None
            mine, seconds = ours(case, found)
            others = np.load(scenes / f"{stem}.transfer.npy"), closest_inpainted(case)
            methods = (*(limited(one) for one in others), mine)
            measured = [measure(case, one) for one in methods]
            chosen = "" if case.match or is_garment(case.source, case.target) else "  (not seen as worn)"
            rows.append(measured)
            print(f"  {case.name:32}" + "".join(cells(one) for one in measured) + f"{seconds:9.2f}{chosen}", flush=True)
        mean = [{key: float(np.mean([row[m][key] for row in rows])) for key in rows[0][m]} for m in range(3)]
        print(f"  {'mean':32}" + "".join(cells(one) for one in mean))
        shares = [f"{key} {mean[2][key] / mean[0][key]:.0%}" for key in ("L1", "posed") if mean[0].get(key)]
        print(f"  of Data Transfer's: {', '.join(shares)}\n")
    print("\n".join([*armatures(cases, scenes), *poses(cases, scenes)]))
    if "animals" in arguments.only:
        print("\n".join(animals(arguments)))
    print("\n".join(speed()))


def cells(measured: dict[str, float]) -> str:
    text = f"{measured['L1']:8.4f}{measured['wrong']:8.2%}"
    text += f"{measured['side']:8.2%}" if "side" in measured else f"{'':8}"
    return text + (f"{measured['posed']:8.3f}" if "posed" in measured else f"{'':8}")


if __name__ == "__main__":
    main()
