"""The examples that start the local service with the session: their form, and their arguments."""

from __future__ import annotations

import configparser
import plistlib
import shlex

from helpers.places import ROOT
from meshkin import cli

FOLDER = ROOT / "packaging" / "service"


def test_the_unit_of_systemd() -> None:
    unit = configparser.ConfigParser(interpolation=None, delimiters="=")
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(FOLDER / "meshkin.service", encoding="utf-8")
    assert set(unit) == {"DEFAULT", "Unit", "Service", "Install"}
    for name in ("ExecStart", "ExecStop"):
        program, *arguments = shlex.split(unit["Service"][name])
        assert program.endswith("/meshkin")
        assert cli.parser().parse_args(arguments).command == "serve"
    assert unit["Service"]["RestartPreventExitStatus"] == "5"


def test_the_agent_of_launchd() -> None:
    agent = plistlib.loads((FOLDER / "org.meshkin.serve.plist").read_bytes())
    assert agent["Label"] == "org.meshkin.serve"
    assert cli.parser().parse_args(agent["ProgramArguments"][1:]).idle == 0
