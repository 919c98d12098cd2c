"""What a training prints while it goes on."""

import sys
from collections.abc import Sequence

from tqdm import tqdm

from pipeline.training.course import Watcher


class Lines:
    """On a terminal, a progress bar with the time left; in a log, one line per epoch. Passes on what it is told."""

    def __init__(self, label: str, epochs: int, steps: int, watchers: Sequence[Watcher] = ()) -> None:
        self.label, self.epochs, self.steps, self.watchers = label, epochs, steps, watchers
        self.bar = tqdm(total=epochs * steps, desc=label, unit="step", disable=not sys.stderr.isatty(), leave=False)

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def resumes(self, rows: list[dict[str, float]]) -> None:
        done = len(rows)
        say(f"{self.label}: resumed at epoch {done + 1}/{self.epochs}" if done < self.epochs else
            f"{self.label}: resumed after epoch {done}/{self.epochs}")  # fmt: skip
        self.bar.update(done * self.steps)
        for watcher in self.watchers:
            watcher.resumes(rows)

    def step(self, loss: float) -> None:
        self.bar.update()
        for watcher in self.watchers:
            watcher.step(loss)

    def epoch(self, row: dict[str, float], monitor: str) -> None:
        shown = {"loss": row["loss"], f"validation {monitor}": row.get(f"val_{monitor}")}
        figures = ", ".join(f"{name} {value:.4f}" for name, value in shown.items() if value is not None)
        line = f"{self.label}: epoch {row['epoch']:.0f}/{self.epochs}: {figures} ({row['seconds']:.1f} s)"
        if self.bar.disable:
            print(line, flush=True)
        else:
            self.bar.set_postfix_str(figures)
        for watcher in self.watchers:
            watcher.epoch(row)


def say(line: str) -> None:
    """Print a line, above the progress bar if there is one."""
    tqdm.write(line)
    sys.stdout.flush()
