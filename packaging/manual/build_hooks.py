"""What MkDocs does beside reading the pages: the list of panels, of errors and of arguments is made while it builds."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "core")]
import error_page
from meshkin import cli

PANELS = "panels"
"""What stands in the list of pages for all pages about panels."""
WIDTH = 100
"""Characters of a line of the commands' help. Chosen: fits the page."""


def on_config(config: Any, **_: Any) -> Any:
    """MkDocs' event of its settings: list the pages about panels, as many as there are."""
    pages = sorted(path.name for path in (HERE / "pages" / PANELS).glob("*.md"))
    first = [name for name in ("main.md", "preferences.md") if name in pages]
    ordered = [f"{PANELS}/{name}" for name in [*first, *(name for name in pages if name not in first)]]
    entries = [item for entry in config["nav"] for item in entry.items()]
    config["nav"] = [{title: ordered if page == PANELS else page} for title, page in entries]
    return config


def on_page_markdown(markdown: str, **_: Any) -> str:
    """MkDocs' event of a page: put what is made here where its mark is."""
    for mark, written in (("<!-- errors -->", error_page.written), ("<!-- arguments -->", arguments)):
        if mark in markdown:
            markdown = markdown.replace(mark, written())
    return markdown


def arguments() -> str:
    """Return the help of each command as Markdown."""
    lines: list[str] = []
    for name, parser in commands(cli.parser()):
        parser.formatter_class = lambda prog: argparse.HelpFormatter(prog, width=WIDTH)
        lines += [f"### {name}", "", "```text", parser.format_help().rstrip(), "```", ""]
    return "\n".join(lines)


def commands(parser: argparse.ArgumentParser) -> list[tuple[str, argparse.ArgumentParser]]:
    """Return every command below a parser with its name, such as “cache clear”."""
    found: list[tuple[str, argparse.ArgumentParser]] = []
    for action in parser._actions:
        for name, inner in (action.choices or {}).items() if isinstance(action, argparse._SubParsersAction) else ():
            deeper = commands(inner)
            found += [(f"{name} {more}", one) for more, one in deeper] or [(name, inner)]
    return found
