"""Ask a served model mixed requests for a long time: no wrong answer, and its memory stays flat.

python benchmarks/soak.py <experiment> [--seconds 1200]. Starts `python -m pipeline serve`, and asks it with eight
clients at once: requests whose answers are known, large ones, malformed ones, and ones that are too much. Every answer
must be the one that the model gives in this process, and every other request must get its 4xx; a busy server may give
both a 503 with Retry-After. Memory is flat if its mean in the last quarter is at most 3 % above that in the second.
Ends with 1 if not.
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import requests

sys.path.insert(0, str(Path(__file__).parents[1]))
from pipeline.artifacts import here
from pipeline.serving.served import Served

CLIENTS = 8
GROWTH = 1.03
JSON = {"Content-Type": "application/json"}
WORDS = ("the", "old", "man", "was", "awesome", "but", "his", "copper", "lantern", "is", "awful", "🙂", "zzqx")
MALFORMED = (b"", b"[" * 50_000, b'{"inputs": [NaN]}', b'{"inputs": "x"}', b'{"inputs": [' + b"9" * 5_000 + b"]}")


def requests_of(served: Served) -> list[tuple[bytes, Any]]:
    """Return bodies, each with the predictions that must come back, or the status of the refusal."""
    example, rng = served.task.serving_example, random.Random(0)
    options = {name: 20 for name in ("length", "steps") if name in (example.options or {})}
    item = example.of(served.encoder) if example.of else example.inputs[0]
    is_text = isinstance(item, str) and served.task.command != "classify"
    many = [" ".join(rng.choices(WORDS, k=rng.randint(1, 40))) if is_text else item for _ in range(60)]
    good: list[tuple[list[Any], dict[str, Any]]] = [([one], options) for one in many[:40]]
    good += [(many[:20], options), (many[20:60], options)]
    good += [(many[:2], {name: 500}) for name in options]
    known = [(body(inputs, given), served.answer(inputs, given)) for inputs, given in good]
    wrong: list[tuple[bytes, Any]] = [(content, 400) for content in MALFORMED]
    wrong += [(body([5, None], options), 400), (body([item] * 1_001, {}), 400), (b" " * (17 * 2**20), 413)]
    wrong += [(body(many[:40], {name: 2_000}), 400) for name in options]
    return known * 3 + wrong


def body(inputs: list[Any], options: dict[str, Any]) -> bytes:
    return json.dumps({"inputs": inputs, "params": options}).encode()


def judged(response: requests.Response, expected: Any) -> str:
    """Name the outcome; "wrong …" if it is not the expected one."""
    if response.status_code == 503:
        return "503" if int(response.headers["Retry-After"]) > 0 else "wrong: 503 without Retry-After"
    if isinstance(expected, int):
        right = response.status_code == expected and bool(response.json()["message"])
        return f"{expected}" if right else f"wrong: {response.status_code} for {expected}"
    if response.status_code != 200:
        return f"wrong: {response.status_code} {response.text[:200]}"
    return "right" if same(response.json()["predictions"], expected) else f"wrong answer: {response.text[:200]}"


def same(found: Any, expected: Any) -> bool:
    """Compare to 1e-5: float32 sums of batches of other sizes differ in their last digits."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(found[key], expected[key]) for key in expected)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(expected, float):
        return abs(found - expected) <= 1e-5 * max(1.0, abs(expected))
    return bool(found == expected)


def ask(url: str, bodies: list[tuple[bytes, Any]], seed: int, until: float, seen: Counter[str]) -> None:
    rng = random.Random(seed)
    while time.monotonic() < until:
        content, expected = rng.choice(bodies)
        try:
            outcome = judged(requests.post(f"{url}/invocations", data=content, headers=JSON, timeout=120), expected)
        except requests.RequestException as error:
            # the server hangs up on a body that is too large, which the client may notice while it still sends
            outcome = "413" if expected == 413 else f"wrong: {type(error).__name__}"
        seen[outcome] += 1


def memory(process: psutil.Process) -> float:
    """Return the resident memory in MB."""
    return float(process.memory_info().rss) / 2**20


def soak(experiment: str, seconds: float) -> int:
    """Run the soak, print what was seen, and return the exit code."""
    bodies = requests_of(Served(here().model(experiment) / "model"))
    command = [sys.executable, "-m", "pipeline", "serve", experiment, "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            found = re.search(r"http://[\d.:]+(?=/)", server.stdout.readline())
            assert found, "the server did not start"
            seen, used, until = Counter[str](), list[float](), time.monotonic() + seconds
            asking = [
                threading.Thread(target=ask, args=(found[0], bodies, seed, until, seen)) for seed in range(CLIENTS)
            ]
            for thread in asking:
                thread.start()
            while any(thread.is_alive() for thread in asking):
                used.append(memory(psutil.Process(server.pid)))
                time.sleep(1)
        finally:
            server.terminate()
    quarter = len(used) // 4
    second, last = sum(used[quarter : 2 * quarter]) / quarter, sum(used[-quarter:]) / quarter
    print(f"{experiment}: {sum(seen.values())} requests in {seconds:.0f} s: {dict(seen)}")
    print(f"memory: {used[0]:.0f} MB at first, {second:.0f} in the second quarter, {last:.0f} in the last")
    return int(last > GROWTH * second or any(outcome.startswith("wrong") for outcome in seen) or not seen["right"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", help="a trained experiment")
    parser.add_argument("--seconds", type=float, default=1200.0, help="default: 1200")
    given = parser.parse_args()
    sys.exit(soak(given.experiment, given.seconds))
