"""Workers on a Ray cluster of two nodes of this machine: the bytes of local workers, and the loss of one is said."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from tests.stages.test_worker import DROPPING, project, start, trained, until, weights

__all__ = ["start"]  # a fixture

pytestmark = [
    pytest.mark.slow,
    pytest.mark.long,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed; `make ray` installs it"),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0"}
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    made.add_node(num_cpus=2)
    yield made
    made.shutdown()


def test_workers_on_a_cluster_train_as_local_ones_do(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"workers": 2, "epochs": 2, "refit": False, **DROPPING}
    here, there = project(tmp_path / "here", **changes), project(tmp_path / "there", "ray", **changes)
    trained(here)
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    assert "2 workers: a step took" in trained(there)
    assert all(np.array_equal(value, weights(here)[name]) for name, value in weights(there).items())


@pytest.mark.fault("killed-worker")
def test_a_worker_that_is_lost_on_a_cluster_ends_the_training(
    cluster: Any, start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    process = start(project(tmp_path / "lost", "ray", workers=2, epochs=1000))
    until(process, "epoch 1/1000")
    below = psutil.Process().children(recursive=True)
    (task,) = [
        one for one in below if one.is_running() and "ray::run" in " ".join(one.as_dict(["cmdline"])["cmdline"] or [])
    ]
    task.kill()
    printed, _ = process.communicate(timeout=120)
    assert process.returncode == 2 and "Traceback" not in printed
    assert "error: worker 1 of 2 has failed (WorkerCrashedError); run the training again" in printed


def test_a_cluster_that_is_too_small_is_refused(
    cluster: Any, start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    process = start(project(tmp_path / "small", "ray", workers=4, batch_size=8))
    printed, _ = process.communicate(timeout=200)
    assert process.returncode == 2 and "Traceback" not in printed
    assert (
        "error: workers: 4 on Ray needs 3 machines of the cluster next to this one, with 2 free cores each" in printed
    )
