"""Tells whether a change of the code changed a result.

    python benchmarks/digests.py store digests.json      # before the change
    python benchmarks/digests.py compare digests.json    # after it

Runs every data set and experiment on synthetic data in a temporary folder. Digests the prepared arrays, the weights and
the predictions, and keeps figures as numbers. `compare` ends with 1 if an array differs in a byte, or a figure by more
than TOLERANCE, which leaves room for another order of the same additions.
"""

import argparse
import hashlib
import json
import math
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ["MLFLOW_TRACKING_URI"] = "http://127.0.0.1:9"  # nobody answers: journals stay in the temporary folder

from pipeline.artifacts import Project  # noqa: E402
from pipeline.stages import baseline, download, evaluate, parameters, preprocess, train  # noqa: E402

TOLERANCE = 1e-9
PROCESSES = 2
FIGURES = ("test", "validation", "baselines", "against_baseline", "test_sd", "parameters", "epochs", "generated")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("store", "compare"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--only", nargs="*", default=(), help="data sets; all without it")
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it there")
    arguments = parser.parse_args()
    root = arguments.keep or Path(tempfile.mkdtemp())
    try:
        found = digests(root, arguments.only)
    finally:
        if arguments.keep is None:
            shutil.rmtree(root, ignore_errors=True)
    if arguments.command == "store":
        arguments.file.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
        print(f"{arguments.file}: {len(found)} data sets and experiments")
        return 0
    stored = json.loads(arguments.file.read_text())
    differences = list(compare(stored, found, arguments.only))
    print("\n".join(differences) or f"{len(found)} data sets and experiments: all equal")
    return 1 if differences else 0


def digests(root: Path, only: Any) -> dict[str, Any]:
    """{data set or experiment: {array: digest, figure: number}}, all computed in `root`."""
    root.mkdir(parents=True, exist_ok=True)
    for name in ("params.yaml", "textbook/params.yaml"):
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    os.chdir(root)
    project = Project(root)
    params = parameters(project)
    datasets = [name for name in params.datasets if not only or name in only]
    experiments = [name for name, row in params.experiments.items() if row.dataset in datasets]
    for source in sorted({params.datasets[name].source for name in datasets}):
        download.run(project, source)
    _each(prepare, [(project, name) for name in datasets])
    warm = [name for name in experiments if _plain(params.experiments[name])]
    import pipeline.training.repeats  # noqa: F401  # imported once, for all processes that are forked from this one

    _each(fit, [(project, name) for name in warm])
    for name in experiments:
        if name not in warm:
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            for stage in ("train", "evaluate"):
                subprocess.run([sys.executable, "-m", "pipeline", stage, name], cwd=root, env=environment, check=True)
    found = {f"dataset {name}": dict(_arrays(project.prepared(name))) for name in datasets}
    for name in experiments:
        dataset = params.experiments[name].dataset
        arrays = {
            **dict(_arrays(project.model(name) / "model" / "weights", "weights ")),
            **dict(_arrays(project.predictions(dataset, name), "predictions ")),
        }
        metrics = json.loads(project.metrics(dataset, name).read_text())
        figures = dict(_numbers("", {key: metrics[key] for key in FIGURES if key in metrics}))
        found[f"experiment {name}"] = {**arrays, **figures}
    return found


def _plain(row: Any) -> bool:
    """Whether a process that imported TensorFlow with its usual settings can train it."""
    return row.precision == "float32" and row.backend == "tensorflow"


def prepare(project: Project, name: str) -> None:
    preprocess.run(project, name)
    baseline.run(project, name)


def fit(project: Project, name: str) -> None:
    train.run(project, name)
    evaluate.run(project, name)


def _each(function: Any, rows: list[Any]) -> None:
    # A pool of multiprocessing has daemons, and these may not start the process that sends to MLflow.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["keras", "mlflow", "sklearn.linear_model"])  # imported once
    with ProcessPoolExecutor(PROCESSES, context, max_tasks_per_child=1) as pool:
        list(pool.map(function, *zip(*rows, strict=True)))


def _arrays(folder: Path, prefix: str = "") -> Iterator[tuple[str, str]]:
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as stored:
            for name in stored.files:
                value = stored[name]
                digest = hashlib.sha256(f"{value.dtype} {value.shape} ".encode() + value.tobytes())
                yield f"{prefix}{path.stem} {name}", digest.hexdigest()[:20]


def _numbers(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _numbers(f"{key}.{name}".lstrip("."), inner)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _numbers(f"{key}[{i}]", inner)
    else:
        yield key, value


def compare(stored: dict[str, Any], found: dict[str, Any], only: Any) -> Iterator[str]:
    for name in sorted(stored.keys() | found.keys() if not only else found.keys()):
        old, new = stored.get(name, {}), found.get(name, {})
        for key in sorted(old.keys() | new.keys()):
            a, b = old.get(key, "nothing"), new.get(key, "nothing")
            if not (
                a == b or (_is_number(a) and _is_number(b) and math.isclose(a, b, abs_tol=TOLERANCE, rel_tol=TOLERANCE))
            ):
                yield f"{name}: {key}: was {a}, is {b}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


if __name__ == "__main__":
    sys.exit(main())
