"""How long things may be before they need a reason beside them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.places import CORE, ROOT

LINES = 60
"""Of a function, its docstring among them."""
PARAMETERS = 7
"""Of a function, without ``self``."""
MODULE_LINES = 400
MODULES = sorted((CORE / "meshkin").rglob("*.py"))
ADDON = sorted((ROOT / "blender_addon").rglob("*.py"))


def functions(path: Path) -> Iterator[tuple[ast.FunctionDef, list[str]]]:
    """Every function of a module, and the module's lines."""
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            yield node, text.splitlines()


def has_reason(node: ast.FunctionDef, lines: list[str]) -> bool:
    """Whether a comment stands beside the function's name, or right above it."""
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return "#" in lines[node.lineno - 1] or (first > 1 and lines[first - 2].lstrip().startswith("#"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(CORE).as_posix())
def test_functions_are_short_and_take_little(path: Path) -> None:
    for node, lines in functions(path):
        taken = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        count = len([argument for argument in taken if argument.arg not in ("self", "cls")])
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > LINES or count > PARAMETERS:
            assert has_reason(node, lines), f"{node.name}: {length} lines, {count} parameters, and no reason beside it"


@pytest.mark.parametrize("path", [*MODULES, *ADDON], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_modules_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MODULE_LINES
