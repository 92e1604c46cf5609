"""``meshkin`` run as a process: its inputs, its JSON results and its errors."""

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

from helpers.creatures import creature, vertex_positions

WORKER = os.environ["MESHKIN_WORKER_PYTHON"]
"""A Python without bpy."""
GEOMETRIC = ("--features", "geometric")
CompletedRun = subprocess.CompletedProcess[str]


def run(*arguments: str | Path, python: str = sys.executable, **variables: str) -> CompletedRun:
    """Run ``meshkin`` with these arguments and additional environment variables."""
    command = [python, "-m", "meshkin", *map(str, arguments)]
    environment = {**os.environ, **variables}
    return subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=300, check=False)


def json_result(completed: CompletedRun) -> dict[str, Any]:
    """The one JSON object on standard output."""
    assert completed.stdout.count("\n") == 1, completed.stderr
    data: dict[str, Any] = json.loads(completed.stdout)
    return data


def check_error(completed: CompletedRun, exit_code: int, code: str) -> dict[str, str]:
    """Check that a command with --json ended with this error, for programs and for people; returns the error."""
    assert completed.returncode == exit_code, completed.stderr
    data = json_result(completed)
    assert data["ok"] is False
    error: dict[str, str] = data["error"]
    assert error["code"] == code
    assert error["message"] in completed.stderr
    assert error["fix"] in completed.stderr
    assert "Traceback" not in completed.stderr
    return error


def blob(stretch: float = 1.0, subdivisions: int = 3) -> tuple[NDArray[np.float64], list[list[int]]]:
    """Vertices and faces of a blob without symmetry."""
    obj = creature("blob", stretch, subdivisions)
    vertices = vertex_positions(obj).astype(np.float64)
    faces = [list(polygon.vertices) for polygon in obj.data.polygons]
    bpy.data.objects.remove(obj)
    return vertices, faces


def write_mesh(path: Path, vertices: NDArray[np.float64], faces: list[list[int]]) -> Path:
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


def tetrahedron(folder: Path) -> Path:
    """The smallest closed mesh there is, as a file."""
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]])
    return write_mesh(folder / "one.off", corners, [[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])


def add_object(name: str, vertices: NDArray[np.float64], faces: list[list[int]]) -> bpy.types.Object:
    """A new mesh object in the open file."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices.tolist(), [], faces)
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(obj)
    return obj
