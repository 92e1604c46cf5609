"""Jobs that the worker hands to a Ray cluster: what a node computes is here afterward, whatever happens to the node."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers import shapes
from meshkin.base.errors import StorageError, WorkerError
from meshkin.base.progress import Progress, finish
from meshkin.data.recipe import FeatureChoice
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import Match
from meshkin.worker import client
from meshkin.worker.requests.features import ComputeFeatures, PlanFeatures
from meshkin.worker.requests.matching import MatchShapes

pytestmark = pytest.mark.slow

WAITING = (
    "Starting the worker",
    "Waiting for the worker",
    "Connecting to the Ray cluster",
    "Waiting for the Ray cluster",
)
"""Stages before a node has begun."""


class Nodes:
    """A cluster on this machine whose head takes no jobs; the nodes' home is not that of the client."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self.cluster: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        self.node: Any = self.cluster.add_node(num_cpus=1)

    def lose_one(self) -> None:
        """Kill the node, and add another."""
        self.cluster.remove_node(self.node, allow_graceful=False)
        self.node = self.cluster.add_node(num_cpus=1)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESHKIN_HOME", str(tmp_path_factory.mktemp("nodes")))
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        for name in ("MESHKIN_CACHE", "MESHKIN_MODELS"):
            patch.delenv(name, raising=False)
        started = Nodes()
        yield started
        started.cluster.shutdown()


@pytest.fixture(autouse=True)
def own_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MESHKIN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    client.stop()
    yield
    client.stop()


def described(shape: Snapshot, folder: Path) -> tuple[str, Path, Path]:
    """The features' key and file, and the shape's file."""
    choice = FeatureChoice("geometric")
    plan = finish(client.shared().run(PlanFeatures(shape.key, choice, "cpu", "")))
    file = shape.save(folder / f"{shape.name}.npz")
    request = ComputeFeatures(file, None, plan.recipe, plan.key, "cpu", "")
    return plan.key, finish(client.shared().run(request)).features, file


def matching(folder: Path, columns: int = 36) -> MatchShapes:
    """The request to match two shapes, whose features are computed; each number of columns makes another pair.

    A node's own process may take seconds to begin what says how far it is: whoever waits for that asks for enough
    columns that the job is still at work then.
    """
    folder.mkdir(exist_ok=True)
    rows = columns // 2
    balls = (shapes.bumpy(shapes.sphere(columns, rows)), shapes.bumpy(shapes.sphere(columns - 5, rows - 1)))
    (key, features, file), (other_key, other_features, other_file) = (
        described(Snapshot(**{**vars(ball), "name": name}), folder) for ball, name in zip(balls, "ab", strict=True)
    )
    return MatchShapes(file, other_file, features, other_features, (key, other_key), (), False)


def test_what_a_node_computes_is_what_this_machine_computes(
    nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESHKIN_CACHE", str(tmp_path / "alone"))
    alone = Match.load(finish(client.shared().run(matching(tmp_path / "work", 80))).map)
    monkeypatch.setenv("MESHKIN_CACHE", str(tmp_path / "here"))
    monkeypatch.setenv("MESHKIN_COMPUTE", "ray")
    monkeypatch.setenv("MESHKIN_RAY", nodes.cluster.address)
    told: list[Progress] = []
    request = matching(tmp_path / "other", 80)
    result = finish(client.shared().run(request), told.append)
    assert result.map.is_relative_to(tmp_path / "here")
    assert request.source_features.is_relative_to(tmp_path / "here")
    there = Match.load(result.map)
    for one, other in ((alone.to_source, there.to_source), (alone.to_target, there.to_target)):
        assert np.array_equal(one.face, other.face)
        assert np.array_equal(one.barycentric, other.barycentric)
    assert {progress.stage for progress in told} - set(WAITING)  # the job's own words


def test_a_node_that_is_lost_costs_time_alone(nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHKIN_COMPUTE", "ray")
    monkeypatch.setenv("MESHKIN_RAY", nodes.cluster.address)
    lost: list[Any] = []

    def lose_one(progress: Progress) -> None:
        if progress.stage not in WAITING and not lost:
            lost.append(nodes.node)
            nodes.lose_one()

    result = finish(client.shared().run(matching(tmp_path / "work", 90)), lose_one)
    assert lost
    assert Match.load(result.map).to_source.confidence.mean() > 0.5


def test_a_job_is_cancelled_on_its_node(nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHKIN_COMPUTE", "ray")
    monkeypatch.setenv("MESHKIN_RAY", nodes.cluster.address)
    worker = client.shared()
    job = worker.run(matching(tmp_path / "long", 140))
    while next(job).stage in WAITING:
        time.sleep(0.02)
    job.close()
    began = time.monotonic()
    while worker.cancelling:
        assert time.monotonic() - began < 20
        time.sleep(0.02)
    assert worker.alive
    assert finish(client.shared().run(matching(tmp_path / "short"))).map.exists()  # the node is free again


def test_an_error_on_a_node_is_the_one_that_it_would_be_here(
    nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESHKIN_COMPUTE", "ray")
    monkeypatch.setenv("MESHKIN_RAY", nodes.cluster.address)
    request = matching(tmp_path / "work", 32)
    request.source.write_bytes(b"damaged")
    with pytest.raises(StorageError) as caught:
        finish(client.shared().run(request))
    assert caught.value.code == "file-damaged"


def test_a_cluster_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHKIN_COMPUTE", "ray")
    monkeypatch.setenv("MESHKIN_RAY", "127.0.0.1:9")
    shape = shapes.sphere(12, 8)
    with pytest.raises(WorkerError) as caught:
        described(shape, tmp_path)
    assert caught.value.code == "ray-failed"
    assert caught.value.fix
