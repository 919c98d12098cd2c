"""Compare a served model's answers to raw test rows with the predictions that evaluate scored.

The test rows are turned back into what a user would send: a sentence, a prompt, a series up to an origin, a picture
file. The answers are compared with the stored predictions of the first network, which is the one that is served. The
model prepares the raw input with its own code, so any difference from the preparation for training becomes visible.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.encoding.records import Encoded, network_key
from pipeline.errors import DataError
from pipeline.evaluation.raw_rows import Answers, RawRows
from pipeline.integrity import checksums
from pipeline.serving import vouched
from pipeline.tasks import task_named
from pipeline.tracking.address import address

LIMIT = 1e-5  # the stored predictions themselves, in float32, are up to 2e-6 from exact arithmetic
TOGETHER = 10  # rows in one request, whose work and time are limited
SECONDS = 600
Network = Mapping[str, Any]
Ask = Callable[[list[Any], dict[str, Any]], Answers]
# Run in a new process, in an empty folder, so that the model's own code answers and not this checkout's.
CLEAN = """
import json, sys
import mlflow
parts, options = json.load(sys.stdin)
model = mlflow.pyfunc.load_model(sys.argv[1])
print(json.dumps([answer for part in parts for answer in model.predict(part, params=options)]))
"""


def check(project: Project, name: str, model: str | None, url: str | None, rows: int) -> str:
    """Compare the answers to `rows` raw test rows with the stored predictions, and return a line with the result.

    The answers come from the experiment's folder, from an MLflow model (a folder or a model URI), or from the server at
    `url`. Raises DataError for a difference above LIMIT.
    """
    folder = project.model(name)
    if not folder.is_dir():
        raise DataError(f"{name}: no trained model in {folder}; run `dvc repro` to train it")
    checksums.check(folder)
    dataset, network = (
        artifacts.load_json(folder / "fit.json")["dataset"],
        artifacts.load_json(folder / "model/network.json"),
    )
    stored = artifacts.load_arrays(project.predictions(dataset, name) / "predictions.npz")[network_key(0, "test")]
    raw = raw_rows(network, artifacts.load_encoded(project.prepared(dataset)), stored, rows)
    gaps = differences(raw, _ask(project, folder / "model", model, url))
    worst = int(gaps.argmax())
    line = f"{name}: {len(gaps)} raw test rows, largest difference {gaps[worst]:.1e}"
    if not gaps[worst] <= LIMIT:
        place = f"{str(raw.inputs[worst])[:60]!r} (row {worst + 1})"
        raise DataError(
            f"{line}, at {place}; evaluate and the served model must agree to {LIMIT:g}. Is it the same training?"
        )
    return line


def differences(rows: RawRows, ask: Ask) -> NDArray[np.float64]:
    """Return the largest difference of each answer from the stored prediction, float64 [rows].

    A difference is infinite if an answer has another form or another label.
    """
    answers = ask(rows.inputs, rows.options)
    if len(answers) != len(rows.inputs):
        raise DataError(f"the model gave {len(answers)} answers to {len(rows.inputs)} inputs")
    pairs = [(rows.read(answer, expected), expected) for answer, expected in zip(answers, rows.expected, strict=True)]
    gaps = [_largest(a, b.astype(np.float64), rows.unit) if a.shape == b.shape else np.inf for a, b in pairs]
    return np.asarray(np.nan_to_num(np.array(gaps), nan=np.inf, posinf=np.inf))


def _largest(answer: NDArray[Any], expected: NDArray[np.float64], unit: float) -> float:
    return float(np.max(np.abs(answer - expected) / np.maximum(np.abs(expected), unit)))


def raw_rows(network: Network, encoded: Encoded, stored: NDArray[Any], rows: int) -> RawRows:
    """Return at most `rows` test rows, evenly spaced. stored: the test predictions of the first network."""
    task = task_named(network["task"])
    if task.raw_rows is None:
        raise DataError(f"{task.name}: belongs to the textbook's protocol; its models are not checked for skew")
    raw = task.raw_rows(network, encoded, stored, rows)
    if not raw.inputs:
        raise DataError("no test row can be turned back into raw input")
    return raw


def _ask(project: Project, folder: Path, model: str | None, url: str | None) -> Ask:
    if url is not None:
        return lambda inputs, options: _in_parts(lambda part, given: _over_http(url, part, given), inputs, options)
    if model is not None:
        return lambda inputs, options: _in_clean_process(project, model, inputs, options)
    from pipeline.serving.served import Served

    served = Served(folder)
    return lambda inputs, options: _in_parts(served.answer, inputs, options)


def _in_parts(ask: Ask, inputs: list[Any], options: dict[str, Any]) -> Answers:
    """Ask a few rows at a time: the work of one request is limited."""
    parts = [inputs[i : i + TOGETHER] for i in range(0, len(inputs), TOGETHER)]
    return [answer for part in parts for answer in ask(part, options)]


def _over_http(url: str, inputs: Sequence[Any], options: Mapping[str, Any]) -> Answers:
    import requests

    body = {"inputs": inputs, **({"params": options} if options else {})}
    try:
        response = requests.post(f"{url.rstrip('/')}/invocations", json=body, timeout=SECONDS)
        if response.status_code != requests.codes.ok:
            raise DataError(f"{url}: answered {response.status_code}: {response.text[-300:]}")
        return list(response.json()["predictions"])
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{url}: no answer ({error}); is `python -m pipeline serve` running there?") from None


def _in_clean_process(project: Project, model: str, inputs: list[Any], options: Mapping[str, Any]) -> Answers:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment = {**kept, "MLFLOW_TRACKING_URI": address(project), "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    with tempfile.TemporaryDirectory() as empty:
        folder = vouched.copy(project, model, Path(empty) / "model")
        done = subprocess.run(
            [sys.executable, "-c", CLEAN, str(folder)],
            input=json.dumps([[inputs[i : i + TOGETHER] for i in range(0, len(inputs), TOGETHER)], options or None]),
            cwd=empty, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        last = (done.stderr.strip() or f"ended with {done.returncode}").splitlines()[-1]
        raise DataError(f"{model}: cannot be loaded or failed to answer: {last}")
    answers: Answers = json.loads(done.stdout.splitlines()[-1])
    return answers
