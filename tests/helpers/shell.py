"""``meshkin`` run as a process, its answers, and what it is given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from helpers.creatures import creature, places

WORKER = os.environ["MESHKIN_WORKER_PYTHON"]
"""A Python without bpy."""
GEOMETRIC = ("--features", "geometric")
Ran = subprocess.CompletedProcess[str]


def run(*arguments: str | Path, python: str = sys.executable, **variables: str) -> Ran:
    """Run ``meshkin`` with these arguments, and with these environment variables besides."""
    command = [python, "-m", "meshkin", *map(str, arguments)]
    environment = {**os.environ, **variables}
    return subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=300, check=False)


def answer(ran: Ran) -> dict[str, Any]:
    """The one JSON object on standard output."""
    assert ran.stdout.count("\n") == 1, ran.stderr
    data: dict[str, Any] = json.loads(ran.stdout)
    return data


def refused(ran: Ran, exit_code: int, code: str) -> dict[str, str]:
    """The error that a command with --json ended with, told to programs and to people."""
    assert ran.returncode == exit_code, ran.stderr
    data = answer(ran)
    assert data["ok"] is False
    error: dict[str, str] = data["error"]
    assert error["code"] == code
    assert error["message"] in ran.stderr
    assert error["fix"] in ran.stderr
    assert "Traceback" not in ran.stderr
    return error


def blob(stretch: float = 1.0, subdivisions: int = 3) -> tuple[NDArray[np.float64], list[list[int]]]:
    """Vertices and faces of a lopsided blob with no symmetry."""
    obj = creature("blob", stretch, subdivisions)
    surface = places(obj).astype(np.float64), [list(polygon.vertices) for polygon in obj.data.polygons]
    bpy.data.objects.remove(obj)
    return surface


def write(path: Path, vertices: NDArray[np.float64], faces: list[list[int]]) -> Path:
    """Write an .off, .obj or .ply file as text."""
    points = [" ".join(f"{value:.6f}" for value in row) for row in vertices.tolist()]
    polygons = [f"{len(face)} {' '.join(map(str, face))}" for face in faces]
    if path.suffix == ".off":
        lines = ["OFF", f"{len(points)} {len(faces)} 0", *points, *polygons]
    elif path.suffix == ".obj":
        lines = [f"v {point}" for point in points] + ["f " + " ".join(str(i + 1) for i in face) for face in faces]
    else:
        lines = ["ply", "format ascii 1.0", f"element vertex {len(points)}"]
        lines += [f"property float {axis}" for axis in "xyz"]
        lines += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header"]
        lines += points + polygons
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return path


def add(name: str, vertices: NDArray[np.float64], faces: list[list[int]]) -> bpy.types.Object:
    """An object of the open file."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices.tolist(), [], faces)
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(obj)
    return obj
