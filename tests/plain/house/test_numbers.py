"""Every number that stands by itself says what it is and where it comes from."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path

import pytest

from helpers.places import CORE

MODULES = sorted((CORE / "meshkin").rglob("*.py"))


def is_numeric(value: ast.expr) -> bool:
    """Whether an expression holds numbers and nothing but numbers."""
    constants = [node.value for node in ast.walk(value) if isinstance(node, ast.Constant)]
    numbers = [
        constant for constant in constants if isinstance(constant, int | float) and not isinstance(constant, bool)
    ]
    return bool(numbers) and not any(isinstance(constant, str) for constant in constants)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(CORE).as_posix())
def test_numbers_are_explained(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines, body = text.splitlines(), ast.parse(text).body
    for node, following in itertools.zip_longest(body, body[1:]):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and is_numeric(node.value):
            explained = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
            explained = explained or "#" in lines[node.lineno - 1] or lines[node.lineno - 2].lstrip().startswith("#")
            assert explained, f"line {node.lineno}: {ast.unparse(node)}"
