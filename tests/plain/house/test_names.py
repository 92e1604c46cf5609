"""One name, one meaning: no class, constant or type alias of the library is defined in two modules."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from helpers.places import CORE

ALLOWED = {
    "EXTRACTOR": "the registry looks for this name in every extractor's module",
}
"""Names that may be defined in several modules, with the reason."""


def names_of(path: Path) -> Iterator[str]:
    """The classes that a module defines, and its other top-level names that are written like constants or types.

    Private names count, too, but not two underscores (``__all__``).
    """
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            yield node.name
            continue
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        for target in targets:
            for part in ast.walk(target):
                if isinstance(part, ast.Name) and part.id.lstrip("_")[:1].isupper():
                    yield part.id


def test_no_name_is_defined_twice() -> None:
    modules_of: dict[str, set[str]] = {}
    for path in sorted((CORE / "meshkin").rglob("*.py")):
        for name in names_of(path):
            modules_of.setdefault(name, set()).add(path.relative_to(CORE).as_posix())
    twice = {name: modules for name, modules in modules_of.items() if len(modules) > 1}
    assert set(twice) == set(ALLOWED), {name: twice.get(name) for name in set(twice) ^ set(ALLOWED)}
