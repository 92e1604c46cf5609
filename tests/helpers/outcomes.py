"""What came of each fault and each hostile input, for the table that a run by hand writes."""

from __future__ import annotations

import ast
import json
import re
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
        """Write the table; rows of what was not run stay as they were."""
        rows = dict(self.told)
        kind = ""
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            if row := re.fullmatch(r"    ('.*'|\".*\") +(\S.*)", line):
                rows.setdefault((kind, ast.literal_eval(row[1])), row[2].removeprefix("ok"))
            elif head := re.match(r"(.+) \(\d+\): ", line):
                kind = head[1]
        lines = ["What came of each injected fault and each hostile input: the error's code, or “ok”.", ""]
        for kind in sorted({kind for kind, _ in rows}):
            own = {name: code or "ok" for (one, name), code in rows.items() if one == kind}
            counts = ", ".join(f"{code} {count}" for code, count in Counter(own.values()).most_common())
            lines += [f"{kind} ({len(own)}): {counts}", ""]
            lines += [f"    {name!r:60} {code}" for name, code in sorted(own.items())]
            lines.append("")
        lines.append(f"{len(rows)} in all.")
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
