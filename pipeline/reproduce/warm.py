"""The warm process: it imports what stages need, once, and forks a process for each stage.

    python -m pipeline.reproduce.warm <pid of the owner>

It ends with its owner, and takes no stage once a file of the code has changed. It must not run any TensorFlow
operation and must not connect to MLflow: threads and connections do not survive a fork.
"""

import atexit
import contextlib
import ctypes
import gc
import io
import os
import selectors
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.handover import FORKED, ROOT, VARIABLE, address, peer, receive, send

VARIES = ("DVC_STAGE", "OLDPWD", "PWD", "SHLVL", "_")  # variables that differ from stage to stage
PR_SET_PDEATHSIG = 1
ORDER_SECONDS = 5.0  # to receive an order
START = dict(os.environ)  # before the imports set some variables


@dataclass
class Order:
    """A stage to run: its arguments, environment and umask, and the open files for stdin, stdout and stderr."""

    argv: list[str]
    environment: dict[str, str]
    umask: int
    files: list[int]
    parent: int = field(default_factory=os.getpid)


@dataclass
class Stage:
    """A running stage, and the connection to the process that waits for it."""

    pid: int
    connection: socket.socket


def main(argv: Sequence[str]) -> None:
    """Serve until the owner ends. In a forked process, run the stage and end with its exit code."""
    owner = int(argv[0])
    try:
        watch = os.pidfd_open(owner)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(address(owner))
    except OSError:  # no such owner any more, or it has a warm process
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    before = fingerprint(ROOT)
    with _ending_with(watch):
        from pipeline.reproduce.preload import preload

        preload()
    gc.collect()
    gc.freeze()  # the collector would write to the memory that the stages share
    listener.listen()
    order = Server(listener, watch, before).serve()
    if order is not None:
        _exit(run(order))


@contextlib.contextmanager
def _ending_with(watch: int) -> Iterator[None]:
    """End this process with its owner while the block runs."""
    over = threading.Event()

    def wait() -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(watch, selectors.EVENT_READ)
            while not over.is_set():
                if selector.select(0.2):
                    os._exit(0)

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()  # a fork of a process with threads may hang


def fingerprint(root: Path) -> dict[str, tuple[int, int, int]]:
    """The files of pipeline/ with the times of their last changes, sizes and inodes."""
    found, folders = {}, [str(root / "pipeline")]
    while folders:
        for entry in os.scandir(folders.pop()):
            if entry.is_dir():
                if entry.name != "__pycache__":
                    folders.append(entry.path)
            else:
                status = entry.stat()
                found[entry.path] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return found


