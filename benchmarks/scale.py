"""How a study of 10,000 trials would scale: a small model of the cluster, fed with constants that are measured here.

python benchmarks/scale.py measure     # constants of this machine -> benchmarks/scale.json; needs Ray for some
python benchmarks/scale.py check       # a study on a local cluster of two nodes against the model; needs Ray
python benchmarks/scale.py simulate    # 10, 100 and 1,000 workers; prints the tables of docs/scale.md
"""

import argparse
import heapq
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

CONSTANTS = Path(__file__).with_suffix(".json")
WORKERS = (10, 100, 1_000)
TRIALS = 10_000
DEPENDENCIES = 40  # files and folders that a training depends on in dvc.yaml
TRAINING = (3.0, 30.0, 300.0)  # seconds of a trial's training


@dataclass(frozen=True)
class Cost:
    """Seconds of the parts of a job.

    begin: of the driver, once. worker: of a worker for each trial, besides its training. passed: of whatever is shared
    and serves one trial at a time (driver, or the remote), before a worker goes on. result: of the driver for each
    result, while the worker goes on. end: of the driver for each trial, after the last one.
    """

    begin: float
    worker: float
    passed: float
    result: float
    end: float


@dataclass(frozen=True)
class Forecast:
    """seconds: until everything is stored. busy: share of the workers' time that is training."""

    seconds: float
    trained: float
    busy: float


def simulate(cost: Cost, trials: int, workers: int, training: Callable[[int], float]) -> Forecast:
    """Run the model: workers take the next trial when they are free, and queue for what serves one at a time.

    training: seconds of the trial with that number.
    """
    free = [cost.begin] * min(workers, trials)
    shared = driver = cost.begin
    total = 0.0
    for number in range(trials):
        start = heapq.heappop(free)
        shared = max(start, shared) + cost.passed
        seconds = training(number)
        done = shared + cost.worker + seconds
        heapq.heappush(free, done)
        driver = max(driver, done) + cost.result
        total += seconds
    trained = max(max(free), driver)
    seconds = trained + cost.end * trials
    return Forecast(seconds, trained, total / (workers * seconds))


def ray_study(constants: Mapping[str, float]) -> Cost:
    """`executor: ray`: a process for each trial; the driver stores results, and MLflow gets all runs at the end."""
    return Cost(
        begin=constants["cluster_connect"],
        worker=constants["trial_start"],
        passed=constants["task"],
        result=constants["store_trial"],
        end=constants["mlflow_run"],
    )


def fan_out(constants: Mapping[str, float], trials: int) -> Cost:
    """Each trial as a stage of dvc.yaml: a clone, DVC's graph of all stages, and a pull and a push for each worker."""
    graph = constants["dvc_graph"] * trials
    transfer = constants["pull"] + constants["push"]
    lock = constants["dvc_lock"] * trials  # the lock is written anew after each stage of the last `dvc repro`
    return Cost(
        begin=constants["cluster_connect"] + 2 * graph,
        worker=constants["clone"] + graph + constants["trial_start"] + transfer,
        passed=0.0,
        result=constants["store_trial"],
        end=lock + constants["mlflow_run"],
    )


def tables(constants: Mapping[str, float]) -> Iterator[str]:
    """Print hours, and the share of the workers' time that is training."""
    kinds = {"study on Ray": ray_study(constants), "trials as stages": fan_out(constants, TRIALS)}
    kinds["study on Ray, MLflow asked later"] = Cost(**{**vars(ray_study(constants)), "end": 0.0})
    for title, cost in kinds.items():
        yield f"\n{title}: {TRIALS:,} trials\n"
        yield "| training | " + " | ".join(f"{workers:,} workers" for workers in WORKERS) + " |"
        yield "|---|" + "---|" * len(WORKERS)
        for training in TRAINING:
            found = [simulate(cost, TRIALS, workers, _spread(training)) for workers in WORKERS]
            cells = [f"{one.seconds / 3600:.2f} h, {100 * one.busy:.0f} %" for one in found]
            yield f"| {training:.0f} s | " + " | ".join(cells) + " |"


def _spread(mean: float) -> Callable[[int], float]:
    """Seconds of training that vary by a quarter from trial to trial."""
    seconds = np.random.default_rng(0).gamma(16.0, mean / 16.0, TRIALS)
    return lambda number: float(seconds[number])


# --- the constants


def measure() -> dict[str, float]:
    """Measure the constants in seconds. Those of Ray are kept from before where it is not installed."""
    found = json.loads(CONSTANTS.read_text()) if CONSTANTS.is_file() else {}
    found |= {"store_trial": _store(), "mlflow_run": _mlflow(), **_dvc()}
    if importlib.util.find_spec("ray"):
        found |= _ray()
    return found


def _ray() -> dict[str, float]:
    """Ray on one node of one core: its connection, a task, and what a trial takes besides its training."""
    with _cluster(nodes=1) as address:
        done = subprocess.run(
            [sys.executable, "-c", TASKS, address],
            check=True,
            capture_output=True,
            text=True,
            env=_environment(address),
        )
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        run = _study(address, units=(8, 9, 10, 11))
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
def _cluster(nodes: int) -> Iterator[str]:
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


def _study(address: str, units: Sequence[int], seeds: int = 1) -> StudyRun:
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


def check() -> Iterator[str]:
    """Compare the model with a study on two nodes of one core each."""
    constants = json.loads(CONSTANTS.read_text())
    with _cluster(nodes=2) as address:
        run = _study(address, units=(8, 9, 10, 11), seeds=3)
    cost = ray_study(constants)
    found = simulate(cost, len(run.training), 2, lambda number: run.training[number])
    first = run.seconds[0]
    model = simulate(Cost(**{**vars(cost), "begin": 0.0}), len(run.training), 2, lambda number: run.training[number])
    alone = constants["task"] + constants["trial_start"] + run.training[0] + constants["store_trial"]
    measured, expected = run.seconds[-1] - first, model.trained - alone
    yield f"{len(run.training)} trials on two nodes, from the first result to the last: {measured:.1f} s"
    yield f"by the model {expected:.1f} s, {expected / measured:.2f}×"
    yield f"the whole study: {run.whole:.1f} s, by the model {found.seconds:.1f} s"


def main() -> None:
    """Measure, check or simulate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("measure", "check", "simulate"))
    what = parser.parse_args().what
    if what == "measure":
        text = json.dumps({name: float(f"{value:.3g}") for name, value in sorted(measure().items())}, indent=2)
        CONSTANTS.write_text(text + "\n")
        print(text)
    else:
        print(*(check() if what == "check" else tables(json.loads(CONSTANTS.read_text()))), sep="\n")


if __name__ == "__main__":
    main()
