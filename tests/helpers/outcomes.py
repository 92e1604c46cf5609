"""What came of each fault and each hostile input, for the table that a run by hand writes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from helpers.shell import CompletedRun

EXIT_CODES = (0, 1, 2, 3, 4, 5, 6, 7, 130)
"""Exit codes that say something."""

Case = TypeVar("Case")
by_hand = False
"""Whether all cases run, and not only a few of each kind; set before tests are collected."""


def few(cases: Sequence[Case], count: int) -> Sequence[Case]:
    """So many of the cases, evenly spread, or all of them in a run by hand."""
    if by_hand or len(cases) <= count:
        return cases
    return [cases[round(number * (len(cases) - 1) / (count - 1))] for number in range(count)]


@dataclass
class Outcomes:
    """Outcomes by kind and name: the error's code, or "" for success."""

    told: dict[tuple[str, str], str] = field(default_factory=dict)

    def tell(self, kind: str, name: str, code: str) -> None:
        """Note an outcome."""
        self.told[kind, name] = code

    def of_run(self, ran: CompletedRun, kind: str, name: str) -> str:
        """Note the outcome of a command with --json, and return its code; it is told in a sentence, whatever it is."""
        assert "Traceback" not in ran.stderr, ran.stderr
        assert ran.returncode in EXIT_CODES, ran.stderr
        data = json.loads(ran.stdout)
        code = "" if data["ok"] else str(data["error"]["code"])
        assert data["ok"] == (ran.returncode in (0, 7))
        if code:
            assert data["error"]["message"].strip()
            assert f"meshkin: {data['error']['message']}" in ran.stderr
            assert code != "unexpected", ran.stderr
        self.tell(kind, name, code)
        return code

    def write(self, path: Path) -> None:
        """Write the table."""
        kinds = sorted({kind for kind, _ in self.told})
        lines = ["What came of each injected fault and each hostile input: the error's code, or “ok”.", ""]
        for kind in kinds:
            rows = {name: code or "ok" for (one, name), code in self.told.items() if one == kind}
            counts = ", ".join(f"{code} {count}" for code, count in Counter(rows.values()).most_common())
            lines += [f"{kind} ({len(rows)}): {counts}", ""]
            lines += [f"    {name!r:60} {code}" for name, code in sorted(rows.items())]
            lines.append("")
        lines.append(f"{len(self.told)} in all.")
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
