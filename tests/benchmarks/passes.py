"""Time of the passes: 24 views at 512 x 512 of a mesh of 30,000 vertices, on each path that works here.

Run it with a bpy environment's Python (or ``blender -b --python``) and ``core`` on the path.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace

import bpy
import numpy as np
from numpy.typing import NDArray

from meshkin.data.snapshot import Snapshot
from meshkin.data.views import fibonacci_directions, frame
from meshkin.scene.render import passes

VIEWS, RESOLUTION, RUNS = 24, 512, 5


def wavy_ball(rows: int, columns: int) -> Snapshot:
    """A closed surface with bumps, rows x columns vertices, smooth."""
    polar, azimuth = np.meshgrid(
        (np.arange(rows) + 0.5) / rows * np.pi, np.arange(columns) / columns * 2 * np.pi, indexing="ij"
    )
    radius = 1 + 0.2 * np.sin(5 * polar) * np.cos(4 * azimuth)
    flat = radius * np.sin(polar)
    grid = np.stack((flat * np.cos(azimuth), 0.6 * flat * np.sin(azimuth), 1.5 * radius * np.cos(polar)), axis=-1)
    vertices: NDArray[np.float32] = grid.reshape(-1, 3).astype(np.float32)
    index = np.arange(len(vertices), dtype=np.int32).reshape(rows, columns)
    a, b, c, d = index[:-1], index[1:], np.roll(index, -1, 1)[1:], np.roll(index, -1, 1)[:-1]
    faces = np.stack((a, b, c, a, c, d), axis=-1).reshape(-1, 3)
    normals = (vertices / np.linalg.norm(vertices, axis=1, keepdims=True))[faces]
    return replace(Snapshot.from_arrays(vertices, faces, "ball"), normals=normals)


def main() -> None:
    """Print one line for each path."""
    mesh = wavy_ball(150, 200)
    views = frame(mesh.vertices, fibonacci_directions(VIEWS), RESOLUTION)
    size = f"{VIEWS} views, {RESOLUTION} px, {len(mesh.vertices):,} vertices, {len(mesh.faces):,} triangles"
    print(f"Blender {bpy.app.version_string}, {os.cpu_count()} cores: {size}")
    for path in passes.available_renderers():
        walls, processors = [], []
        for _ in range(RUNS):
            wall, processor = time.perf_counter(), time.process_time()
            list(passes.render(mesh, views, path))
            walls.append(time.perf_counter() - wall)
            processors.append(time.process_time() - processor)
        print(
            f"  {path:6}  best of {RUNS}: {min(walls):5.2f} s, {min(walls) / VIEWS:.3f} s a view; median"
            f" {sorted(walls)[RUNS // 2]:5.2f} s; processor time of all threads {min(processors):5.2f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # bpy 4.5 can hang when the interpreter exits
