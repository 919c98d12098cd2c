"""Times the project's experiments against the textbook's own procedures: python benchmarks/textbook_procedure.py.

The procedures are those of textbook_networks.py: one-hot windows or padding, stock Keras layers under `fit`. Both sides
have the same training part, and are scored by the same figure on the same validation part. First the procedure trains
to its end. Then the project's experiment trains until a validation is at least as good as the procedure's last one, and
as its best one. It is validated eight times an epoch, with the weights that it would keep.

The seconds are those of training steps. Not in them: validations, the start of the process with its preparation of the
data, and the first step, which traces the graph and may compile. The last two are printed, and so is the ratio with
them. The sides train one after the other, so compare the seconds of all processors too.

--timed-epochs N trains the procedure for N epochs only. Its seconds are then those of its mean epoch, times its epochs.
Its quality is that of the last whole run, in the folder of --data; without one, the whole is run. --quick is a try on
synthetic data, with a few batches of the procedure.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import validated
from benchmarks.textbook_networks import CHAPTERS
from benchmarks.training_steps import ROOT, prepare

# The goals: how many times as soon the project reaches the quality of the procedure's end.
GOALS = {"alice": 8.0, "sonnets": 8.0, "imdb": 4.0, "treebank": 8.0}


class Point(NamedTuple):
    """A validation after `seconds` of training steps, and `processor` seconds of all processors."""

    epochs: float
    seconds: float
    processor: float
    value: float


class Run(NamedTuple):
    """The validations of a training. start: seconds until it began; first: seconds of its first step.

    figure: what the values are; higher: whether a higher one is better. machine_code: whether Numba had compiled the
    loops before. constant: the value of always answering the most frequent tag, for taggers.
    """

    start: float
    first: float
    figure: str
    higher: bool
    points: list[Point]
    machine_code: bool = True
    constant: float | None = None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiments", nargs="*", default=list(GOALS), help="all of them without it")
    parser.add_argument("--data", type=Path, default=ROOT / ".dvc/tmp/bench", help="folder for the prepared data")
    parser.add_argument("--timed-epochs", type=int, default=0, help="epochs of the procedure; 0: all of them")
    parser.add_argument("--quick", action="store_true", help="a try on synthetic data")
    parser.add_argument("--check", action="store_true", help="end with 1 if a goal falls short")
    parser.add_argument("--opponent", nargs=2, metavar=("KIND", "OPTION"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.opponent:
        kind, option = arguments.opponent
        train = validated.textbook if kind == "textbook" else validated.project
        train(arguments.experiments[0], arguments.data, float(option))
        return 0
    data = arguments.data / "synthetic" if arguments.quick else arguments.data
    prepare(data, arguments.experiments, "synthetic" if arguments.quick else "published")
    verdicts = []
    for name in arguments.experiments:
        epochs = -1.0 if arguments.quick else float(arguments.timed_epochs)
        theirs = of_procedure(name, data, epochs)
        print(described(name, "textbook", theirs), flush=True)
        ours = run("project", name, data, hardest(theirs))
        print(described(name, "project", ours), flush=True)
        print(compared(name, theirs, ours), flush=True)
        verdicts.append(judged(name, theirs, ours))
    print("\n".join(verdicts))
    return int(arguments.check and any(verdict.startswith("falls short") for verdict in verdicts))


def of_procedure(name: str, data: Path, epochs: float) -> Run:
    """Run the textbook's procedure to its end, or time some epochs of it if its course is known from an earlier run."""
    record, total = data / f"textbook-{name}.json", CHAPTERS[name].epochs
    settings = repr(CHAPTERS[name])
    known = json.loads(record.read_text()) if record.exists() else {}
    if epochs > 0 and known.get("settings") == settings:
        timed = run("textbook", name, data, min(epochs, total))
        print(f"{name}: {len(timed.points)} of {total} epochs timed, qualities of an earlier whole run", flush=True)
        return extrapolated(timed, [Point(*point) for point in known["points"]])
    whole = run("textbook", name, data, min(epochs, 0.0))
    if epochs >= 0:
        record.write_text(json.dumps({"settings": settings, "points": whole.points}))
    return whole


