"""How a study of 10,000 trials would scale: a small model of the cluster, fed with constants that are measured here.

python benchmarks/scale.py measure     # constants of this machine -> benchmarks/scale.json; needs Ray for some
python benchmarks/scale.py check       # a study on a local cluster of two nodes against the model; needs Ray
python benchmarks/scale.py simulate    # 10, 100 and 1,000 workers; prints the tables of docs/scale.md
"""

import argparse
import heapq
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import cluster_costs as costs

CONSTANTS = Path(__file__).with_suffix(".json")
WORKERS = (10, 100, 1_000)
TRIALS = 10_000
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


def check(constants: Mapping[str, float]) -> Iterator[str]:
    """Compare the model with a study on two nodes of one core each."""
    with costs.cluster(nodes=2) as address:
        run = costs.study_on(address, units=(8, 9, 10, 11), seeds=3)
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
    constants = json.loads(CONSTANTS.read_text())
    if what == "measure":
        measured = sorted(costs.measure(constants).items())
        text = json.dumps({name: float(f"{value:.3g}") for name, value in measured}, indent=2)
        CONSTANTS.write_text(text + "\n")
        print(text)
    else:
        print(*(check(constants) if what == "check" else tables(constants)), sep="\n")


if __name__ == "__main__":
    main()
