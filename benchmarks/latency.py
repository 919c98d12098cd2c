"""How long one request takes: `python benchmarks/latency.py <experiment> …`, for trained experiments of this project.

Each experiment's newest model in MLflow is served as users serve it (`mlflow models serve --env-manager local`, one
worker) and asked its raw test rows one by one, over HTTP; and the same in this process, without a server. After a
warm-up of five requests, median and 95th percentile of fifty, in milliseconds; and the seconds until a server answers
its first request.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import requests

sys.path.insert(0, str(Path(__file__).parents[1]))

from pipeline import artifacts
from pipeline.artifacts import Project, here
from pipeline.encoding.records import network_key
from pipeline.serving.served import Served
from pipeline.serving.skew import raw_rows
from pipeline.tracking.store import address

REQUESTS, WARM_UP = 50, 5
OPTIONS = {"char_lm": {"length": 100}, "forecasting": {"steps": 96}}


def rows(project: Project, name: str) -> tuple[list[Any], dict[str, Any]]:
    """Raw test rows of an experiment, and what is asked of them."""
    network = artifacts.load_json(project.model(name) / "model" / "network.json")
    dataset = network["dataset"]
    stored = artifacts.load_arrays(project.predictions(dataset, name) / "predictions.npz")[network_key(0, "test")]
    found = raw_rows(network, artifacts.load_encoded(project.prepared(dataset)), stored, REQUESTS)
    return found.inputs, OPTIONS.get(network["task"], {})


@contextmanager
def served(project: Project, name: str) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    model = artifacts.load_json(project.model(name) / "run.json")["model_id"]
    command = ["mlflow", "models", "serve", "-m", f"models:/{model}", "--env-manager", "local", "-p", port, "-w", "1"]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": address(project), "MLFLOW_DISABLE_TELEMETRY": "true"}
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait()


def first(ask: Callable[[Any], Any], item: Any) -> float:
    """Seconds until an answer comes, in which the server starts and TensorFlow is loaded."""
    started = time.monotonic()
    while True:
        try:
            ask(item)
            return time.monotonic() - started
        except requests.ConnectionError:
            time.sleep(0.2)


def times(ask: Callable[[Any], Any], inputs: list[Any]) -> str:
    for i in range(WARM_UP):
        ask(inputs[i % len(inputs)])
    taken = []
    for i in range(REQUESTS):
        started = time.perf_counter()
        ask(inputs[i % len(inputs)])
        taken.append(1000 * (time.perf_counter() - started))
    return f"{np.median(taken):.0f} | {np.percentile(taken, 95):.0f}"


def main() -> None:
    project = here()
    print(
        "| experiment | first, s | HTTP median, ms | 95 % | in process median, ms | 95 % |\n|---|---|---|---|---|---|"
    )
    for name in sys.argv[1:]:
        inputs, options = rows(project, name)
        with served(project, name) as url:

            def post(item: Any, url: str = url, options: dict[str, Any] = options) -> None:
                requests.post(f"{url}/invocations", json={"inputs": [item], "params": options}).raise_for_status()

            begun = first(post, inputs[0])
            over_http = times(post, inputs)
        model = Served(project.model(name) / "model")

        def answer(item: Any, model: Served = model, options: dict[str, Any] = options) -> None:
            model.answer([item], options)

        alone = times(answer, inputs)
        print(f"| {name} | {begun:.0f} | {over_http} | {alone} |", flush=True)


if __name__ == "__main__":
    main()
