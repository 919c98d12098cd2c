"""What a user's program gets from a served model: what was evaluated, and for odd input a warning or a 400.

Models of two kinds are served by `mlflow models serve`, the others by `python -m pipeline serve`, with the logged code.
"""

import base64
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from pipeline.__main__ import main
from pipeline.artifacts import Project
from pipeline.config import loading
from pipeline.errors import Busy, DataError
from pipeline.promotion import promote
from pipeline.promotion.registry import Registry
from pipeline.serving.served import SECONDS
from pipeline.sources import SOURCES
from pipeline.tracking import store

STARTING = 300.0
KINDS = ("umich", "treebank", "alice", "electricity", "digits")  # text, sentence, prompt, series, picture
BY_MLFLOW = ("umich", "electricity")
NUMBERS = [float(i % 9) for i in range(200)]
WORD = "none of its words is in the model's vocabulary"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
# By kind: an input, options, and what the warning or the message of the 400 says; None for an answer without a warning.
ODD: dict[str, list[tuple[Any, dict[str, Any], int, str | None]]] = {
    "umich": [
        ("I love the Copper Lantern", {}, 200, None),
        ("", {}, 200, WORD),
        ("zzqx vrk", {}, 200, WORD),
        ("🙂🙂", {}, 200, WORD),
        ("\x00\n\t", {}, 200, WORD),
        ("I love it " * 100_000, {}, 200, "only the first 100000 characters of the text were read"),
        ({"x": 1}, {}, 400, "input 0: found dict; a text must be a string"),
        ("\ud800", {}, 400, "surrogates not allowed"),
    ],
    "treebank": [
        ("The old man the boat .", {}, 200, None),
        ("", {}, 400, "input 0: no words"),
        (" \n", {}, 400, "input 0: no words"),
        ("漢字 🙂", {}, 200, WORD),
        ("word " * 200_000, {}, 200, "only the first 1000 words were read"),
    ],
    "alice": [
        ("alice was", {"length": 20}, 200, None),
        ("", {"length": 20}, 200, "the prompt is empty"),
        ("🙂", {"length": 20}, 200, "no character of the prompt was in the training data"),
        ("alice was " * 100_000, {"length": 20}, 200, "only the last 10000 characters of the prompt were read"),
        ("alice", {"temperature": "hot"}, 400, "temperature"),
        ("alice", {"temperature": -1.0}, 400, "temperature: found -1.0; it must be a number from 0.0 to 10.0"),
        ("alice", {"length": -1}, 400, "length: found -1; it must be a number from 1 to 5000"),
        ("a", {"score": True}, 400, "score: fewer than two characters"),
    ],
    "electricity": [
        ({"values": NUMBERS, "start": "2011-07-03T05:00"}, {"steps": 3}, 200, None),
        ({"values": [int(x) for x in NUMBERS]}, {"steps": 3}, 200, None),  # whole numbers are numbers
        ({}, {"steps": 3}, 200, "no values were given"),
        ("x", {"steps": 3}, 200, "no values were given"),  # MLflow leaves nothing of what its signature lacks
        ({"values": [5.0] * 200}, {"steps": 3}, 200, "the values are all the same"),
        ({"values": [*NUMBERS, 1e5]}, {"steps": 3}, 200, "some values are far from all"),
        ({"values": NUMBERS[:5]}, {}, 400, "more than 96 are needed"),
        ({"values": [*NUMBERS, None]}, {}, 400, "all finite"),
        ({"values": [*NUMBERS, "x"]}, {}, 400, "a forecast needs"),
        ({"values": 5}, {}, 400, "more than 96 are needed"),
        ({"values": NUMBERS, "start": "yesterday"}, {}, 400, "start: found 'yesterday'"),
        ({"values": NUMBERS}, {"steps": 0}, 400, "steps: found 0"),
    ],
    "digits": [
        (PIXEL, {}, 200, "fewer pixels than the 8 × 8 that the network sees"),
        ("", {}, 400, "input 0: not a picture file"),
        ("no picture", {}, 400, "input 0: not a picture file"),
        (base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(100)).decode(), {}, 400, "input 0: not a picture file"),
    ],
}


def champion(project: Project, experiment: str) -> str:
    """The address of the experiment's model, made the champion of its source and task."""
    candidate = promote.candidate(project, loading.load(project.root, SOURCES), experiment)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project.root}/mlflow.db")
        with store.connected(project) as client:
            registry = Registry(client)
            ids = (candidate.run["run_id"], candidate.run["model_id"])
            registry.promote(registry.register(candidate.model, *ids, candidate.tags), None, "the test")
    return f"models:/{candidate.model}@champion"


