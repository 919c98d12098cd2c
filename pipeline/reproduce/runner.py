"""Run all stages of DVC, as `dvc repro --all-pipelines` does, but two at a time and with dvc.lock written rarely.

DVC decides what runs, in which order, and what is stored. Its code is not made for threads: a thread that runs it holds
`turn`, and lets go of it only while a stage's command runs, as DVC itself then lets go of its own lock. DVC writes a
lock file as a whole after each stage, which takes seconds; here the entries of several stages are written at once.
A stage whose entry is lost in a crash is in DVC's run cache.
"""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from pipeline.errors import UserError
from pipeline.reproduce.commands import Commands

AT_ONCE = 2
WRITE_EVERY = 60.0  # seconds between two writings of dvc.lock
READS_LOCK = "train"  # its stages note the hashes of their data, which are in dvc.lock


class Listener(Protocol):
    """Is told how the run goes on."""

    def begins(self, names: Sequence[str]) -> None:
        """The stages of the run, in their order."""
        ...

    def runs(self, name: str, log: Path) -> None:
        """The command of a stage starts."""
        ...

    def ends(self, name: str, seconds: float | None) -> None:
        """A stage has ended; seconds: None if it was up to date, or its results came from DVC's cache."""
        ...


@dataclass
class Failure:
    """The stage that failed, and the end of what it printed."""

    name: str
    error: Exception
    output: str


@dataclass
class Run:
    """One run over all stages."""

    repo: Any
    commands: Commands
    listener: Listener
    log: IO[str]
    turn: threading.Lock = field(default_factory=threading.Lock)
    pending: list[Any] = field(default_factory=list)  # stages that have run and are not in dvc.lock yet
    written: float = field(default_factory=time.monotonic)
    seconds: dict[str, float] = field(default_factory=dict)  # of the commands that ran
    stages: list[Any] = field(default_factory=list)
    failure: Failure | None = None

    def all_stages(self) -> None:
        """Run what has changed. Stops after the first failure, which is then in `failure`."""
        graph = self._graph()
        self.stages = order = in_levels(graph)
        self.listener.begins([stage.addressing for stage in order])
        waiting, running, done = list(order), dict[Future[None], Any](), set[Any]()
        with ThreadPoolExecutor(AT_ONCE) as threads:
            try:
                while running or (waiting and self.failure is None):
                    for stage in self._next(graph, waiting, done, AT_ONCE - len(running)):
                        waiting.remove(stage)
                        running[threads.submit(self._one, stage, list(graph.successors(stage)))] = stage
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        done.add(running.pop(future))
                        future.result()
            except BaseException:
                self.commands.stop()
                raise
            finally:
                threads.shutdown()
                self._write()

    def _graph(self) -> Any:
        from dvc.repo.reproduce import get_active_graph

        with self._locked():
            return get_active_graph(self.repo.index.graph)

    def _next(self, graph: Any, waiting: list[Any], done: set[Any], count: int) -> list[Any]:
        if self.failure is not None:
            return []
        ready = (stage for stage in waiting if done.issuperset(graph.successors(stage)))
        return [stage for _, stage in zip(range(count), ready, strict=False)]

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold DVC's lock, in one thread at a time."""
        with self.turn, self.repo.lock:
            yield

    def _one(self, stage: Any, upstream: list[Any]) -> None:
        name = stage.addressing
        try:
            with self._locked():
                if name.rpartition(":")[2].startswith(READS_LOCK) and not {*upstream}.isdisjoint(self.pending):
                    self._write_now()
                if stage.reproduce(upstream=upstream, interactive=False) is not None:
                    self.pending.append(stage)
                if time.monotonic() - self.written > WRITE_EVERY:
                    self._write_now()
        except Exception as error:
            if self.failure is None:
                self.failure = Failure(name, error, self.commands.output(name))
        else:
            self.listener.ends(name, self.seconds.get(name))

    def command(self, stage: Any, dry: bool = False, run_env: Mapping[str, str] | None = None) -> None:
        """Run the stage's command in place of dvc.stage.run.cmd_run, while other threads may run DVC's code."""
        from dvc.stage.exceptions import StageCmdFailedError
        from dvc.stage.run import _make_cmd, get_executable, prepare_kwargs

        name, settings = stage.addressing, prepare_kwargs(stage, run_env)
        self.turn.release()
        try:
            began = time.monotonic()
            for command in stage.cmd if isinstance(stage.cmd, list) else stage.cmd.splitlines():
                self.listener.runs(name, self.commands.log_of(name))
                code = self.commands.run(name, _make_cmd(get_executable(), command), settings["cwd"], settings["env"])
                if code != 0:
                    raise StageCmdFailedError(command, code)
            self.seconds[name] = time.monotonic() - began
        finally:
            self.turn.acquire()
            print(f"----- output of {name}\n{self.commands.output(name)}-----", file=self.log, flush=True)

    def _write(self) -> None:
        if self.pending:
            with self._locked():
                self._write_now()

    def _write_now(self) -> None:
        """Write the entries of all pending stages into their lock files."""
        files: dict[str, list[Any]] = {}
        for stage in self.pending:
            files.setdefault(stage.dvcfile.path, []).append(stage)
        for stages in files.values():
            if hasattr(stages[0].dvcfile, "dump_dataset"):  # a dvc.yaml, which has a lock file
                stages[0].dvcfile.dump_stages(stages, update_pipeline=False)
            else:
                for stage in stages:
                    stage.dump(update_pipeline=False)
        self.pending.clear()
        self.written = time.monotonic()


def in_levels(graph: Any) -> list[Any]:
    """The stages in the order of DVC, those first that have fewer stages before them on the longest way.

    So all data is prepared first, and the trainings find it in dvc.lock, which is then written once.
    """
    import networkx

    order = list(networkx.dfs_postorder_nodes(graph))
    level: dict[Any, int] = {}
    for stage in order:
        level[stage] = max((level[before] + 1 for before in graph.successors(stage)), default=0)
    return sorted(order, key=lambda stage: level[stage])


def run_all(listener: Listener, log: IO[str], folder: Path) -> Run:
    """Run all stages of the project in the current folder; `folder`: for the output of each stage.

    Raises UserError if DVC cannot read the project.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    _log_to(log)
    try:
        with Repo() as repo, Commands.within(folder) as commands:
            run = Run(repo, commands, listener, log)
            with _patched(run.command), repo.scm_context(quiet=True):
                run.all_stages()
            return run
    except DvcException as error:
        raise UserError(str(error)) from error


@contextlib.contextmanager
def _patched(command: Any) -> Iterator[None]:
    """Let DVC run `command` in place of its own way to run a command, and read a file of parameters once.

    DVC reads all of params.yaml anew for each stage, several times.
    """
    from dvc.dependency import param
    from dvc.stage import run

    original = run.cmd_run, param.load_path
    run.cmd_run, param.load_path = command, _read_once(param.load_path)
    try:
        yield
    finally:
        run.cmd_run, param.load_path = original


def _read_once(load: Any) -> Any:
    known: dict[tuple[str, int, int], Any] = {}

    def read(path: str, fs: Any, **options: Any) -> Any:
        status = os.stat(path)
        key = (path, status.st_mtime_ns, status.st_size)
        if key not in known:
            known[key] = load(path, fs, **options)
        return known[key]

    return read


def _log_to(log: IO[str]) -> None:
    """Write what DVC says into the log, and not to the terminal."""
    os.environ.setdefault("DVC_NO_ANALYTICS", "true")
    handler = logging.StreamHandler(log)
    for name in ("dvc", "dvc_data", "dvc_objects"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(logging.INFO)
        logger.propagate = False
