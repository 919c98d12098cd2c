"""A study on a Ray cluster of two nodes, one core each: the bytes of local processes, whatever is killed meanwhile."""

import contextlib
import importlib.util
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from pipeline.artifacts import Project
from pipeline.config import loading
from pipeline.errors import TrainingError
from pipeline.sources import SOURCES
from pipeline.studies import ray_pool
from pipeline.studies.pool import Done, Reported
from pipeline.studies.ray_pool import RayPool
from pipeline.studies.store import Store
from pipeline.studies.trial import Addresses, Trial
from tests.stages.test_study import command, copied, digests, environment, run

ROOT = Path(__file__).parents[2]
RAY = importlib.util.find_spec("ray") is not None
pytestmark = pytest.mark.slow


def needs_ray(test: Any) -> Any:
    """Mark a test that needs a cluster."""
    missing = pytest.mark.skipif(not RAY, reason="Ray is not installed; `make ray` installs it")
    return pytest.mark.long(missing(test))


HEAD = """
import sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
second = cluster.add_node(num_cpus=1)
cluster.wait_for_nodes()
print(cluster.address, flush=True)
for line in sys.stdin:
    if line == "remove\\n":
        cluster.remove_node(second)
    elif line == "add\\n":
        second = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
    elif line == "kill\\n":
        cluster.shutdown()
    print("done", flush=True)
cluster.shutdown()
"""
# Takes the core of a node until its input ends.
STARVE = """
import sys, ray
ray.init(sys.argv[1], logging_level="error", log_to_driver=False)
@ray.remote(num_cpus=1)
class Taken:
    def here(self): return True
taken = Taken.remote()
print(ray.get(taken.here.remote()), flush=True)
sys.stdin.read()
"""


def until(true: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + 300
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def tasks() -> list[psutil.Process]:
    """The processes that run a trial."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(word.startswith("ray::trial") for word in process.cmdline()):
                found.append(process)
    return found


class TwoNodes:
    """The cluster, in a process of its own."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HEAD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
        )
        assert self.process.stdout is not None
        lines = (line.strip() for line in self.process.stdout)
        self.address = next(line for line in lines if re.fullmatch(r"[\d.]+:\d+", line))

    def tell(self, order: str) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        print(order, file=self.process.stdin, flush=True)
        assert any(line == "done\n" for line in self.process.stdout)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.process.communicate(timeout=60)


@pytest.fixture(scope="module")
def cluster() -> Iterator[TwoNodes]:
    nodes = TwoNodes()
    yield nodes
    nodes.close()