@contextlib.contextmanager
def serving(project: Project, experiment: str, log: Path) -> Iterator[str]:
    """The address of the server, which ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "DVC_ROOT")}
    environment |= {
        "MLFLOW_TRACKING_URI": f"sqlite:///{project.root}/mlflow.db",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
    }
    model = champion(project, experiment)
    if experiment in BY_MLFLOW:
        command = ["mlflow", "models", "serve", "-m", model, "--env-manager", "local"]
        command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--timeout", "300"]
    else:
        command = [sys.executable, "-m", "pipeline", "serve", model, "--port", str(port)]
        environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    with log.open("w") as handle:
        server = subprocess.Popen(command, cwd=project.root, env=environment, stdout=handle, stderr=handle)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, server, log)
        yield url
    finally:
        server.terminate()
        server.wait(30)


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + STARTING
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(requests.ConnectionError):
            if requests.get(f"{url}/ping", timeout=10).ok:
                return
        time.sleep(0.2)
    raise AssertionError(f"no server: {log.read_text()[-2_000:]}")


@pytest.mark.filterwarnings("ignore")  # MLflow's advice on type hints, at its import
@pytest.mark.fault("deadline")
def test_mlflow_answers_400_for_what_cannot_be_read_and_503_after_the_deadline() -> None:
    from mlflow.environment_variables import MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT as GIVES_UP
    from mlflow.exceptions import MlflowException

    from pipeline.serving.mlflow_model import ServedModel

    assert GIVES_UP.default > SECONDS, "or its server would answer first"

    class Fails:
        def __init__(self, error: Exception) -> None:
            self.error = error

        def answer(self, inputs: list[Any], options: Any, seconds: float) -> list[Any]:
            assert (inputs, options, seconds) == (["x"], {"length": 1}, SECONDS)
            raise self.error

    for error, status in ((DataError("no words"), 400), (Busy("no answer within 50 s"), 503)):
        model = ServedModel()
        model.served = Fails(error)
        with pytest.raises(MlflowException, match=str(error)) as raised:
            model.predict(None, ["x"], {"length": 1})
        assert raised.value.get_http_status_code() == status


NAN = float("nan")
# What MLflow makes of a list of inputs: a pandas table; and the inputs that the model must get back from it.
TABLES: dict[str, tuple[dict[str, list[Any]], list[Any]]] = {
    "texts": ({"0": ["a", "b"]}, ["a", "b"]),
    "one key, which an input lacks": ({"start": ["2011", None]}, [{"start": "2011"}, {}]),
    "two keys of texts": ({"start": ["2011"], "end": ["2012"]}, [{"start": "2011", "end": "2012"}]),
    "numbers": ({"values": [[1.0], NAN], "start": [None, "2011"]}, [{"values": [1.0]}, {"start": "2011"}]),
    "an empty object": ({}, [{}]),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", TABLES)
def test_inputs_come_back_from_the_table_that_mlflow_makes_of_them(name: str) -> None:
    import pandas as pd

    from pipeline.serving.mlflow_model import ServedModel

    class Repeats:
        def answer(self, inputs: list[Any], options: Any, seconds: float) -> list[Any]:
            return inputs

    columns, inputs = TABLES[name]
    model = ServedModel()
    model.served = Repeats()
    assert model.predict(None, pd.DataFrame(columns)) == inputs


@pytest.mark.slow
@pytest.mark.parametrize("experiment", KINDS)
def test_a_server_answers_as_evaluated_and_anything_else_with_a_sentence(
    experiment: str,
    trained: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(trained.root)
    with serving(trained, experiment, tmp_path / "log") as url:
        assert main(["skew", experiment, "--url", url]) == 0
        assert re.fullmatch(rf"{experiment}: \d+ raw test rows, largest difference \S+\n", capsys.readouterr().out)
        for item, options, status, said in ODD[experiment]:
            started = time.monotonic()
            # dumps: requests itself would refuse half a surrogate pair
            body = json.dumps({"inputs": [item], "params": options} if options else {"inputs": [item]})
            headers = {"Content-Type": "application/json"}
            found = requests.post(f"{url}/invocations", data=body, headers=headers, timeout=300)
            shown = f"{str(item)[:60]!r}, {options}: {found.status_code} {found.text[-300:]}"
            assert found.status_code == status, shown
            assert "Traceback" not in found.text and time.monotonic() - started < 30, shown
            if status == 200:
                (answer,) = found.json()["predictions"]
                assert (said is None and "warning" not in answer) or (said and said in answer["warning"]), shown
            else:
                assert said in found.json()["message"], shown
