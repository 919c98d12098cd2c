"""What `make repro` prints: a line for each stage that ran, and the time that is left."""

import contextlib
import shutil
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

KNOWN_SHARE = 0.9  # of the stages to come must have a known duration, or nothing is said of the time left
LIVE_EVERY = 0.5  # seconds


@dataclass
class Lines:
    """Prints the lines. earlier: the seconds of stages in earlier runs, by their names."""

    earlier: Mapping[str, float]
    out: TextIO = sys.stdout
    names: Sequence[str] = ()
    began: float = field(default_factory=time.monotonic)
    settled: set[str] = field(default_factory=set)
    seconds: dict[str, float] = field(default_factory=dict)
    running: dict[str, tuple[float, Path]] = field(default_factory=dict)
    guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def live(self) -> bool:
        """Whether the last line may be written over."""
        return self.out.isatty()

    def begins(self, names: Sequence[str]) -> None:
        self.names = names

    def runs(self, name: str, log: Path) -> None:
        with self.guard:
            self.running.setdefault(name, (time.monotonic(), log))
            self._show()

    def ends(self, name: str, seconds: float | None) -> None:
        with self.guard:
            self.running.pop(name, None)
            self.settled.add(name)
            if seconds is None:
                return
            self.seconds[name] = seconds
            count = f"{len(self.settled):{len(str(len(self.names)))}}"
            self._print(f"[{count}/{len(self.names)}] {name} … {duration(seconds)}{self._left()}")
            self._show()

    def fails(self, name: str) -> None:
        with self.guard:
            self.running.pop(name, None)
            self._print(f"{name} failed")

    def says(self, line: str) -> None:
        """Print another line."""
        with self.guard:
            self._print(line)
            self._show()

    def up_to_date(self) -> int:
        """The number of stages that did not run."""
        return len(self.settled) - len(self.seconds)

    def _print(self, line: str) -> None:
        self._clear()
        print(line, file=self.out, flush=True)

    def _clear(self) -> None:
        if self.live:
            print("\r\033[K", end="", file=self.out)

    def _show(self) -> None:
        """Show on a terminal what runs now, with the last line that it printed."""
        if not self.live:
            return
        parts = [f"{name} {duration(time.monotonic() - began)}" for name, (began, _) in self.running.items()]
        last = [line for _, log in self.running.values() if (line := last_line(log))][:1]
        text = " · ".join([*parts, *last])[: shutil.get_terminal_size().columns - 1]
        self._clear()
        print(text, end="", file=self.out, flush=True)

    def tick(self, over: threading.Event) -> None:
        """Keep the line of what runs now up to date, until `over` is set."""
        while not over.wait(LIVE_EVERY):
            with self.guard:
                self._show()
        self._clear()

    def _left(self) -> str:
        left = self.time_left()
        if left is None:
            return ""
        if left > 90:
            return f", about {left / 60:.0f} min left"
        return f", about {round(left, -1):.0f} s left" if left > 15 else ", a few seconds left"

    def time_left(self) -> float | None:
        """The seconds until the end if all stages to come run; None if too little is known about them."""
        to_come = [name for name in self.names if name not in self.settled]
        guesses = [guess for name in to_come if (guess := self._guess(name)) is not None]
        if not to_come or len(guesses) < KNOWN_SHARE * len(to_come):
            return None
        at_once = sum(self.seconds.values()) / (time.monotonic() - self.began)
        return sum(guesses) * len(to_come) / len(guesses) / max(at_once, 0.5)

    def _guess(self, name: str) -> float | None:
        """As long as the stage took in the last run that ran it, else as others of its kind in this run."""
        if name in self.earlier:
            return self.earlier[name]
        same = [seconds for other, seconds in self.seconds.items() if kind(other) == kind(name)]
        return statistics.fmean(same) if same else None


@contextlib.contextmanager
def live(lines: Lines) -> Iterator[None]:
    """Show on a terminal what runs now, until the block ends."""
    over = threading.Event()
    thread = threading.Thread(target=lines.tick, args=(over,), daemon=True)
    if lines.live:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if lines.live:
            thread.join()


def kind(name: str) -> str:
    """The stage's name without its file and row: `train` for textbook/dvc.yaml:train@alice-chapter."""
    return name.rpartition(":")[2].partition("@")[0]


def duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.1f} min"


def last_line(log: Path) -> str:
    """The last line in the file that is not empty."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - 500))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