@pytest.fixture(scope="module")
def local(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The digests of the study's trials, trained by processes of this machine."""
    root = copied(trained, tmp_path_factory.mktemp("local") / "project")
    ended = run(root)
    assert ended.returncode == 0, ended.stderr
    return digests(root)


def on(root: Path) -> Path:
    """Let the project use Ray."""
    params = yaml.safe_load((root / "params.yaml").read_text())
    (root / "params.yaml").write_text(yaml.safe_dump({**params, "executor": "ray"}))
    return root


def started(root: Path, address: str) -> subprocess.Popen[str]:
    more = {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": f"sqlite:///{root}/mlflow.db", "RAY_ADDRESS": address}
    pipe = subprocess.PIPE
    return subprocess.Popen(command(), cwd=root, env=environment(**more), stdout=pipe, stderr=pipe, text=True)


def refused(root: Path, address: str) -> str:
    """What the command says that ends with 2 before any work."""
    process = started(root, address)
    said, errors = process.communicate(timeout=120)
    assert process.returncode == 2 and "Traceback" not in errors and said == ""
    assert not (root / "data/trials").exists() and not (root / "data/studies").exists()
    return errors


@pytest.mark.skipif(RAY, reason="Ray is installed")
def test_without_ray_a_study_names_the_way_to_it_before_any_work(tmp_path: Path) -> None:
    assert "error: Ray is not installed here; make ray installs it" in refused(bare(tmp_path), "")


@needs_ray
def test_a_cluster_that_is_not_there_is_named_before_any_work(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    assert f"error: RAY_ADDRESS={address}: no cluster answers there" in refused(bare(tmp_path), address)


def bare(root: Path) -> Path:
    """A project with a study on Ray, of which nothing was run."""
    shipped = yaml.safe_load((ROOT / "params.yaml").read_text())
    study = {"experiment": "djia", "vary": {"cell": ["lstm", "gru"]}, "match": "units", "seeds": 2}
    params = {**shipped, "executor": "ray", "studies": {"cells": study}, "tunings": {}}
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    return root


@needs_ray
def test_two_nodes_leave_the_bytes_of_local_processes_though_a_worker_is_killed(
    trained: Project, cluster: TwoNodes, local: dict[str, str], tmp_path: Path
) -> None:
    root = on(copied(trained, tmp_path / "project"))
    process = started(root, cluster.address)
    until(lambda: tasks() or process.poll() is not None, "no trial started")
    (first, *_) = tasks()
    first.kill()
    said, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    assert digests(root) == local and len(local) == 4
    lines = [line for line in said.splitlines() if re.match(r"cells: \d/4 ", line)]
    assert len(lines) == 4 and len({line.split(":")[1][5:] for line in lines}) == 4, said


@needs_ray
def test_a_starved_node_and_then_a_dead_one_delay_and_change_nothing(
    trained: Project, cluster: TwoNodes, local: dict[str, str], tmp_path: Path
) -> None:
    root = on(copied(trained, tmp_path / "project"))
    taken = subprocess.Popen(
        [sys.executable, "-c", STARVE, cluster.address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert taken.stdout is not None and taken.stdout.readline() == "True\n"
    process = started(root, cluster.address)
    until(lambda: digests(root) or process.poll() is not None, "no trial ended")
    assert len(tasks()) <= 1
    taken.communicate()
    until(lambda: len(tasks()) == 2 or process.poll() is not None, "the core was not used")
    cluster.tell("remove")
    said, errors = process.communicate(timeout=600)
    cluster.tell("add")
    assert process.returncode == 0, errors
    assert digests(root) == local and said.count("/4 ") == 4


@pytest.fixture
def pool(trained: Project, cluster: TwoNodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RayPool]:
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    made = RayPool(Project(copied(trained, tmp_path / "project")))
    yield made
    made.close()


def trial(pool: RayPool, **changes: Any) -> Trial:
    project = pool.store.project
    return Addresses(project, loading.load(project.root, SOURCES), "djia").trial(changes, 3)


@needs_ray
def test_epochs_are_reported_and_a_stopped_trial_ends(pool: RayPool) -> None:
    endless, short = trial(pool, epochs=100_000), trial(pool, epochs=2)
    pool.submit(endless)
    reported = pool.next()
    assert isinstance(reported, Reported) and (reported.trial.key, reported.epoch) == (endless.key, 1)
    pool.stop(endless)
    pool.submit(short)
    events = [pool.next()]
    while isinstance(events[-1], Reported):
        events.append(pool.next())
    epochs = [event.epoch for event in events if isinstance(event, Reported)]
    assert epochs == list(range(1, len(events))) and epochs[:2] == [1, 2]
    assert isinstance(events[-1], Done) and {event.trial.key for event in events} == {short.key}
    assert Store(pool.store.project).load(short) is not None and Store(pool.store.project).load(endless) is None


def test_a_trial_that_cannot_be_trained_says_why(trained: Project, tmp_path: Path, monkeypatch: Any) -> None:
    """The data that a node gets are those of the driver, under the hash of their content."""
    monkeypatch.chdir(tmp_path)
    files, given = ray_pool._files(trained.prepared("djia")), []

    def diverging(project: Project, one: Trial, report: Any) -> None:
        given.append(ray_pool._files(project.prepared("djia")))
        raise TrainingError("loss at step 3 is nan")

    monkeypatch.setattr(ray_pool, "run", diverging)
    one = Trial({"dataset": "djia"}, 3, False, "0" * 40)
    for _ in range(2):  # another trial of the node finds them there
        assert ray_pool._work(files, "hash", one, 0, None) == ("failed", "loss at step 3 is nan")
    assert given == [files, files]
    (tmp_path / "hash/data/prepared/djia/arrays.npz").write_bytes(b"damaged")
    ray_pool._work(files, "hash", one, 0, None)
    assert given[2] == files and len(files) >= 4


def test_the_address_of_data_depends_on_names_and_content() -> None:
    contents = [{"a": b"x"}, {"b": b"x"}, {"a": b"y"}, {"a": b"x", "b": b""}, {}]
    assert len({ray_pool._address(one) for one in contents}) == len(contents)
    assert ray_pool._address({"b": b"", "a": b"x"}) == ray_pool._address(contents[3])


@needs_ray
def test_a_cluster_that_dies_ends_the_study_and_finished_trials_are_kept(trained: Project, tmp_path: Path) -> None:
    nodes = TwoNodes()
    root = on(copied(trained, tmp_path / "project"))
    process = started(root, nodes.address)
    until(lambda: digests(root) or process.poll() is not None, "no trial ended")
    nodes.tell("kill")
    _, errors = process.communicate(timeout=300)
    nodes.close()
    assert process.returncode == 2 and "Traceback" not in errors, errors
    assert f"error: {nodes.address} does not answer any more; finished trials are kept" in errors
    assert digests(root) and not (root / "data/studies").exists()