@dataclass
class Server:
    """Takes orders, forks stages, passes signals on to them and their exit codes back.

    watch: a file that is readable once the owner has ended; code: fingerprint() of what was imported.
    """

    listener: socket.socket
    watch: int
    code: dict[str, tuple[int, int, int]]
    stages: dict[int, Stage] = field(default_factory=dict)  # by the file that is readable once the stage has ended
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def serve(self) -> Order | None:
        """Serve until the owner ends, or the code has changed and the last stage has ended.

        Returns an order in the process that was forked for it, and None in the warm process.
        """
        self.selector.register(self.watch, selectors.EVENT_READ)
        self.selector.register(self.listener, selectors.EVENT_READ)
        while self.listener.fileno() >= 0 or self.stages:
            for key, _ in self.selector.select():
                if key.fileobj == self.watch:
                    self._kill()
                    return None
                order = self._react(key)
                if order is not None:
                    return order
        return None

    def _react(self, key: selectors.SelectorKey) -> Order | None:
        if key.fileobj == self.listener:
            return self._accept()
        if key.data == "ended":
            self._ended(key.fd)
        else:
            self._signal(key.data)
        return None

    def _accept(self) -> Order | None:
        connection, _ = self.listener.accept()
        order = None
        with contextlib.suppress(OSError, ValueError, KeyError):
            order = self._order(connection)
        if order is None:
            connection.close()
            return None
        pid = _fork()
        if pid == 0:
            self._leave(connection)
            return order
        for file in order.files:
            os.close(file)
        stage = Stage(pid, connection)
        ended = os.pidfd_open(pid)
        self.stages[ended] = stage
        self.selector.register(ended, selectors.EVENT_READ, "ended")
        self.selector.register(connection, selectors.EVENT_READ, stage)
        return None

    def _order(self, connection: socket.socket) -> Order | None:
        """Receive an order; None if another user sends it, or if it needs other code or another environment."""
        if peer(connection) != os.getuid():
            return None
        connection.settimeout(ORDER_SECONDS)
        _, files, _, _ = socket.recv_fds(connection, 1, 3)
        order = Order(**receive(connection), files=list(files))
        if fingerprint(ROOT) != self.code:
            self.selector.unregister(self.listener)
            self.listener.close()
        elif len(files) == 3 and settings(order.environment) == settings(START):
            send(connection, "started")
            return order
        for file in files:
            os.close(file)
        return None

    def _signal(self, stage: Stage) -> None:
        """Pass a signal on. If nobody waits for the stage any more, kill it with all that it has started."""
        if stage not in self.stages.values():
            return
        try:
            number = receive(stage.connection)
            os.kill(stage.pid, number)
        except (OSError, ValueError):
            self.selector.unregister(stage.connection)
            _kill(stage)

    def _ended(self, ended: int) -> None:
        stage = self.stages.pop(ended)
        self.selector.unregister(ended)
        os.close(ended)
        _, status = os.waitpid(stage.pid, 0)
        with contextlib.suppress(KeyError):
            self.selector.unregister(stage.connection)
        with contextlib.suppress(OSError):
            send(stage.connection, os.waitstatus_to_exitcode(status))
        stage.connection.close()

    def _kill(self) -> None:
        for stage in self.stages.values():
            _kill(stage)

    def _leave(self, connection: socket.socket) -> None:
        """Close, in a forked process, what belongs to the warm one."""
        self.selector.close()
        for ended, stage in self.stages.items():
            os.close(ended)
            stage.connection.close()
        connection.close()
        self.listener.close()
        os.close(self.watch)


def _fork() -> int:
    """Fork; the child has to unblock Ctrl-C once it can handle it, so that none is lost."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    with warnings.catch_warnings():
        # Python warns of threads, such as those of NumPy's BLAS, which waits for no work and handles forks itself.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    return pid


def _kill(stage: Stage) -> None:
    for kill in (os.killpg, os.kill):  # the stage has no group of its own yet if it has just been forked
        with contextlib.suppress(OSError):
            kill(stage.pid, signal.SIGKILL)


def settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what differs from stage to stage and changes nothing.

    Each Python of .venv adds its folder to PATH once more: of equal folders, the first counts.
    """
    kept = {name: value for name, value in environment.items() if name not in VARIES}
    if "PATH" in kept:
        kept["PATH"] = os.pathsep.join(dict.fromkeys(kept["PATH"].split(os.pathsep)))
    return kept


def run(order: Order) -> int:
    """Become the stage's process, run it, and return its exit code."""
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != order.parent:
        return 1
    os.umask(order.umask)
    os.environ.clear()
    os.environ.update({**order.environment, VARIABLE: FORKED})
    for target, file in enumerate(order.files):
        os.dup2(file, target)
        os.close(file)
    _reopen()
    sys.argv = [str(ROOT / "pipeline" / "__main__.py"), *order.argv]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    from pipeline.__main__ import main

    return int(main(order.argv))


def _exit(code: int) -> None:
    """End without clearing up all modules, which would first copy the memory that is shared with the warm process."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def _reopen() -> None:
    """Give Python's standard streams what the files that they write to now need: lines at once on a terminal."""
    for name, kind in (("stdin", io.BufferedReader), ("stdout", io.BufferedWriter), ("stderr", io.BufferedWriter)):
        old = getattr(sys, name)
        number = old.fileno()
        file = kind(io.FileIO(number, "r" if name == "stdin" else "w", closefd=False))
        lines = name == "stderr" or os.isatty(number)
        setattr(sys, name, io.TextIOWrapper(file, old.encoding, old.errors, line_buffering=lines))


if __name__ == "__main__":
    main(sys.argv[1:])
