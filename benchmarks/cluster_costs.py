"""The constants of the model in scale.py, measured on this machine, and a study on a local Ray cluster."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

DEPENDENCIES = 40  # files and folders that a training depends on in dvc.yaml


def measure(before: Mapping[str, float]) -> dict[str, float]:
    """Measure the constants in seconds. Those of Ray are kept from before where it is not installed."""
    found = {**before, "store_trial": _store(), "mlflow_run": _mlflow(), **_dvc()}
    if importlib.util.find_spec("ray"):
        found |= _ray()
    return found


def _ray() -> dict[str, float]:
    """Ray on one node of one core: its connection, a task, and what a trial takes besides its training."""
    with cluster(nodes=1) as address:
        done = subprocess.run(
            [sys.executable, "-c", TASKS, address],
            check=True,
            capture_output=True,
            text=True,
            env=_environment(address),
        )
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        run = study_on(address, units=(8, 9, 10, 11))
    return found | {"trial_start": (run.seconds[-1] - run.seconds[0] - sum(run.training[1:])) / (len(run.training) - 1)}


TASKS = """
import json, sys, time
started = time.perf_counter()
import ray
ray.init(sys.argv[1], logging_level="error", log_to_driver=False)
task = ray.remote(num_cpus=1)(lambda: None)
ray.get(task.remote())
connect = time.perf_counter() - started
started = time.perf_counter()
ray.get([task.remote() for _ in range(500)])
print(json.dumps({"cluster_connect": connect, "task": (time.perf_counter() - started) / 500}))
"""
CLUSTER = """
import sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
for _ in range(int(sys.argv[1]) - 1):
    cluster.add_node(num_cpus=1)
cluster.wait_for_nodes()
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@contextmanager
def cluster(nodes: int) -> Iterator[str]:
    """Give the address of a cluster of nodes of one core each, on this machine."""
    pipe = subprocess.PIPE
    environment = _environment("")
    with subprocess.Popen(
        [sys.executable, "-c", CLUSTER, str(nodes)], stdin=pipe, stdout=pipe, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        yield next(line.strip() for line in process.stdout if re.fullmatch(r"[\d.]+:\d+\n", line))


def _environment(address: str) -> dict[str, str]:
    return {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_ADDRESS": address, "PYTHONPATH": str(ROOT)}


@dataclass(frozen=True)
class StudyRun:
    """seconds: after the start, when each trial was stored. training: of each, in the same order."""

    seconds: list[float]
    training: list[float]
    whole: float


def study_on(address: str, units: Sequence[int], seeds: int = 1) -> StudyRun:
    """Run a study of the synthetic Dow Jones in a copy of the project's settings, on the cluster."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        subprocess.run(["git", "clone", "--quiet", str(ROOT), folder], check=True)
        params = YAML(typ="safe").load(root / "params.yaml")
        study = {"experiment": "djia", "vary": {"units": list(units)}, "match": "units", "seeds": seeds}
        params |= {"executor": "ray", "studies": {"scale": study}, "tunings": {}, "edition": "synthetic"}
        with (root / "params.yaml").open("w") as file:
            YAML(typ="safe").dump(params, file)
        environment = {**_environment(address), "DVC_ROOT": folder}
        for stage in ("download djia", "preprocess djia"):
            _command(root, environment, stage)
        started = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-m", "pipeline", "study", "scale"],
            cwd=root, env=environment, stdout=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            lines = [(time.perf_counter() - started, line) for line in process.stdout]
        whole = time.perf_counter() - started
        stored = [seconds for seconds, line in lines if re.match(r"scale: \d+/\d+ ", line)]
        results = sorted(
            (json.loads(path.read_text()) for path in root.glob("data/trials/*/result.json")),
            key=lambda result: result["start"] + 1000 * result["seconds"],
        )
        return StudyRun(stored, [result["seconds"] for result in results], whole)


def _command(root: Path, environment: Mapping[str, str], command: str) -> None:
    subprocess.run([sys.executable, "-m", "pipeline", *command.split()], cwd=root, env=environment, check=True)


def _store(count: int = 200) -> float:
    from pipeline.artifacts import Project
    from pipeline.studies.store import Store

    with tempfile.TemporaryDirectory() as folder:
        store = Store(Project(Path(folder)))
        return _timed(lambda number: store.save(_trial(number), _result()), count)


def _mlflow(count: int = 100) -> float:
    """A run of MLflow in SQLite, with ten epochs: sent with others, so the start of the process counts little."""
    from pipeline.artifacts import Project
    from pipeline.studies import store as stores
    from pipeline.tracking import study
    from pipeline.tracking.delivery import spool, sync

    facts = dict.fromkeys(study.KINDS, "made-up")
    seconds = []
    for runs in (1, count + 1):
        with tempfile.TemporaryDirectory() as folder:
            project = Project(Path(folder))
            settings = {"cell": "gru", **{f"setting_{number}": number for number in range(30)}}
            for number in range(runs):
                journal = study.trial(_trial(number).key, f"{number}", settings, facts, stores.facts(_result()))
                spool(journal, project)
            started = time.perf_counter()
            assert sync(project, 600.0) == runs
            seconds.append(time.perf_counter() - started)
    return (seconds[1] - seconds[0]) / count


def _dvc(counts: tuple[int, int] = (200, 1_000)) -> dict[str, float]:
    """DVC's graph and lock, by stage: the slope between two sizes."""
    graph, lock = [], []
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            rows = "\n".join(f"  t{number}: {{units: {number}}}" for number in range(count))
            (root / "params.yaml").write_text(f"rows:\n{rows}\n")
            for number in range(DEPENDENCIES):
                (root / f"code{number}").write_text("1")
            stage = "cmd: mkdir -p out && echo ${item.units} > out/${key}\n"
            stage += f"      deps: [{', '.join(f'code{number}' for number in range(DEPENDENCIES))}]\n"
            stage += "      params: ['rows.${key}']\n      outs: ['out/${key}']"
            (root / "dvc.yaml").write_text(f"stages:\n  train:\n    foreach: ${{rows}}\n    do:\n      {stage}\n")
            (root / "time.py").write_text(DVC)
            subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], cwd=root, check=True)
            done = subprocess.run([sys.executable, "time.py"], cwd=root, check=True, capture_output=True, text=True)
            seconds = json.loads(done.stdout.splitlines()[-1])
            graph.append(seconds["graph"])
            lock.append(seconds["lock"])
    apart = counts[1] - counts[0]
    return {"dvc_graph": (graph[1] - graph[0]) / apart, "dvc_lock": (lock[1] - lock[0]) / apart}


