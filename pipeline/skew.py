"""What evaluate stored against what a served model answers to the same test rows, given raw.

The rows are turned back into what a user would send (a sentence, a prompt, a series up to an origin, a picture file),
and what comes back is compared with the stored predictions of the first member, whose weights are the ones that answer.
Nothing of the preparation is shared with the model, so that whatever it does otherwise than the training shows.
"""

import base64
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.encoding.records import SPLITS, Encoded, member_key, unpack
from pipeline.errors import DataError
from pipeline.tracking import address

LIMIT = 1e-6
TOGETHER = 10  # rows in one request: a server gives each a minute
SECONDS = 600
SCORED = 200  # characters of each stream
TEST = SPLITS.index("test")

Answers = list[dict[str, Any]]
Ask = Callable[[list[Any], dict[str, Any]], Answers]
Network = Mapping[str, Any]

# In a process of its own, started in an empty folder: the model's own code answers, and not this checkout's.
CLEAN = """
import json, sys
import mlflow
inputs, options = json.load(sys.stdin)
print(json.dumps(mlflow.pyfunc.load_model(sys.argv[1]).predict(inputs, params=options)))
"""


@dataclass(frozen=True)
class Rows:
    """Raw test rows and what evaluate has for each. `read`: what is expected, taken from an answer. A difference is
    counted in `unit`, or in the stored value where that is larger: networks count in float32, with seven digits."""

    inputs: list[Any]
    expected: list[NDArray[Any]]
    read: Callable[[dict[str, Any], NDArray[Any]], NDArray[Any]]
    options: dict[str, Any] = field(default_factory=dict)
    unit: float = 1.0


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


def differences(rows: Rows, ask: Ask) -> NDArray[np.float64]:
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


def raw_rows(network: Network, encoded: Encoded, stored: NDArray[Any], rows: int) -> Rows:
    """At most `rows` test rows, spread evenly. stored: the first member's test predictions."""
    if network["task"] not in RAW:
        raise DataError(f"{network['task']}: a chapter's protocol; skew is checked for {', '.join(RAW)}")
    found = RAW[network["task"]](network, encoded, stored, rows)
    if not found.inputs:
        raise DataError("no test row can be turned back into raw input")
    return found


def _spread(total: int, rows: int) -> NDArray[np.int64]:
    """int64 [at most rows]: positions from 0 to total, evenly."""
    return np.unique(np.linspace(0, total - 1, min(total, max(rows, 1))).round().astype(np.int64))


def _texts(network: Network, encoded: Encoded, stored: NDArray[Any], rows: int) -> Rows:
    at = _spread(len(stored), rows)
    tests = np.flatnonzero(encoded.arrays["split"][0] == TEST)
    return Rows(unpack(encoded.arrays, tests[at]), list(stored[at]), _probabilities(encoded))


def _probabilities(encoded: Encoded) -> Callable[[dict[str, Any], NDArray[Any]], NDArray[Any]]:
    names = encoded.encoder["label_names"]

    def read(answer: dict[str, Any], expected: NDArray[Any]) -> NDArray[Any]:
        """No number at all where the label is another one."""
        if answer["label"] != names[expected.argmax()]:
            return np.full(len(names), np.nan)
        return np.array([answer["probabilities"][name] for name in names])

    return read


def _pictures(network: Network, encoded: Encoded, stored: NDArray[Any], rows: int) -> Rows:
    at = _spread(len(stored), rows)
    return Rows([_png(pixels) for pixels in encoded.arrays["test_x"][at]], list(stored[at]), _probabilities(encoded))


def _png(pixels: NDArray[np.uint8]) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def _sentences(network: Network, encoded: Encoded, stored: NDArray[Any], rows: int) -> Rows:
    """A word with white space inside cannot be sent: its sentence is left out."""
    arrays, ids = encoded.arrays, {tag: i for i, tag in enumerate(encoded.encoder["tags"])}
    tests = np.flatnonzero(arrays["split"][0] == TEST)
    starts = np.cumsum([0, *np.diff(arrays["offsets"])[tests]])
    inputs, expected = [], []
    for i in _spread(len(tests), rows):
        words = unpack(arrays, np.arange(arrays["offsets"][tests[i]], arrays["offsets"][tests[i] + 1]))
        if " ".join(words).split() == words:
            inputs.append(" ".join(words))
            expected.append(stored[starts[i] : starts[i + 1]])
    return Rows(inputs, expected, lambda answer, _: np.array([ids[tag] for tag in answer["tags"]]))


