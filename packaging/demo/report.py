"""Compare the main job's results on the demo's people with the truth.

    python report.py OUTPUT

prints the table of errors and writes it to OUTPUT/report.md. What ``pictures.py`` shows beside the results is written
to OUTPUT/.cache/truth. Runs in the worker's environment.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import skeleton
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import Match, SurfaceMap
from meshkin.geometry.mesh import surface_area, vertex_areas
from meshkin.transfer.texture.margin import dilate
from meshkin.transfer.texture.sampling import bilinear_samples
from meshkin.transfer.texture.texels import texel_map
from surface import blend, nearest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "benchmarks"))
from measures import geodesics, orientation_share, psnr, share_on_wrong_side, share_within

Array = NDArray[Any]

SAMPLES = 400
"""Number of random target vertices at which geodesic errors are measured. Chosen: enough for stable means."""
TRUTH_SIZE = 1024
"""Width and height of the true textures, pixels. Chosen."""


def main(output: Path) -> None:
    people, results, truth = (output / ".cache" / name for name in ("people", "results", "truth"))
    truth.mkdir(exist_ok=True)
    source = load(people / "source.npz")
    shape = Snapshot.load(results / "source.npz")
    texture = np.asarray(Image.open(people / "texture.png"), np.float32)[..., :3] / np.float32(255)
    run = json.loads((results / "run.json").read_text())
    columns: dict[str, dict[str, str]] = {}
    errors: dict[str, Any] = {}
    for name in (people / "targets.txt").read_text().split():
        say(f"Measuring {name}")
        columns[name], errors[name] = measure(
            name, load(people / f"{name}.npz"), source, shape, texture, results, truth
        )
    np.savez(truth / "errors.npz", **errors)
    text = markdown(columns, run)
    (output / "report.md").write_text(text, encoding="utf-8")
    print(text)


def measure(
    name: str, data: dict[str, Any], source: dict[str, Any], shape: Snapshot, texture: Array, results: Path, truth: Path
) -> tuple[dict[str, str], Array]:
    """Return a column of the table, and each vertex's straight-line error on the undeformed source in the same unit."""
    match = Match.load(results / f"{name}.map.npz")
    target = Snapshot.load(results / f"{name}.npz")
    corners, shares = data["truth_vertices"], data["truth_shares"]
    # The snapshots have the vertices of the demo's own meshes: nothing splits or merges them.
    assert len(shape.vertices) == len(source["vertices"])
    assert len(target.vertices) == len(corners)
    true_vertex = corners[np.arange(len(corners)), shares.argmax(axis=1)]
    samples = np.random.default_rng(0).permutation(len(true_vertex))[:SAMPLES]
    true_samples = true_vertex[samples]
    mirror_samples = source["mirror"][true_samples]
    distances = geodesics(shape.vertices, shape.faces, match.to_source.vertex[samples])
    error, mirror_error, apart = (np.full(len(true_vertex), np.nan, np.float32) for _ in range(3))
    rows = np.arange(len(samples))
    error[samples], mirror_error[samples] = distances[rows, true_samples], distances[rows, mirror_samples]
    apart[samples] = geodesics(shape.vertices, shape.faces, true_samples)[rows, mirror_samples]
    confidence = match.to_source.confidence[samples]
    confident = confidence >= np.median(confidence)

    surfaces = (target.faces, source["vertices"], shape.faces)
    _, barycentric, face = nearest(
        blend(source["vertices"], corners, shares), source["vertices"], shape.faces.astype(np.int64)
    )
    certain = np.ones(len(true_vertex), np.float32)
    true_map = SurfaceMap(face.astype(np.int32), barycentric.astype(np.float32), true_vertex.astype(np.int32), certain)
    kept, true_kept = (orientation_share(surface_map, *surfaces) for surface_map in (match.to_source, true_map))

    weights, true_weights = np.load(results / f"{name}.weights.npy"), data["weights"]
    bones, displacement = data["bones"], np.linalg.norm(data["acting"] - data["vertices"], axis=1)
    acting = skeleton.pose(data["parents"], bones, data["local"])
    acting[:, :3, 3] += data["shift"]
    weighted = weights.sum(axis=1) > 0
    skinned = skeleton.skin(target.vertices.astype(np.float64), weights, bones, acting)
    posed_error = np.linalg.norm(skinned - data["acting"], axis=1)

    true_texture = bake(target, corners, shares, source, shape, texture)
    Image.fromarray(np.round(true_texture[0] * 255).astype(np.uint8)).save(truth / f"{name}.png")
    baked = np.asarray(Image.open(results / f"{name}.png").convert("RGB"), np.float32) / np.float32(255)
    point_uvs, seen = texel_centers(TRUTH_SIZE), true_texture[1]
    resampled = bilinear_samples(baked, point_uvs).reshape(TRUTH_SIZE, TRUTH_SIZE, -1)[..., :3]
    parts = np.abs(np.load(results / f"{name}.parts.npy") - true_weights @ source["palette"]).mean()
    area = vertex_areas(target.vertices, target.faces)
    weight_error = np.abs(weights - true_weights).sum(axis=1)
    strongest = weights.argmax(axis=1)
    column = {
        "vertices, faces": f"{len(data['vertices']):,}, {len(data['faces']):,}",
        "mean geodesic error (x100)": f"{np.nanmean(error):.1f}",
        "median geodesic error (x100)": f"{np.nanmedian(error):.1f}",
        "within 5": f"{share_within(error):.0%}",
        "on the wrong side": f"{share_on_wrong_side(error, mirror_error, apart):.1%}",
        "triangles that keep their orientation": f"{kept:.0%} (true map: {true_kept:.0%})",
        "mean error, half with higher confidence": f"{error[samples][confident].mean():.1f}",
        "mean error, half with lower confidence": f"{error[samples][~confident].mean():.1f}",
        "texture, PSNR to the true one": f"{psnr(resampled, true_texture[0], seen):.1f} dB",
        "weights, mean L1 distance (0 to 2)": f"{np.average(weight_error, weights=area):.2f}",
        "strongest bone correct": f"{np.average(strongest == true_weights.argmax(axis=1), weights=area):.0%}",
        "posed with them, mean error": f"{100 * np.average(posed_error, weights=area):.2f} cm",
        "posed with them, worst 5 %": f"over {100 * np.percentile(posed_error, 95):.1f} cm",
        "the pose moves the vertices by": f"{100 * np.average(displacement, weights=area):.0f} cm",
        "vertices without weights": f"{(~weighted).mean():.1%}",
        "color attribute, mean difference (0 to 1)": f"{parts:.3f}",
    }
    straight = np.linalg.norm(
        match.to_source.pull(source["vertices"], match.source_faces) - blend(source["vertices"], corners, shares),
        axis=1,
    )
    return column, straight * 100 / np.sqrt(surface_area(source["vertices"], shape.faces))