DVC = """
import json, time
from dvc.repo import Repo
from dvc.utils.serialize import dump_yaml, modify_yaml

started = time.process_time()
repo = Repo(".")
count = len(repo.index.stages)
repo.index.check_graph()
graph = time.process_time() - started
digest = {"hash": "md5", "md5": "0" * 32, "size": 1}
entries = {
    f"train@t{i}": {
        "cmd": "mkdir -p out",
        "deps": [{"path": path, **digest} for path in sorted(map(str, repo.index.stages[0].deps))],
        "params": {"params.yaml": {f"rows.t{i}": {"units": i}}},
        "outs": [{"path": f"out/t{i}", **digest}],
    }
    for i in range(count)
}
dump_yaml("dvc.lock", {"schema": "2.0", "stages": entries})
started = time.process_time()
with modify_yaml("dvc.lock") as lock:
    lock["stages"]["train@t0"]["cmd"] = "changed"
print(json.dumps({"graph": graph, "lock": time.process_time() - started}))
"""


def _trial(number: int) -> Any:
    from pipeline.studies.trial import Trial

    return Trial({}, number, False, f"{number:040d}")


def _result() -> Any:
    from pipeline.studies.trial import TrialResult

    history = [{"epoch": epoch, "loss": 1.0, "val_bits": 2.0, "seconds": 0.3} for epoch in range(10)]
    losses = np.random.default_rng(0).random(1_000)
    figures = {"bits": 2.0}
    return TrialResult(figures, figures, losses, 10_000, 10, 3.0, 500.0, history, 0, "0" * 64)


def _timed(do: Callable[[int], Any], count: int) -> float:
    started = time.perf_counter()
    for number in range(count):
        do(number)
    return (time.perf_counter() - started) / count