def _running_text(network: Network, encoded: Encoded, stored: NDArray[Any], rows: int) -> Rows:
    """The first SCORED characters of each stream that evaluate read, with all that it had read before them."""
    from pipeline.encoding.text_cleaning import prepare
    from pipeline.encoding.vocabulary import UNKNOWN, Vocabulary
    from pipeline.tasks.char_lm import carried_rows

    symbols = Vocabulary(tuple(encoded.encoder["symbols"]))
    strange = (chr(c) for c in range(33, 0x3000) if chr(c) not in symbols)
    stand_in = next(c for c in strange if prepare(c, encoded.encoder) == c)  # for characters that training lacks
    read, lengths = carried_rows(encoded, "test")
    starts = np.cumsum([0, *lengths[:-1]])
    inputs, expected = [], []
    for ids, length, start in list(zip(read, lengths, starts, strict=True))[:rows]:
        before = len(ids) - length
        text = "".join(stand_in if s == UNKNOWN else s for s in symbols.decode(ids[: before + SCORED])).rstrip()
        if prepare(text, encoded.encoder) == text and len(text) > before:  # else it begins with a space, which is cut
            inputs.append(text)
            expected.append(stored[start : start + len(text) - before])
    return Rows(inputs, expected, lambda answer, bits: np.array(answer["bits"][-len(bits) :]), {"score": True})


def _series(network: Network, encoded: Encoded, stored: NDArray[Any], rows: int) -> Rows:
    """The series up to an origin, as far back as evaluate had read it: with a carried state these are the first origins
    of the streams, for a later one had read more than a served model ever does."""
    from pipeline.encoding.series_features import reach
    from pipeline.tasks.forecasting import carried_steps, targets, window_steps

    encoder, values = encoded.encoder, encoded.arrays["values"]
    origins, _ = targets(encoded, "test")
    if network["stateful"]:
        at, warm = carried_steps(encoded, "test")
        picked, back = at[:rows, warm] - origins[0], warm
    else:
        picked = _spread(len(origins), rows)
        back = len(window_steps(encoded, "test", network["time_steps"])) - 1
    inputs = [_item(encoded, values, int(origins[i]) - back - reach(encoder), int(origins[i]) + 1) for i in picked]
    horizons = np.array(encoder["horizons"])
    return Rows(
        inputs,
        list(stored[picked]),
        lambda answer, _: np.array(answer["values"])[horizons - 1],
        {"steps": int(horizons.max())},
        encoder["sd"],
    )


def _item(encoded: Encoded, values: NDArray[np.float64], start: int, end: int) -> dict[str, Any]:
    encoder = encoded.encoder
    item: dict[str, Any] = {"values": values[start:end].tolist()}
    if encoder["start"] is not None:
        first = np.datetime64(encoder["start"], "s") + np.timedelta64(encoder["step_seconds"] * start, "s")
        item["start"] = str(first)
    if "extras" in encoded.arrays:
        columns = encoded.arrays["extras"][start:end].T.tolist()
        item["extras"] = {extra["name"]: column for extra, column in zip(encoder["extras"], columns, strict=True)}
    return item


def _prices(network: Network, encoded: Encoded, stored: NDArray[Any], rows: int) -> Rows:
    from pipeline.tasks.returns import COLUMNS, days

    need, at = encoded.encoder["first"], _spread(len(stored), rows)
    tests = days(encoded, "test", 0)[at]
    inputs = [{name: encoded.arrays[name][day - need : day].tolist() for name in COLUMNS} for day in tests]
    unit = encoded.encoder["scalings"][0]["spread"]
    return Rows(inputs, list(stored[at]), lambda answer, _: np.array(answer["log_return"]), unit=unit)


RAW: dict[str, Callable[[Network, Encoded, NDArray[Any], int], Rows]] = {
    "char_lm": _running_text,
    "sentiment": _texts,
    "pos_tagging": _sentences,
    "forecasting": _series,
    "image_rows": _pictures,
    "returns": _prices,
    "padded_texts": _texts,
}


def _ask(project: Project, folder: Path, model: str | None, url: str | None) -> Ask:
    if url is not None:
        return lambda inputs, options: _over_http(url, inputs, options)
    if model is not None:
        place = str(Path(model).absolute()) if Path(model).is_dir() else model
        return lambda inputs, options: _in_clean_process(address(project), place, inputs, options)
    from pipeline.serving import Served

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
