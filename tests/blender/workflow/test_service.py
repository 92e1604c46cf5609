"""Jobs of Blender through the local service, with the real worker."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest

from helpers import service
from helpers.processes import has_ended, wait_for
from meshkin import workflow
from meshkin.base.progress import finish
from meshkin.worker import client
from meshkin.worker.service import control

OPTIONS = workflow.Options(features=workflow.FeatureOptions(extractor="geometric"))


@pytest.fixture(autouse=True)
def own_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A home without a service, which jobs are to use."""
    client.stop()
    monkeypatch.setenv("MESHKIN_HOME", str(tmp_path))
    monkeypatch.setenv("MESHKIN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MESHKIN_COMPUTE", "service")
    yield
    client.stop()
    finish(control.end())


@pytest.mark.slow
def test_the_report_says_who_computed(tmp_path: Path) -> None:
    """The service while it runs, with the folders of this Blender; a worker of its own once it is killed."""
    process = service.started(MESHKIN_CACHE=str(tmp_path / "of the service"))
    bpy.ops.mesh.primitive_uv_sphere_add()
    by_service = finish(workflow.features([bpy.context.object], OPTIONS))
    (worker,) = [each.pid for each in service.state().devices if each.pid]
    assert [each.pid for each in service.state().clients] == [os.getpid()]
    assert "local service" not in " ".join(by_service.lines())
    assert Path(by_service.data["features"][0]).is_relative_to(tmp_path / "cache")

    assert "local service" in finish(workflow.release_memory()).title
    wait_for(lambda: has_ended(worker), "the worker holds its memory")

    bpy.ops.mesh.primitive_torus_add()
    job = workflow.features([bpy.context.object], OPTIONS)
    for progress in job:
        if progress.stage == "Measuring the surface":
            break
    (worker,) = [each.pid for each in service.state().devices if each.pid]
    process.kill()
    alone = finish(job)
    assert "The local service" in alone.details[-1]
    assert "meshkin serve" in alone.details[-1]
    wait_for(lambda: has_ended(worker), "its worker is left")
    assert bpy.context.object.data.attributes.get("meshkin_color") is not None
