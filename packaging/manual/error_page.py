"""The manual's list of errors and warnings by their codes, read from the library's source while the manual is built.

What an error says is put together from where it is raised; names and numbers that are known only then become
an ellipsis.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "core"
sys.path.insert(0, str(CORE))
from meshkin.base import errors

UNKNOWN = "…"
WARNING = "ResultWarning"
CLASSES = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, errors.MeshKinError)]
TITLES = {
    "InputError": "What a Mesh, Image, File or Option Is Refused For",
    "OptionError": "Options",
    "ModelError": "Models",
    "WorkerError": "The Worker and Blender",
    "StorageError": "Files and Folders",
    "MeshKinError": "Other Errors",
    "Cancelled": "Cancelled Jobs",
    WARNING: "Warnings",
}
"""Headings of the classes of errors, in the order of the page."""
MAKERS = {"failure": "WorkerError", "_warning": WARNING}
"""Functions that make errors and warnings of a code, and of which class."""
FIXES = {
    "cancelled": "Start the job again; what was finished is taken from the cache.",
    "environment-failed": "Read the end of the log, which the message names; remove what it says, then try again.",
    "file-damaged": "Compute or match again: the cache makes damaged files anew. Copy other files again.",
    "file-failed": "Check that the disk has space and that you may write there.",
    "model-download-failed": "Check the connection and try again. Without one, see [Models](models.md).",
    "pip-failed": "Check the connection and try again. Behind a proxy set HTTPS_PROXY (or PIP_PROXY), behind a "
    "company's certificate set SSL_CERT_FILE (or PIP_CERT) to the file with it. The message names the whole log.",
    "unexpected": "Report it, with the lines above it in Blender's console or the terminal.",
    "worker-died": "Start the job again. If it dies again, use fewer or smaller views, and report the log it names.",
    "worker-silent": "Start the job again, and report the log that the message names.",
    "worker-start-failed": "Set up the worker anew (*Set Up MeshKin*, or `meshkin worker setup`).",
    "armature-copied": "Move its joints by hand, or match again with point pairs.",
    "armatures-left-out": "Show only the Armature modifier that is meant, and transfer again.",
    "bones-copied": "Move their joints by hand, or match again with point pairs.",
    "inpainting-unsolved": "Mend the mesh there (*Mesh > Clean Up*), or smooth the weights by hand.",
    "bones-doubtful": "Look at their joints in Edit Mode of the new armature; move by hand those that are wrong.",
    "joints-outside": "Move these joints by hand in Edit Mode of the new armature.",
    "mostly-inpainted": "Try *Method: Features* in the redo panel, or give point pairs.",
    "surface-folded": "Look at the shape key; a point pair or a smaller value helps.",
    "texture-filled": "Look at the mask image; a lower *Threshold* copies more.",
    "texture-torn": "Look there; point pairs or *Smooth Map* help.",
    "tiles-missing": "Add the tile to the source's image, or keep what was filled in.",
    "unlike-bodies": "Pose the target; move wrong joints in Edit Mode of its armature, smooth the weights there.",
    "uvs-overlap": "Make a UV map without overlaps for colors of their own.",
}
"""What to do, by code: where the sentences do not say so, or say it only with what a run knows."""
LOOK = "Look at the match (*Same Color*, *Confidence*); flip it, or give a point pair where it is wrong."
"""What to do about a warning that does not say so itself."""
REPORT = "Check what the message names, then try again."
"""What to do about an error of which nothing more is known here."""


@dataclass
class Entry:
    """What is known about one code: its class's name, and (cause, fix) wherever it is raised."""

    kind: str
    causes: list[tuple[str, str]] = field(default_factory=list)


