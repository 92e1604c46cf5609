"""Reports kept in the file, so that what was done can be read later."""

from __future__ import annotations

from datetime import datetime

from ..scene import report_text
from .options import Report


def keep_report(report: Report) -> None:
    """Put a job's report, with the time, at the top of the text *MeshKin Report* in the open file."""
    title, *lines = (" ".join(line.split()) for line in report.lines())
    moment = datetime.now().strftime("%Y-%m-%d %H:%M")
    report_text.keep("\n".join([f"{moment}  {title}", *(f"    {line}" for line in lines if line)]))
