"""The reports that a file keeps."""

from __future__ import annotations

from pathlib import Path

import bpy

from meshkin.scene.report_text import MOST_REPORTS, TEXT_NAME
from meshkin.workflow import Report, ResultWarning, keep_report


def entries() -> list[str]:
    """The reports in the file, each as its lines after the time."""
    return bpy.data.texts[TEXT_NAME].as_string().strip().split("\n\n")


def test_the_newest_report_comes_first_with_all_its_sentences() -> None:
    keep_report(Report("“A” and “B” are matched.", ["3 point pairs guided it."]))
    poor = ResultWarning("low-confidence", "The match is poor:\nits confidence is low.")
    keep_report(Report("“A” gave “B” its weights.", ["Weights: 3 groups.", ""], warnings=[poor]))
    newest, oldest = (entry.splitlines() for entry in entries())
    assert newest[0].endswith("  “A” gave “B” its weights, with 1 warning.")
    assert [line.strip() for line in newest[1:]] == [
        "The match is poor: its confidence is low.",
        "Weights: 3 groups.",
    ]
    assert oldest[0].endswith("  “A” and “B” are matched.")


def test_only_so_many_are_kept_and_they_stay_in_the_file(tmp_path: Path) -> None:
    for number in range(MOST_REPORTS + 5):
        keep_report(Report(f"Report {number}."))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    assert len(entries()) == MOST_REPORTS
    assert entries()[0].endswith(f"Report {MOST_REPORTS + 4}.")
    assert entries()[-1].endswith("Report 5.")