def extrapolated(timed: Run, points: list[Point]) -> Run:
    """Give the validations of an earlier run the times of the mean epoch of this one."""
    last = timed.points[-1]
    seconds, processor = last.seconds / last.epochs, last.processor / last.epochs
    return timed._replace(points=[Point(p.epochs, p.epochs * seconds, p.epochs * processor, p.value) for p in points])


def run(kind: str, name: str, data: Path, option: float) -> Run:
    """Train in a process of its own, and collect its lines. option: of `textbook` or `project`."""
    command = [sys.executable, __file__, name, "--data", ".", "--opponent", kind, str(option)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, cwd=data, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} has ended with {done.returncode}:\n{done.stderr}")
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    head = {key: value for line in lines if "value" not in line for key, value in line.items()}
    return Run(points=[Point(**line) for line in lines if "value" in line], **head)


def hardest(theirs: Run) -> float:
    """The better one of the last value and the best one."""
    values = [point.value for point in theirs.points]
    return max(values) if theirs.higher else min(values)


def reached(ours: Run, value: float) -> Point | None:
    """Return the first validation that is at least as good."""
    return next((p for p in ours.points if (p.value >= value if ours.higher else p.value <= value)), None)


def described(name: str, kind: str, found: Run) -> str:
    last = found.points[-1]
    best = (max if found.higher else min)(found.points, key=lambda point: point.value)
    before = "" if found.machine_code else ", in which Numba compiled the loops"
    constant = "" if found.constant is None else f" (a constant tag {found.constant:.4f})"
    return (
        f"{name:9} {kind:9} {last.epochs:g} epochs in {last.seconds:.1f} s ({last.processor:.1f} of processors), "
        f"{found.figure} {last.value:.4f}{constant}, best {best.value:.4f} after {best.epochs:g}; "
        f"start {found.start:.1f} s, first step {found.first:.1f} s{before}"
    )


def compared(name: str, theirs: Run, ours: Run) -> str:
    """Say when the project was as good as the procedure at its end, and as its best epoch."""
    best = next(point for point in theirs.points if point.value == hardest(theirs))
    parts = []
    for what, target in (("end", theirs.points[-1]), ("best epoch", best)):
        point = reached(ours, target.value)
        if point is None:
            parts.append(f"the {what}'s {target.value:.4f} was not reached")
            continue
        whole = (target.seconds + theirs.start + theirs.first) / (point.seconds + ours.start + ours.first)
        parts.append(
            f"the {what}'s {target.value:.4f} after {point.epochs:.2f} epochs, {point.seconds:.2f} s "
            f"({point.processor:.2f}): {target.seconds / point.seconds:.1f}× as soon, processors "
            f"{target.processor / point.processor:.1f}×, with start and first step {whole:.1f}×"
        )
    return f"{name:9} reached   {'; '.join(parts)}"


def judged(name: str, theirs: Run, ours: Run) -> str:
    """Return the line that says whether the goal is reached."""
    end, goal = theirs.points[-1], GOALS[name]
    point = reached(ours, end.value)
    if point is None:
        return f"falls short: {name} never reaches {ours.figure} {end.value:.4f}, the end of the textbook's procedure"
    ratio = end.seconds / point.seconds
    verdict = "falls short" if ratio < goal else "reached"
    line = (
        f"{verdict}: {name} reaches the quality of the textbook's procedure {ratio:.1f}× as soon, the goal is {goal:g}×"
    )
    if theirs.constant is not None and end.value <= theirs.constant:
        line += "; that quality is no better than a constant tag's"
    return line


if __name__ == "__main__":
    sys.exit(main())
