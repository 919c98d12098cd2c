"""Show the trainings that run now, from the files in data/progress alone."""

import sys
import time
from collections.abc import Sequence

from pipeline.artifacts import Project
from pipeline.progress import Snapshot, snapshots

EVERY = 2.0  # seconds
HEADER = ("experiment", "network", "epoch", "step", "loss", "last epoch", "time left")
CLEAR = "\x1b[H\x1b[J"
NOTHING = "No training is running."


def watch(project: Project) -> None:
    """Print a line for each training; on a terminal, again every two seconds until none runs or Ctrl-C."""
    terminal = sys.stdout.isatty()
    while True:
        found = snapshots(project)
        print(f"{CLEAR if terminal else ''}{table(found)}", flush=True)
        if not terminal or not any(one.alive for one in found):
            return
        try:
            time.sleep(EVERY)
        except KeyboardInterrupt:
            return


def table(found: Sequence[Snapshot]) -> str:
    """Return the trainings as aligned columns, and a line for each one that was killed."""
    running, killed = [[one for one in found if one.alive is alive] for alive in (True, False)]
    rows = [HEADER, *map(_row, running)] if running else []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += [f"{one.experiment}: killed {_where(one)}; `dvc repro` goes on with it" for one in killed]
    return "\n".join(lines if running else [*lines, NOTHING])


def _row(one: Snapshot) -> tuple[str, ...]:
    phase = f"{one.network}/{one.networks}" + (" refit" if one.phase == "refit" else "")
    last = {} if not one.history else one.history[-1]
    figures = {"loss": last.get("loss"), **{name: last[name] for name in last if name.startswith("val_")}}
    said = ", ".join(f"{name} {value:.4g}" for name, value in figures.items() if value is not None)
    return (
        one.experiment,
        phase,
        f"{one.epoch}/{one.epochs}",
        f"{one.step}/{one.steps}",
        "–" if one.loss is None else f"{one.loss:.4g}",
        said or "–",
        _time(one.seconds_left),
    )


def _where(one: Snapshot) -> str:
    network = f" of network {one.network}/{one.networks}" if one.networks > 1 else ""
    return f"in epoch {min(one.epoch + 1, max(one.epochs, 1))} of {one.epochs}{network}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
