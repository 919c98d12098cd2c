"""Measures what a corpus of twice the size costs, and the largest published ones: `python benchmarks/growth.py`.

Made-up texts of two sizes go through the stages preprocess, baseline, train (one epoch), evaluate and report, each in a
process of its own: seconds of all processors, and the peak of memory. The goals: twice the corpus takes at most TIME
times as long and MEMORY times as much memory. With --published, War and Peace goes from download to report with one
epoch (at most 1,500 MB), and IMDb is prepared (at most 20 s and 900 MB); PIPELINE_MIRROR may name a folder with the
files.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import yaml

ROOT = Path(__file__).resolve().parents[1]
TIME, MEMORY = 2.2, 1.2
STAGES = ("preprocess", "baseline", "train", "evaluate", "report")
# In a small process: a child's peak memory begins with that of its parent.
CHILD = """
import resource, subprocess, sys, time
started = time.monotonic()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
taken, used = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, taken, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""
NETWORK = {"recipe": "none", "epochs": 1, "synthetic": {"epochs": 1}}
KINDS = {
    "characters": ("text", {"reader": "own_text"}, "char_lm", {"units": 128, "batch_size": 32}, 2_000_000),
    "sentences": (
        "csv", {"reader": "own_labelled", "text": "text", "label": "label"}, "sentiment", {"units": 32}, 20_000,
    ),
}  # fmt: skip
Cost = tuple[float, float, float]  # seconds, seconds of all processors, MB


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--published", action="store_true", help="also the largest published data sets")
    parser.add_argument("--check", action="store_true", help="end with 1 if a goal falls short")
    arguments = parser.parse_args()
    missed = []
    for kind in KINDS:
        costs = [_through_all_stages(kind, size) for size in (1, 2)]
        print(f"\n{kind}, once and twice the corpus\n")
        print("| stage | once, s | twice, s | ratio | once, MB | twice, MB | ratio |\n|---|---|---|---|---|---|---|")
        for stage in costs[0]:
            (_, once, small), (_, twice, large) = (cost[stage] for cost in costs)
            time, memory = twice / once, large / small
            print(f"| {stage} | {once:.1f} | {twice:.1f} | {time:.2f} | {small:.0f} | {large:.0f} | {memory:.2f} |")
            missed += judged(f"{kind}, {stage}", time, memory)
    if arguments.published:
        missed += _published()
    print("\n" + ("\n".join(missed) or "every goal is reached"))
    return int(bool(missed) and arguments.check)


def judged(what: str, time: float, memory: float) -> list[str]:
    """Return the line that says that twice the corpus costs too much, if it does."""
    fine = time <= TIME and memory <= MEMORY
    return [] if fine else [f"falls short: {what}: {time:.2f} times the time, {memory:.2f} times the memory"]


def _through_all_stages(kind: str, size: int) -> dict[str, Cost]:
    suffix, own, task, network, amount = KINDS[kind]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / f"corpus.{suffix}").write_text(_corpus(kind, amount * size), encoding="utf-8")
        rows = {
            "own": {"corpus": {"path": f"corpus.{suffix}", **own}},
            "datasets": {"corpus": {"source": "corpus", "task": task}},
            "experiments": {"corpus": {"dataset": "corpus", "task": task, **NETWORK, **network}},
        }
        _params(root, {"sources": {}, "recipes": {"none": {}}, **rows})
        _cost(root, "import", "corpus")
        return {stage: _cost(root, stage, "corpus") for stage in STAGES}


def _corpus(kind: str, amount: int) -> str:
    """Words whose frequencies fall like those of a language: `amount` characters, or sentences of 20 words."""
    rng = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlucmfw"))
    words = np.array(["".join(rng.choice(letters, rng.integers(2, 9))) for _ in range(8_000)])
    drawn = words[np.minimum(rng.zipf(1.3, amount if kind == "characters" else 20 * amount), 8_000) - 1]
    if kind == "characters":
        return " ".join(drawn)[:amount]
    lines = (f"{i % 2},{' '.join(row)}" for i, row in enumerate(drawn.reshape(-1, 20)))
    return "label,text\n" + "\n".join(lines) + "\n"


def _published() -> list[str]:
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        text = re.sub(r"^edition: .*", "edition: published", (ROOT / "params.yaml").read_text(), flags=re.MULTILINE)
        params = yaml.safe_load(text)
        params["experiments"]["warpeace"] |= {"epochs": 1, "refit": False}
        (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
        peace = [_cost(root, stage, "warpeace") for stage in ("download", *STAGES)]
        peak = max(memory for _, _, memory in peace)
        _cost(root, "download", "imdb")
        taken, _, memory = _cost(root, "preprocess", "imdb")
    print(f"\nWar and Peace from download to report, one epoch: {peak:.0f} MB at most")
    print(f"IMDb prepared: {taken:.1f} s, {memory:.0f} MB")
    if peak > 1_500:
        missed.append(f"falls short: War and Peace: {peak:.0f} MB, the goal is 1,500")
    if taken > 20 or memory > 900:
        missed.append(f"falls short: IMDb: {taken:.1f} s, {memory:.0f} MB, the goals are 20 and 900")
    return missed


def _params(root: Path, rows: dict[str, object]) -> None:
    head = {"seed": 42, "edition": "synthetic", "cell": None, "gate": {"margin": 0.02}}
    (root / "params.yaml").write_text(yaml.safe_dump({**head, **rows}, sort_keys=False))


def _cost(root: Path, stage: str, name: str) -> Cost:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    command = [sys.executable, "-c", CHILD, sys.executable, "-m", "pipeline", stage, name]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True)
    code, *cost = map(float, done.stdout.split())
    if code:
        sys.exit(f"{stage} {name} ended with {code:.0f}:\n{done.stderr}")
    return cost[0], cost[1], cost[2]


if __name__ == "__main__":
    sys.exit(main())
