"""What evaluate stored against what a served model answers to the same test rows, given raw.

The rows are turned back into what a user would send (a sentence, a prompt, a series up to an origin, a picture file),
and what comes back is compared with the stored predictions of the first member, whose weights are the ones that answer.
Nothing of the preparation is shared with the model, so that whatever it does otherwise than the training shows.
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
from pipeline.encoding.records import Encoded, member_key
from pipeline.errors import DataError
from pipeline.evaluation.raw_rows import Answers, RawRows
from pipeline.tasks import task_named
from pipeline.tracking.store import address

LIMIT = 1e-6
TOGETHER = 10  # rows in one request: a server gives each a minute
SECONDS = 600
Network = Mapping[str, Any]
Ask = Callable[[list[Any], dict[str, Any]], Answers]
# In a process of its own, started in an empty folder: the model's own code answers, and not this checkout's.
CLEAN = """
import json, sys
import mlflow
inputs, options = json.load(sys.stdin)
print(json.dumps(mlflow.pyfunc.load_model(sys.argv[1]).predict(inputs, params=options)))
"""


def check(project: Project, name: str, model: str | None, url: str | None, rows: int) -> str:
    """`rows` raw test rows of the experiment, asked of its folder, of an MLflow model (a folder or a model URI) or of a
    server's address; the line that says how they compare. Raises DataError for a difference above LIMIT."""
    folder = project.model(name)
    if not folder.is_dir():
        raise DataError(f"{name}: no trained model in {folder}; `dvc repro` trains it")
    dataset, network = (
        artifacts.load_json(folder / "fit.json")["dataset"],
        artifacts.load_json(folder / "model/network.json"),
    )
    stored = artifacts.load_arrays(project.predictions(dataset, name) / "predictions.npz")[member_key(0, "test")]
    raw = raw_rows(network, artifacts.load_encoded(project.prepared(dataset)), stored, rows)
    found = differences(raw, _ask(project, folder / "model", model, url))
    worst = int(found.argmax())
    line = f"{name}: {len(found)} raw test rows, largest difference {found[worst]:.1e}"
    if not found[worst] <= LIMIT:
        what = f"{str(raw.inputs[worst])[:60]!r} (row {worst + 1})"
        raise DataError(
            f"{line}, at {what}; evaluate and the served model must agree to {LIMIT:g}: was it trained anew?"
        )
    return line


def differences(rows: RawRows, ask: Ask) -> NDArray[np.float64]:
    """float64 [rows]: the largest difference of each answer from what was stored; infinite where an answer has another
    form or a label another name."""
    answers = ask(rows.inputs, rows.options)
    if len(answers) != len(rows.inputs):
        raise DataError(f"{len(rows.inputs)} inputs got {len(answers)} answers")
    pairs = [(rows.read(answer, expected), expected) for answer, expected in zip(answers, rows.expected, strict=True)]
    found = [_largest(a, b.astype(np.float64), rows.unit) if a.shape == b.shape else np.inf for a, b in pairs]
    return np.asarray(np.nan_to_num(np.array(found), nan=np.inf, posinf=np.inf))


def _largest(found: NDArray[Any], expected: NDArray[np.float64], unit: float) -> float:
    return float(np.max(np.abs(found - expected) / np.maximum(np.abs(expected), unit)))


def raw_rows(network: Network, encoded: Encoded, stored: NDArray[Any], rows: int) -> RawRows:
    """Return at most `rows` test rows at even distances. stored: the test predictions of the first network."""
    task = task_named(network["task"])
    if task.raw_rows is None:
        raise DataError(f"{task.name}: belongs to the textbook's protocol; its models are not checked for skew")
    raw = task.raw_rows(network, encoded, stored, rows)
    if not raw.inputs:
        raise DataError("no test row can be turned back into raw input")
    return raw


def _ask(project: Project, folder: Path, model: str | None, url: str | None) -> Ask:
    if url is not None:
        return lambda inputs, options: _over_http(url, inputs, options)
    if model is not None:
        place = str(Path(model).absolute()) if Path(model).is_dir() else model
        return lambda inputs, options: _in_clean_process(address(project), place, inputs, options)
    from pipeline.serving.served import Served

    return Served(folder).answer


def _over_http(url: str, inputs: Sequence[Any], options: Mapping[str, Any]) -> Answers:
    import requests

    answers: Answers = []
    for i in range(0, len(inputs), TOGETHER):
        body = {"inputs": inputs[i : i + TOGETHER], **({"params": options} if options else {})}
        try:
            found = requests.post(f"{url.rstrip('/')}/invocations", json=body, timeout=SECONDS)
            if found.status_code != requests.codes.ok:
                raise DataError(f"{url}: answered {found.status_code}: {found.text[-300:]}")
            answers += found.json()["predictions"]
        except (requests.RequestException, ValueError, KeyError) as error:
            raise DataError(f"{url}: no answer ({error}); `mlflow models serve` must run there") from None
    return answers


def _in_clean_process(store: str, model: str, inputs: Sequence[Any], options: Mapping[str, Any]) -> Answers:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment = {**kept, "MLFLOW_TRACKING_URI": store, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    with tempfile.TemporaryDirectory() as empty:
        done = subprocess.run(
            [sys.executable, "-c", CLEAN, model],
            input=json.dumps([inputs, options or None]),
            cwd=empty, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        raise DataError(f"{model}: cannot be asked: {done.stderr.strip().splitlines()[-1]}")
    answers: Answers = json.loads(done.stdout.splitlines()[-1])
    return answers
