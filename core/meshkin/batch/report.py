"""What came of a batch, for people: one HTML page and one CSV table, what needs a look first at the top."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..base.json_data import Json
from ..base.storage import write_file
from . import records
from .plan import REPORT_NAME
from .records import Record

COLUMNS = (
    *("rank", "target", "source", "item", "state", "exit_code", "written", "confidence", "doubtful_places"),
    *("warnings", "left_out", "error", "seconds", "machine", "output"),
)
"""Of the CSV table."""
_RANK = {"failed": 0, "blocked": 1, "waiting": 2, "done": 3}
"""Which states need a person first."""
_SILENT = ("features",)
"""Commands that are listed only if they did not go well: nobody looks at what they write."""
_PICTURES = ("source", "before", "after")
"""A row's pictures, from left to right."""


@dataclass(frozen=True)
class Row:
    """One item as the report shows it.

    Attributes:
        record: of the item.
        written: what it wrote, in words.
        confidence: of its match, in [0, 1]; None for none.
        places: how many doubtful places its match has.
        warnings: their sentences.
        left_out: what was asked for and not written, with the codes of the reasons.
    """

    record: Record
    written: str
    confidence: float | None
    places: int
    warnings: tuple[str, ...]
    left_out: tuple[str, ...]

    @property
    def urgency(self) -> tuple[int, int, int, float, int]:
        """Smaller for what needs a look before others."""
        confidence = 1.0 if self.confidence is None else self.confidence
        return _RANK[self.record.state], -len(self.warnings), -len(self.left_out), confidence, -self.places


def rows(found: Sequence[Record]) -> list[Row]:
    """The rows of the report, what needs a person's eye first at the top."""
    shown = [record for record in found if record.verb not in _SILENT or record.state in ("failed", "waiting")]
    return sorted((_row(record) for record in shown), key=lambda row: row.urgency)


def _row(record: Record) -> Row:
    answer = record.answer
    confidence = answer.get("confidence")
    mean = confidence if isinstance(confidence, int | float) else None
    if isinstance(confidence, dict):  # of a set: the worst of its maps
        mean = min((each for each in confidence.values() if isinstance(each, int | float)), default=None)
    written = [str(each) for each in _entries(answer.get("written"))]
    left_out = answer.get("left_out")
    return Row(
        record,
        ", ".join(written) or (str(answer.get("title", "")) if record.state == "done" else ""),
        mean,
        len(_entries(answer.get("doubtful_places"))),
        tuple(str(each.get("message", "")) for each in _entries(answer.get("warnings")) if isinstance(each, dict)),
        tuple(f"{name} ({code})" for name, code in left_out.items()) if isinstance(left_out, dict) else (),
    )


def _entries(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def write_csv(folder: Path, listed: Sequence[Row]) -> Path:
    """Write the table; returns its path. Raises StorageError."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for rank, row in enumerate(listed, 1):
        record = row.record
        table.writerow(
            [
                *(rank, record.target, record.source, record.id, record.state, record.exit_code, row.written),
                "" if row.confidence is None else f"{row.confidence:.3f}",
                *(row.places, " ".join(row.warnings), ", ".join(row.left_out)),
                *(records.error_text(record), record.seconds, record.machine, record.output),
            ]
        )
    path = folder / f"{REPORT_NAME}.csv"
    write_file(path, lambda file: file.write_text(text.getvalue(), encoding="utf-8"))
    return path


def write_html(folder: Path, manifest: Path, listed: Sequence[Row], pictures: Mapping[str, Mapping[str, Path]]) -> Path:
    """Write the page; returns its path. Raises StorageError.

    Args:
        folder: the batch's.
        manifest: what was done.
        listed: the rows, in order.
        pictures: by an item's ID, and by what they show (source, before, after).
    """
    counts = {state: sum(row.record.state == state for row in listed) for state in _RANK}
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    warned = sum(bool(row.warnings) for row in listed if row.record.state == "done")
    seconds = sum(row.record.seconds for row in listed)
    body = "\n".join(_html_row(row, folder, pictures.get(row.record.id, {})) for row in listed)
    page = _PAGE.format(
        title=html.escape(manifest.name),
        summary=html.escape(f"{told or 'Nothing to show'}; {warned} with warnings; {seconds:,.0f} s of work."),
        body=body,
    )
    path = folder / f"{REPORT_NAME}.html"
    write_file(path, lambda file: file.write_text(page, encoding="utf-8"))
    return path


def _html_row(row: Row, folder: Path, pictures: Mapping[str, Path]) -> str:
    record = row.record
    shown = "".join(
        f'<figure><img loading="lazy" src="{html.escape(_link(pictures[name], folder))}" alt="{name}">'
        f"<figcaption>{name}</figcaption></figure>"
        for name in _PICTURES
        if name in pictures
    )
    confidence = "" if row.confidence is None else f"{row.confidence:.0%}"
    notes = [f"<li class=error>{html.escape(text)}</li>" for text in [records.error_text(record)] if text]
    notes += [f"<li class=warning>{html.escape(text)}</li>" for text in row.warnings]
    notes += [f"<li>Not written: {html.escape(text)}</li>" for text in row.left_out]
    notes += [f"<li>{row.places} doubtful places</li>"] if row.places else []
    output = html.escape(_link(record.output, folder))
    link = f'<a href="{output}">{output}</a>' if record.is_finished else ""
    log = f'<a href="{html.escape(record.id)}.log">log</a>' if records.log_file(folder, record.id).exists() else ""
    return (
        f'<tr class="{record.state}"><td>{shown}</td>'
        f"<td><b>{html.escape(record.target or record.id)}</b><br>{html.escape(record.source)}</td>"
        f"<td>{html.escape(record.verb)}<br>{record.state}<br>{log}</td><td>{html.escape(row.written)}<br>{link}</td>"
        f"<td>{confidence}</td><td><ul>{''.join(notes)}</ul></td><td>{record.seconds:.1f} s</td></tr>"
    )


def _link(path: Path, folder: Path) -> str:
    """A path as the page in the batch's folder names it."""
    inside = path.resolve()
    return (inside.relative_to(folder.resolve()) if inside.is_relative_to(folder.resolve()) else inside).as_posix()


_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 14px/1.4 system-ui, sans-serif; margin: 2em; background: #202020; color: #ddd; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; vertical-align: top; padding: .5em .8em; border-top: 1px solid #444; }}
figure {{ display: inline-block; margin: 0 .4em 0 0; }}
figcaption {{ font-size: 11px; color: #999; text-align: center; }}
td:first-child {{ white-space: nowrap; }}
img {{ width: 120px; height: 120px; }}
ul {{ margin: 0; padding-left: 1.1em; }}
a {{ color: #8ab4f8; }}
tr.failed, tr.blocked {{ background: #3a2020; }}
.error {{ color: #ff8a80; }}
.warning {{ color: #ffd180; }}
</style></head><body>
<h1>{title}</h1>
<p>{summary} What needs a look first is at the top.</p>
<table>
<tr><th></th><th>Target, source</th><th>Command</th><th>Written</th><th>Confidence</th><th>Doubts</th><th>Time</th></tr>
{body}
</table></body></html>
"""
