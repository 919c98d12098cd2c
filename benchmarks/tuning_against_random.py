"""Does TPE find better settings than random search with as many trials? Three small tasks, several seeds of the search.

    python benchmarks/tuning_against_random.py [--trials 30] [--seeds 5] [--tasks walk digits umich] [--project FOLDER]

prints the table of docs/tuning.md. Every search begins with the same settings, and no trial is pruned, so that both
methods train equally many networks to the end. Networks train from one seed; a search's own seed draws its trials.
--project keeps the trials: a second call with more seeds or trials trains only what is new. On two idle cores, the
whole takes about two hours.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.artifacts import Project
from pipeline.stages import download, parameters, preprocess
from pipeline.stages.tune import planned
from pipeline.studies import pool as pools
from pipeline.studies.pool import LocalPool
from pipeline.studies.search import Search, ran, search
from pipeline.studies.trial import Addresses
from pipeline.tasks import task_named

PARAMS = """\
seed: 3
edition: synthetic
cell: null
sources: {{walk: {{reader: cosine}}, digits: {{reader: digits}}, umich: {{reader: umich}}}}
own: {{}}
datasets:
  walk: {{source: walk, task: forecasting, horizons: [8], seasonal_periods: []}}
  digits: {{source: digits, task: image_rows}}
  umich: {{source: umich, task: sentiment, folds: 1, test: 0.4, validation: 0.4, bigrams: false, char_ngrams: 0}}
experiments:
  walk: {{dataset: walk, task: forecasting, units: 8, time_steps: 24, batch_size: 16, epochs: 5}}
  digits: {{dataset: digits, task: image_rows, units: 16, epochs: 4}}
  umich: {{dataset: umich, task: sentiment, units: 8, embedding: 8, epochs: 3}}
tunings:
  walk:
    experiment: walk
    space:
      units: {{int: [2, 64], log: true}}
      learning_rate: {{float: [0.0001, 0.1], log: true}}
      dropout: {{float: [0.0, 0.5]}}
      cell: {{choice: [simple_rnn, lstm, gru]}}
    trials: {trials}
    pruning: none
  digits:
    experiment: digits
    space:
      units: {{int: [4, 64], log: true}}
      learning_rate: {{float: [0.0001, 0.1], log: true}}
      dropout: {{float: [0.0, 0.6]}}
      batch_size: {{choice: [16, 32, 64, 128]}}
    trials: {trials}
    pruning: none
  umich:
    experiment: umich
    space:
      units: {{int: [4, 32], log: true}}
      embedding: {{int: [4, 32], log: true}}
      learning_rate: {{float: [0.0001, 0.1], log: true}}
      dropout: {{float: [0.0, 0.6]}}
    trials: {trials}
    pruning: none
"""
METHODS = {"TPE": False, "random": True}


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as temporary:
        project = Project(Path(options.project or temporary).resolve())
        project.root.mkdir(parents=True, exist_ok=True)
        (project.root / "params.yaml").write_text(PARAMS.format(trials=options.trials))
        pools.import_training()
        marks = sorted({max(1, options.trials // 3), options.trials})
        print(f"| task | figure | own settings | {' | '.join(f'{m}, {n} trials' for n in marks for m in METHODS)} |")
        print("|---|---|--:|" + "--:|" * len(marks) * len(METHODS), flush=True)
        for task in options.tasks:
            print(_line(project, task, options.seeds, marks), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tasks", nargs="+", default=["walk", "digits", "umich"])
    parser.add_argument("--project")
    return parser.parse_args()


def _line(project: Project, task: str, seeds: int, marks: list[int]) -> str:
    """The mean of the best figure after some trials, ± its standard deviation over the seeds of the search."""
    if not project.prepared(task).is_dir():
        download.run(project, task)
        preprocess.run(project, task)
    params = parameters(project)
    addresses = Addresses(project, params, task)
    plan = planned(project, params, task, addresses, params.tunings[task])
    found: Mapping[str, Any] = {
        method: np.array([_best(project, replace(plan, seed=seed, random=random)) for seed in range(seeds)])
        for method, random in METHODS.items()
    }
    own = found["TPE"][0, 0]
    cells = [
        f"{found[method][:, n - 1].mean():.4g} ± {found[method][:, n - 1].std(ddof=1) if seeds > 1 else 0:.2g}"
        for n in marks
        for method in METHODS
    ]
    return f"| {task_named(addresses.row.task).title} ({task}) | {plan.figure} | {own:.4g} | {' | '.join(cells)} |"


def _best(project: Project, plan: Search) -> list[float]:
    """The best figure after each trial."""
    pool = LocalPool(project, pools.cores())
    try:
        study = search(plan, InMemoryStorage(), pool, lambda line: print(line, file=sys.stderr, flush=True))
    finally:
        pool.close()
    worst = -np.inf if plan.higher_is_better else np.inf
    values = [trial.value if trial.state == TrialState.COMPLETE else worst for trial in ran(study)]
    return list((np.maximum if plan.higher_is_better else np.minimum).accumulate(np.array(values, float)))


if __name__ == "__main__":
    main()