def bake(
    target: Snapshot, corners: Array, shares: Array, source: dict[str, Any], shape: Snapshot, texture: Array
) -> tuple[Array, Array]:
    """Return the true texture of the target, and which texels show the surface.

    A texel's point on the source is the point of the undeformed source nearest to the interpolated points of the
    texel's triangle.
    """
    assert shape.uvs is not None
    assert target.uvs is not None
    texels = texel_map(target.uvs, TRUTH_SIZE)
    covered = texels.covered
    source_points = blend(source["vertices"], corners, shares)
    texel_corners = target.faces[texels.face[covered]]
    on_source = blend(source_points, texel_corners, texels.barycentric[covered].astype(np.float64))
    _, barycentric, face = nearest(on_source, source["vertices"], shape.faces.astype(np.int64))
    uvs = np.einsum("pk,pkd->pd", barycentric, shape.uvs[face])
    pixels = np.zeros((TRUTH_SIZE, TRUTH_SIZE, 3), np.float32)
    pixels[covered] = bilinear_samples(texture, uvs)[:, :3]
    dilate(pixels, covered, 8)
    return pixels, covered


def texel_centers(size: int) -> Array:
    """Return the UVs of all texel centers of a square image, (size * size, 2)."""
    row, column = np.mgrid[:size, :size]
    return np.stack(((column + 0.5) / size, 1 - (row + 0.5) / size), axis=-1).reshape(-1, 2)


def markdown(columns: dict[str, dict[str, str]], run: dict[str, Any]) -> str:
    """Return the report."""
    names = list(columns)
    lines = [
        "# From one woman to two men",
        "",
        "How far the main job's results are from the truth, which is known for parametric people. Geodesic errors",
        "are distances on the source in hundredths of the square root of its area.",
        "",
        f"| | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
    ]
    for row in columns[names[0]]:
        lines.append(f"| {row} | {' | '.join(columns[name][row] for name in names)} |")
    stages = list(dict.fromkeys(stage for seconds in run["seconds"].values() for stage in seconds))
    lines += ["", f"| seconds | {' | '.join(stages)} |", f"|---|{'---|' * len(stages)}"]
    for person, seconds in run["seconds"].items():
        cells = (f"{seconds[stage]:.1f}" if stage in seconds else "" for stage in stages)
        lines.append(f"| {person} | {' | '.join(cells)} |")
    memory = f", worker’s peak memory {run['worker_memory'] / 1e9:.1f} GB" if run.get("worker_memory") else ""
    lines += ["", f"{run['cores']} cores, Blender {run['blender']}, features “{run['features']}”{memory}."]
    lines += ["A repeated run reads features and maps from MeshKin’s cache.", ""]
    return "\n".join(lines)


def load(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
