"""Published families on the command line: read, listed, and refused where something else is in the file."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from helpers.places import TESTS
from helpers.shell import check_error, json_result, run

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_home")]

CHECKPOINTS = """
import sys, torch
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from helpers.published_families import checkpoint
place, state = Path(sys.argv[1]), checkpoint()[1]
torch.save(state, place / "best.pth")
state["model_state_dict"]["ema_model.encoder.net.0.fc3.weight"] = torch.zeros(16, 16)
torch.save(state, place / "wrong.pth")
"""
"""Writes a checkpoint as the published code does, and one with a layer too many."""


def test_a_published_family_is_imported(tmp_path: Path) -> None:
    command = [os.environ["MESHKIN_WORKER_PYTHON"], "-c", CHECKPOINTS, str(tmp_path), str(TESTS)]
    subprocess.run(command, check=True, capture_output=True)
    (tmp_path / "license.txt").write_text("For research only.")
    bring = ("models", "import", tmp_path / "best.pth", "--as", "family", "--name", "animals", "--json")
    assert json_result(run(*bring, "--license", tmp_path / "license.txt"))["ok"]
    (family,) = json_result(run("family", "info", "animals", "--json"))["families"]
    assert (family["name"], family["widths"]) == ("animals", [16, 8, 4])
    check_error(run(*bring), 3, "family-exists")
    wrong = ("models", "import", tmp_path / "wrong.pth", "--as", "family", "--name", "wrong", "--json")
    assert "fc3" in check_error(run(*wrong), 4, "model-wrong")["message"]
    check_error(run("family", "info", "wrong", "--json"), 3, "family-missing")