class Source:
    """One module's tree, to look up what names in it stand for."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.constants = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        self.functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def written() -> str:
    """Return the list of all codes as Markdown."""
    entries = collected()
    lines: list[str] = []
    for kind, title in TITLES.items():
        codes = sorted(code for code, entry in entries.items() if entry.kind == kind)
        if not codes:
            continue
        lines += [f"## {title}", ""]
        if kind != WARNING:
            lines += [f"Exit code of the command line: {getattr(errors, kind).exit_code}.", ""]
        for code in codes:
            lines += [f"### {code}", ""]
            lines += [f"- {cause} **Fix:** {fix}" for cause, fix in entries[code].causes]
            lines += [""]
    return "\n".join(lines)


@cache
def sources() -> tuple[Source, ...]:
    """Return all modules of the library and the add-on."""
    files = sorted(CORE.rglob("*.py")) + sorted((ROOT / "blender_addon").rglob("*.py"))
    return tuple(Source(ast.parse(path.read_text(encoding="utf-8"))) for path in files)


def collected() -> dict[str, Entry]:
    """Return every code that is raised or warned of, with its causes and fixes."""
    kinds = {**{cls.__name__: cls.__name__ for cls in CLASSES}, WARNING: WARNING, **MAKERS}
    entries = {"cancelled": Entry("Cancelled", [("You stopped the job.", FIXES["cancelled"])])}
    for source in sources():
        for function, call in calls(source.tree, None):
            kind = kinds.get(call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", ""))
            if kind is None or not call.args or not isinstance(call.args[0], ast.Constant):
                continue
            code = str(call.args[0].value)
            entry = entries.setdefault(code, Entry(kind))
            if entry.kind == WARNING != kind:
                entry.kind = kind  # an error, too, that is a warning where much else is transferred
            for cause, fix in said(call, source, function):
                known = FIXES.get(code) or (fix if fix.strip(f"{UNKNOWN}. ") else "")
                said_now = tidy(cause) if cause.strip(f"{UNKNOWN}. ") else "The message says what."
                told = (said_now, tidy(known or (LOOK if kind == WARNING else REPORT)))
                if told not in entry.causes:
                    entry.causes.append(told)
    return entries


def tidy(text: str) -> str:
    """Return a text on one line, with one ellipsis for what only a run can tell."""
    joined = re.sub(rf"{UNKNOWN}[{UNKNOWN}\s]*{UNKNOWN}", UNKNOWN, " ".join(text.split()))
    return joined.replace(f"{UNKNOWN}.", UNKNOWN).replace("<", "&lt;")


def calls(node: ast.AST, function: ast.FunctionDef | None) -> Iterator[tuple[ast.FunctionDef | None, ast.Call]]:
    """Yield every call below a node with the function that it stands in."""
    for child in ast.iter_child_nodes(node):
        inner = child if isinstance(child, ast.FunctionDef) else function
        if isinstance(child, ast.Call):
            yield inner, child
        yield from calls(child, inner)


def said(call: ast.Call, source: Source, function: ast.FunctionDef | None) -> list[tuple[str, str]]:
    """Return the (cause, fix) that a call gives an error; several where it depends."""
    given = call.args[1:]
    if given and isinstance(given[0], ast.Starred) and isinstance(given[0].value, ast.Call):
        called = source.functions.get(getattr(given[0].value.func, "id", ""))
        returned = [node.value for node in ast.walk(called) if isinstance(node, ast.Return)] if called else []
        return [
            (texts(node.elts[0], source, called)[0], texts(node.elts[1], source, called)[0])
            for node in returned
            if isinstance(node, ast.Tuple)
        ]
    causes = texts(given[0], source, function) if given else [UNKNOWN]
    fixes = texts(given[1], source, function) if len(given) > 1 else [""]
    return [(cause, " ".join(fixes) if len(causes) == 1 else fix) for cause in causes for fix in fixes[: len(causes)]]


def texts(node: ast.expr, source: Source, function: ast.FunctionDef | None) -> list[str]:
    """Return what an expression can be as text; :data:`UNKNOWN` for what only a run can tell."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.JoinedStr):
        parts = [str(part.value) if isinstance(part, ast.Constant) else UNKNOWN for part in node.values]
        return ["".join(parts)]
    if isinstance(node, ast.IfExp):
        return [*texts(node.body, source, function), *texts(node.orelse, source, function)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = texts(node.left, source, function), texts(node.right, source, function)
        return [one + other for one in left for other in right]
    if isinstance(node, ast.Name | ast.Attribute):
        return named(node.id if isinstance(node, ast.Name) else node.attr, node.lineno, source, function) or [UNKNOWN]
    return [UNKNOWN]


def named(name: str, line: int, source: Source, function: ast.FunctionDef | None) -> list[str]:
    """Return what a name stands for: before a line of its function, in its module, or as another module's constant."""
    assigned = [
        node
        for node in ast.walk(function or source.tree)
        if function and isinstance(node, ast.Assign) and node.lineno < line
        if any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
    ]
    if assigned:
        return texts(max(assigned, key=lambda node: node.lineno).value, source, None)
    for other in (source, *sources()) if name.isupper() else ():
        if name in other.constants:
            return texts(other.constants[name], other, None)
    return []
