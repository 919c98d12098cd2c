"""Workers on a Ray cluster: two nodes of one core each on this machine. Without Ray, only what is said about that."""

import contextlib
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.reproduce.fan_out.tiny import STAGES, Tiny
from tests.reproduce.test_warm import until

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed; make ray")
HEAD = """
import os, sys, time
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
second = cluster.add_node(num_cpus=1)
cluster.wait_for_nodes()
print(cluster.address, flush=True)
for line in sys.stdin:
    if line == "remove\\n":
        cluster.remove_node(second)
    elif line == "kill\\n":
        cluster.shutdown()
    print("done", flush=True)
cluster.shutdown()
"""


class TwoNodes:
    """The cluster, in a process of its own."""

    def __init__(self) -> None:
        environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", HEAD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self.process.stdout is not None
        lines = (line.strip() for line in self.process.stdout)
        self.address = next(line for line in lines if re.fullmatch(r"[\d.]+:\d+", line))

    def tell(self, command: str) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        print(command, file=self.process.stdin, flush=True)
        assert any(line == "done\n" for line in self.process.stdout)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.process.communicate(timeout=60)


@pytest.fixture(scope="module")
def cluster() -> "Iterator[TwoNodes]":
    nodes = TwoNodes()
    yield nodes
    nodes.close()


def on(cluster: TwoNodes, tiny: Tiny, *options: str, code: int = 0) -> "tuple[str, str]":
    tiny.environment["RAY_ADDRESS"] = cluster.address
    clones = str(tiny.root.parent / "clones")
    return tiny.fan_out("--executor", "ray", "--repository", ".", "--scratch", clones, *options, code=code)


@needs_ray
@pytest.mark.slow
@pytest.mark.long
def test_a_cluster_of_two_nodes_leaves_what_dvc_repro_leaves(cluster: TwoNodes, fresh: Tiny, plain: Tiny) -> None:
    out, _ = on(cluster, fresh)
    assert out.startswith("5 stages to run by Ray on 2 nodes with 2 cores; 0 are up to date\n")
    assert fresh.state() == plain.state(), "outputs and lock files, byte for byte"
    assert json.loads(fresh.run("dvc", "status", "--json")[0]) == {}
    assert out.endswith("5 stages ran, 0 came from DVC's cache, 0 were up to date\n")


WAITS = "echo $PPID > {place}/pid-${{item}}; while [ -e {place}/wait ]; do sleep 0.1; done; "
ONCE = "echo x >> {place}/ran-${{item}}; "


@needs_ray
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.fault("lost-worker")
def test_a_worker_that_is_killed_is_replaced_and_its_stage_counts_once(
    cluster: TwoNodes, fresh: Tiny, plain: Tiny, tmp_path: Path
) -> None:
    (tmp_path / "wait").touch()
    before = (ONCE + WAITS).format(place=tmp_path)
    fresh.write("dvc.yaml", STAGES.replace("mkdir half-${item};", f"{before} mkdir half-${{item}};"))
    fresh.commit()
    with started(cluster, fresh) as process:
        until(lambda: all((tmp_path / f"pid-{name}").is_file() for name in "ab"), 120)
        worker = psutil.Process(int((tmp_path / "pid-a").read_text())).parent()  # that of Ray; its child is ours
        while worker is not None and not worker.name().startswith("ray::"):
            worker = worker.parent()
        assert worker is not None
        worker.kill()
        (tmp_path / "wait").unlink()
        out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert re.search(r"half@a: its worker failed \(WorkerCrashedError.*\); attempt 2 of 3", out)
    assert out.endswith("5 stages ran, 0 came from DVC's cache, 0 were up to date\n")
    assert fresh.outputs() == plain.outputs()
    assert (tmp_path / "ran-a").read_text() == "x\nx\n" and (tmp_path / "ran-b").read_text() == "x\n"


@contextlib.contextmanager
def started(cluster: TwoNodes, tiny: Tiny) -> "Iterator[Any]":
    tiny.environment["RAY_ADDRESS"] = cluster.address
    command = [sys.executable, "-m", "pipeline", "fan-out", "--executor", "ray", "--repository", "."]
    command += ["--scratch", str(tiny.root.parent / "clones")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=tiny.root, env=tiny.environment, stdout=pipe, stderr=pipe, text=True) as process:
        yield process


@needs_ray
@pytest.mark.slow
@pytest.mark.long
def test_a_starved_node_delays_and_changes_nothing(cluster: TwoNodes, fresh: Tiny, plain: Tiny, tmp_path: Path) -> None:
    """The first of two stages side by side gets no time until the second has ended."""
    (tmp_path / "wait").touch()
    waits = WAITS.format(place=tmp_path)
    fresh.write("dvc.yaml", STAGES.replace("mkdir half-${item};", f"{waits} mkdir half-${{item}};"))
    fresh.commit()
    with started(cluster, fresh) as process:
        until(lambda: all((tmp_path / f"pid-{name}").is_file() for name in "ab"), 120)
        worker = int((tmp_path / "pid-a").read_text())
        os.killpg(worker, signal.SIGSTOP)
        (tmp_path / "wait").unlink()
        until(lambda: len(list(fresh.root.glob(".dvc/tmp/fan-out/*/half@b.json"))) == 1, 120)
        os.killpg(worker, signal.SIGCONT)
        out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert re.findall(r"half@.", out) == ["half@b", "half@a"]
    assert fresh.outputs() == plain.outputs()


@needs_ray
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.fault("dead-cluster")
def test_a_cluster_that_dies_ends_the_run_and_what_was_done_is_kept(fresh: Tiny, plain: Tiny, tmp_path: Path) -> None:
    (tmp_path / "wait").touch()
    waits = WAITS.format(place=tmp_path).replace("${item}", "score")
    fresh.write("dvc.yaml", STAGES.replace("mkdir -p scores;", f"{waits} mkdir -p scores;"))
    fresh.commit()
    nodes = TwoNodes()
    try:
        with started(nodes, fresh) as process:
            until((tmp_path / "pid-score").is_file, 120)
            nodes.tell("kill")
            _, err = process.communicate(timeout=240)
    finally:
        nodes.close()
        (tmp_path / "wait").unlink()
    assert process.returncode == 2 and "Traceback" not in err
    assert "does not answer any more; what has ended is kept, and the next fan-out goes on from there" in err
    assert not (fresh.root / "dvc.lock").exists()
    out, _ = fresh.fan_out()
    assert out.startswith("2 stages to run by")
    assert fresh.outputs() == plain.outputs()


@needs_ray
@pytest.mark.slow
@pytest.mark.long
def test_more_cores_than_the_cluster_has_are_refused(cluster: TwoNodes, fresh: Tiny) -> None:
    _, err = on(cluster, fresh, "--cpus", "64", code=2)
    assert "2 nodes have 2 cores, and a stage needs 64; set --cpus" in err and "Traceback" not in err
