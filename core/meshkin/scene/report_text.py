"""The reports of jobs as a text in the file, the newest first."""

from __future__ import annotations

import bpy

TEXT_NAME = "MeshKin Report"
"""The text that holds the reports."""
MOST_REPORTS = 50
"""Reports that are kept; the oldest are dropped. Chosen: a day's work, in a text of some hundred lines."""
BETWEEN_REPORTS = "\n\n"
"""Between two reports."""


def keep(report: str) -> None:
    """Put a report, which has no empty lines, before those of the jobs before."""
    text = bpy.data.texts.get(TEXT_NAME) or bpy.data.texts.new(TEXT_NAME)
    before = [entry for entry in text.as_string().strip().split(BETWEEN_REPORTS) if entry]
    text.from_string(BETWEEN_REPORTS.join([report, *before[: MOST_REPORTS - 1]]) + "\n")
    text.cursor_set(0)  # at the newest, where an editor opens it
