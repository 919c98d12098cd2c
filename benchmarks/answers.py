"""How long answers of trained experiments take, and their memory: `python benchmarks/answers.py <experiment> …`.

For each experiment: the first answer on the command line (seconds, seconds of processor time, memory at its peak), the
medians of three processes; then `python -m pipeline serve`: seconds until it answers, memory after all requests, and
milliseconds of a request, median and 95th percentile of two hundred after ten; the same in this process, without a
server; and the characters or steps that one request makes in a second, if it makes many. The last lines say which goals
fall short; with --check, the script then ends with 1.
"""

import argparse
import base64
import contextlib
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the commands set it, for what is measured in this process

import numpy as np
import psutil

from pipeline import artifacts
from pipeline.artifacts import Project, here
from pipeline.encoding.records import network_key
from pipeline.serving.served import Served
from pipeline.serving.skew import raw_rows

ROOT = Path(__file__).parents[1]
# The goals: seconds of the first answer on the command line; MB of a server and milliseconds of a request over HTTP.
FIRST_ANSWER, SERVERS = 1, {"umich": (250, 2.0)}
PROCESSES, WARM_UP, REQUESTS = 3, 10, 200
MANY = {"char_lm": {"length": 100}, "forecasting": {"steps": 96}}
LONG = {"char_lm": {"length": 5_000}, "forecasting": {"steps": 2_000}}
HEAD = (
    "| experiment | command line, s | processor, s | peak, MB | server up, s | server, MB | HTTP median, ms | 95 %"
    " | in process, ms | 95 % | made a second |"
)
# In a small process: a child's peak memory begins with that of its parent.
CHILD = """
import resource, subprocess, sys, time
started = time.monotonic()
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
taken, used = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
print(taken, used.ru_utime + used.ru_stime, used.ru_maxrss)
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


class Answers(NamedTuple):
    """The columns of the table: seconds, megabytes, milliseconds as (median, 95th percentile), and made a second."""

    wall: float
    processor: float
    peak: float
    up: float
    memory: float
    http: tuple[float, float]
    alone: tuple[float, float]
    made: float | None

    def line(self, name: str) -> str:
        made = "–" if self.made is None else f"{self.made:,.0f}"
        return (
            f"| {name} | {self.wall:.2f} | {self.processor:.2f} | {self.peak:.0f} | {self.up:.1f} | {self.memory:.0f}"
            f" | {self.http[0]:.2f} | {self.http[1]:.2f} | {self.alone[0]:.2f} | {self.alone[1]:.2f} | {made} |"
        )


def inputs_of(project: Project, name: str) -> tuple[str, list[Any]]:
    """Return the task of an experiment, and raw test rows."""
    network = artifacts.load_json(project.model(name) / "model" / "network.json")
    dataset = network["dataset"]
    stored = artifacts.load_arrays(project.predictions(dataset, name) / "predictions.npz")[network_key(0, "test")]
    return network["task"], raw_rows(network, artifacts.load_encoded(project.prepared(dataset)), stored, 50).inputs


def arguments(command: str, item: Any, folder: str) -> list[str]:
    """Return what follows the experiment's name on the command line."""
    if command == "classify":
        picture = Path(folder) / "picture"
        picture.write_bytes(base64.b64decode(item))
        return [str(picture)]
    return {"generate": ["--prompt", str(item)[:100], "--length", "100"], "forecast": []}.get(command, [str(item)])


def on_the_command_line(line: list[str]) -> tuple[float, float, float]:
    """Return the seconds of a process, its seconds of processor time, and its peak memory in MB."""
    done = subprocess.run([sys.executable, "-c", CHILD, *line], env=ENVIRONMENT, stdout=subprocess.PIPE, check=True)
    taken, processor, peak = map(float, done.stdout.split())
    return taken, processor, peak / 1024


@contextlib.contextmanager
def server_of(name: str) -> Iterator[tuple[str, psutil.Process]]:
    """Start the server; give its host with its port, and its process."""
    line = [sys.executable, "-m", "pipeline", "serve", name, "--port", "0"]
    with subprocess.Popen(line, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            found = re.search(r"http://([\d.:]+)/", server.stdout.readline())
            assert found, "the server did not start"
            yield found[1], psutil.Process(server.pid)
        finally:
            server.terminate()


def times(ask: Callable[[Any], Any], inputs: list[Any]) -> tuple[float, float]:
    """Return the median and the 95th percentile of the milliseconds of an answer."""
    for i in range(WARM_UP):
        ask(inputs[i % len(inputs)])
    taken = []
    for i in range(REQUESTS):
        started = time.perf_counter()
        ask(inputs[i % len(inputs)])
        taken.append(1000 * (time.perf_counter() - started))
    return float(np.median(taken)), float(np.percentile(taken, 95))


def measured(project: Project, name: str) -> Answers:
    """Measure one experiment."""
    task, inputs = inputs_of(project, name)
    model = Served(project.model(name) / "model")
    options = MANY.get(task, {})
    with tempfile.TemporaryDirectory() as folder:
        more = arguments(model.task.command, inputs[0], folder)
        line = [sys.executable, "-m", "pipeline", model.task.command, name, *more]
        runs = [on_the_command_line(line) for _ in range(PROCESSES)]
    wall, processor, peak = (statistics.median(column) for column in zip(*runs, strict=True))
    started = time.monotonic()
    with server_of(name) as (address, process), contextlib.closing(http.client.HTTPConnection(address)) as connection:

        def post(item: Any) -> None:
            body = json.dumps({"inputs": [item], "params": options}).encode()
            connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
            if response.status != http.HTTPStatus.OK:
                raise SystemExit(f"{name}: {answer.decode()}")

        post(inputs[0])
        up = time.monotonic() - started
        over_http = times(post, inputs)
        memory = process.memory_info().rss / 2**20
    alone = times(lambda item: model.answer([item], options), inputs)
    made = None
    if task in LONG:
        (count,) = LONG[task].values()
        started = time.perf_counter()
        model.answer(inputs[:1], LONG[task])
        made = count / (time.perf_counter() - started)
    return Answers(wall, processor, peak, up, memory, over_http, alone, made)


def judged(found: Mapping[str, Answers]) -> Iterator[str]:
    """Yield a line for each goal that falls short."""
    for name, row in found.items():
        if row.wall > FIRST_ANSWER:
            yield f"falls short: {name} answers after {row.wall:.2f} s on the command line, the goal is {FIRST_ANSWER}"
        megabytes, milliseconds = SERVERS.get(name, (float("inf"), float("inf")))
        if row.memory > megabytes:
            yield f"falls short: the server of {name} takes {row.memory:.0f} MB, the goal is {megabytes}"
        if row.http[0] > milliseconds:
            yield f"falls short: a request to {name} takes {row.http[0]:.2f} ms, the goal is {milliseconds:g}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", nargs="+", help="trained experiments")
    parser.add_argument("--check", action="store_true", help="end with 1 if a goal falls short")
    arguments = parser.parse_args()
    print(f"{HEAD}\n|{'---|' * HEAD.count(' | ')}---|")
    found = {}
    for name in arguments.experiment:
        found[name] = measured(here(), name)
        print(found[name].line(name), flush=True)
    missed = list(judged(found))
    print("\n" + ("\n".join(missed) or "every goal is reached"))
    return int(arguments.check and bool(missed))


if __name__ == "__main__":
    sys.exit(main())
