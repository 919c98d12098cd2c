"""Run the commands of stages, and keep what each of them prints in a file of its own."""

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATIENCE = 10.0  # seconds that a stage has to end after an interrupt


@dataclass
class Commands:
    """The commands that run now. folder: for the files with what the stages print."""

    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock)
    stopped: bool = False

    @classmethod
    @contextlib.contextmanager
    def within(cls, folder: Path) -> "Iterator[Commands]":
        """Empty the folder; at the end of the block, stop what still runs."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        commands = cls(folder)
        try:
            yield commands
        finally:
            commands.stop()

    def log_of(self, name: str) -> Path:
        """The file with what the stage prints."""
        return self.folder / f"{name.replace('/', '-').replace(':', '-')}.log"

    def output(self, name: str) -> str:
        """What the stage has printed."""
        path = self.log_of(name)
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""

    def run(self, name: str, command: Any, folder: str, environment: Mapping[str, str]) -> int:
        """Run a command of the stage, and return its exit code, or minus the signal that ended it.

        It has a session of its own: a Ctrl-C at the terminal reaches the runner alone, which passes it on.
        """
        with self.log_of(name).open("ab") as log, self.guard:
            if self.stopped:
                return -signal.SIGINT
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            self.processes.append(process)
        code = process.wait()
        self.processes.remove(process)
        return code

    def stop(self) -> None:
        """Interrupt all commands, as Ctrl-C would, and kill those that do not end soon. No other one starts."""
        with self.guard:
            self.stopped = True
            running = list(self.processes)
        _signal(running, signal.SIGINT)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and any(process.poll() is None for process in running):
            time.sleep(0.05)
        _signal(running, signal.SIGKILL)


def _signal(processes: list[subprocess.Popen[bytes]], number: int) -> None:
    for process in processes:
        if process.poll() is None:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, number)
