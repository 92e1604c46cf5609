"""The arrows of the house: every import of the library, the add-on and the tests, read as text.

Imports inside functions and under TYPE_CHECKING count like any other, except where a test says otherwise.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from helpers.places import CORE, ROOT, TESTS

FLOORS = (
    "base",
    "data",
    "geometry",
    "spectral",
    "models",
    "cache",
    "symmetry",
    "families",
    "pictures",
    "features",
    "matching",
    "parts",
    "transfer",
    "paint",
    "dataset",
    "video",
    "scene",
    "worker",
    "workflow",
    "batch",
    "cli",
)
"""The rooms of the library from the ground up: each imports from itself and from those before it only."""
WITHOUT_SCENE = {"transfer", "dataset", "worker", "batch"}
"""Rooms above or beside ``scene`` that work on arrays and must not know of it."""
INSIDE_BLENDER = {"scene", "worker", "workflow", "batch", "cli"}
"""Rooms that Blender loads, which ships none of :data:`HEAVY`."""
WORKER_ALONE = ("meshkin.worker.jobs", "meshkin.worker.server", "meshkin.worker.__main__")
"""What of the room ``worker`` runs in the worker's process only."""
HEAVY = {
    "torch",
    "scipy",
    "igl",
    "transformers",
    "diffusers",
    "safetensors",
    "PIL",
    "xatlas",
    "robust_laplacian",
    "potpourri3d",
}
BLENDER = {"bpy", "bmesh", "mathutils", "gpu", "gpu_extras", "bpy_extras", "addon_utils"}


def modules_of(folder: Path) -> dict[str, Path]:
    """Every module of a package by its dotted name."""
    modules = {}
    for path in sorted(folder.rglob("*.py")):
        parts = [folder.name, *path.relative_to(folder).with_suffix("").parts]
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


LIBRARY = modules_of(CORE / "meshkin")
ADDON = modules_of(ROOT / "blender_addon")
EVERYTHING = LIBRARY | ADDON


@cache
def imports_of(name: str, path: Path, at_once: bool = False) -> frozenset[str]:
    """The dotted names that a module imports; only what is imported when it is loaded if ``at_once``."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    found = set()
    for node in _nodes(ast.parse(path.read_text(encoding="utf-8")), at_once):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            inner = {f"{module}.{alias.name}" for alias in node.names}
            found |= {one if one in EVERYTHING else module for one in inner}
    return frozenset(found)


def _nodes(tree: ast.AST, at_once: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        later = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        later = later or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        if not (at_once and later):
            yield node
            yield from _nodes(node, at_once)


def room(name: str) -> str:
    """The room of a library module; "" for the package itself, its entry, and modules of others."""
    parts = name.split(".")
    return parts[1] if parts[0] == "meshkin" and len(parts) > 1 and parts[1] in FLOORS else ""


def worker_alone(name: str) -> bool:
    """Whether only the worker's process loads a module."""
    return any(f"{name}.".startswith(f"{other}.") for other in WORKER_ALONE)


def libraries(imports: frozenset[str]) -> set[str]:
    """The top-level packages among imported names."""
    return {name.split(".")[0] for name in imports}


def test_every_module_has_a_room() -> None:
    assert {name for name in LIBRARY if not room(name)} == {"meshkin", "meshkin.__main__"}


@pytest.mark.parametrize("name", sorted(name for name in LIBRARY if room(name)))
def test_no_arrow_runs_back_up(name: str) -> None:
    here = room(name)
    allowed = set(FLOORS[: FLOORS.index(here) + 1]) - ({"scene"} if here in WITHOUT_SCENE else set())
    assert {other for other in imports_of(name, LIBRARY[name]) if room(other) and room(other) not in allowed} == set()


@pytest.mark.parametrize("name", sorted(name for name in LIBRARY if name.startswith("meshkin.transfer.")))
def test_what_is_transferred_does_not_know_of_what_else_is(name: str) -> None:
    rooms = ("texture", "weights", "rig", "attributes")
    here = name.split(".")[2]
    for other in imports_of(name, LIBRARY[name]):
        parts = other.split(".")
        if parts[:2] == ["meshkin", "transfer"] and len(parts) > 2 and parts[2] in rooms:
            assert parts[2] == here, f"{name} imports {other}"


def test_no_circles() -> None:
    arrows = {name: imports_of(name, path) & EVERYTHING.keys() - {name} for name, path in EVERYTHING.items()}
    done = {"meshkin"}  # hands on names of rooms below the modules that ask it for the version

    def walk(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join([*trail[trail.index(name) :], name])
        if name not in done:
            for other in sorted(arrows[name]):
                walk(other, (*trail, name))
            done.add(name)

    for name in sorted(arrows):
        walk(name, ())


@pytest.mark.parametrize("name", sorted(name for name in LIBRARY if room(name) != "scene"))
def test_blender_is_touched_in_its_own_rooms_only(name: str) -> None:
    assert not libraries(imports_of(name, LIBRARY[name])) & BLENDER


@pytest.mark.parametrize(
    "name", sorted(ADDON) + sorted(name for name in LIBRARY if room(name) in INSIDE_BLENDER if not worker_alone(name))
)
def test_blender_loads_nothing_that_it_does_not_ship(name: str) -> None:
    """Neither by these modules themselves nor by any that their imports load."""
    assert not libraries(imports_of(name, EVERYTHING[name])) & HEAVY
    for other in loaded_by(name):
        heavy = libraries(imports_of(other, EVERYTHING[other], at_once=True)) & HEAVY
        assert not heavy, f"{name} loads {other}, which imports {', '.join(heavy)}"


def loaded_by(name: str) -> set[str]:
    """The modules that are loaded once all imports of a module have run, with the packages that they lie in."""
    loaded: set[str] = set()
    waiting = sorted(imports_of(name, EVERYTHING[name]) & EVERYTHING.keys())
    while waiting:
        parts = waiting.pop().split(".")
        for module in (".".join(parts[:length]) for length in range(1, len(parts) + 1)):
            if module in EVERYTHING and module not in loaded and not worker_alone(module):
                loaded.add(module)
                waiting += imports_of(module, EVERYTHING[module], at_once=True) & EVERYTHING.keys()
    return loaded


def test_no_test_imports_another() -> None:
    for path in sorted(TESTS.rglob("*.py")):
        others = {name for name in imports_of("tests", path) if name.rpartition(".")[2].startswith("test_")}
        assert not others, f"{path.relative_to(ROOT)} imports {', '.join(others)}"
