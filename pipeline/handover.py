"""Hand a stage that DVC starts over to a warm process, which has imported everything that stages need.

This is the first module that a stage's process imports, so it imports little. Without a warm process, or where the
stage needs a process of its own, the stage runs in this one.
"""

import contextlib
import hashlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
VARIABLE = "PIPELINE_WARM"
OFF, FORKED = "0", "forked"  # values of VARIABLE; a forked stage has the second
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
SHELLS = ("bash", "dash", "fish", "ksh", "sh", "zsh")
LENGTH = struct.Struct("!I")
CREDENTIALS = struct.Struct("3i")  # pid, uid, gid
MORE_IS_COMING = "train"  # a lone training would be over before the warm process is ready


def hand_over(argv: Sequence[str]) -> int | None:
    """Run the stage in the warm process of this run of DVC, and return its exit code; None if it must run here.

    If there is no warm process yet, start one for the stages that follow. It ends with the process that started DVC's
    stages.
    """
    if not _is_plain(argv):
        return None
    owner = _owner()
    if owner is None:
        return None
    done = run_warm(owner, argv, dict(os.environ), (0, 1, 2))
    if done is None and argv[0] != MORE_IS_COMING:
        start(owner)
    return None if done is None else _end_like(done)


def _is_plain(argv: Sequence[str]) -> bool:
    """Whether DVC started this process, with the command of dvc.yaml and in the project's folder."""
    return (
        sys.platform == "linux"
        and "DVC_STAGE" in os.environ
        and VARIABLE not in os.environ
        and sys.orig_argv[1:] == ["-m", "pipeline", *argv]
        and Path.cwd() == ROOT
    )


def run_alone() -> None:
    """In a stage forked from the warm process, start again as a process that imports everything itself."""
    if os.environ.get(VARIABLE) == FORKED:
        sys.stdout.flush()
        command = [sys.executable, "-m", "pipeline", *sys.argv[1:]]
        os.execve(sys.executable, command, {**os.environ, VARIABLE: OFF})


def _owner() -> int | None:
    """The process that runs DVC: the parent, or that of the shell in which DVC runs the command."""
    pid = os.getppid()
    with contextlib.suppress(OSError):
        if Path(f"/proc/{pid}/comm").read_text().strip() in SHELLS:
            pid = int(_stat(pid)[1])
        return pid if pid > 1 else None
    return None


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat after the name: state, parent, …"""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def address(owner: int) -> str:
    """The name of the socket of the owner's warm process, which vanishes with it. Raises OSError if there is no owner.

    It names the checkout, the user and the Python, so that no other stage finds it.
    """
    started = _stat(owner)[19]
    who = (str(ROOT), sys.executable, os.getuid(), owner, started)
    return f"\0pipeline-{hashlib.sha256(repr(who).encode()).hexdigest()[:32]}"


def start(owner: int) -> int | None:
    """Start the warm process of the owner, in the background; return its pid. A second one ends at once."""
    environment = {name: value for name, value in os.environ.items() if name != "DVC_STAGE"}
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "pipeline.reproduce.warm", str(owner)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ).pid
    except OSError:
        return None


def run_warm(owner: int, argv: Sequence[str], environment: dict[str, str], files: Sequence[int]) -> int | None:
    """Run the stage in the owner's warm process with these open files as stdin, stdout and stderr.

    Returns its exit code, or minus the signal that ended it; None if there is no warm process, or if it refuses: it
    then has other code or settings. Passes the signals that arrive here on to the stage.
    """
    umask = os.umask(0)
    os.umask(umask)
    order = {"argv": list(argv), "environment": environment, "umask": umask}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection, _passing_signals_on(connection) as signals:
        if _sent(connection, owner, order, files):
            started = False
            try:
                signals.begin()
                started = receive(connection) == "started"
                if started:
                    return int(receive(connection))
            except (OSError, ValueError):
                if started:
                    print("error: the process that ran this stage has ended; run the command again", file=sys.stderr)
                    return 1
    for number in signals.arrived:
        signal.raise_signal(number)
    return None


def _sent(connection: socket.socket, owner: int, order: dict[str, Any], files: Sequence[int]) -> bool:
    """Send the order to the owner's warm process; return whether there is one."""
    try:
        connection.connect(address(owner))
        if peer(connection) != os.getuid():
            return False
        socket.send_fds(connection, [b"x"], list(files))
        send(connection, order)
    except (OSError, ValueError):
        return False
    return True


def peer(connection: socket.socket) -> int:
    """The user of the process at the other end."""
    answer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    return int(CREDENTIALS.unpack(answer)[1])


def send(connection: socket.socket, message: Any) -> None:
    """Send a message, which JSON can hold."""
    text = json.dumps(message).encode()
    connection.sendall(LENGTH.pack(len(text)) + text)


def receive(connection: socket.socket) -> Any:
    """Receive a message. Raises ValueError if the other end closes the connection."""
    (length,) = LENGTH.unpack(_exactly(connection, LENGTH.size))
    return json.loads(_exactly(connection, length))


def _exactly(connection: socket.socket, count: int) -> bytes:
    content = b""
    while len(content) < count:
        part = connection.recv(count - len(content))
        if not part:
            raise ValueError("the connection is closed")
        content += part
    return content


class _Signals:
    """Keeps the signals that arrive, and passes them on to the stage once it has been ordered."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection, self.ordered = connection, False
        self.arrived: list[int] = []

    def __call__(self, number: int, _: Any) -> None:
        self.arrived.append(number)
        if self.ordered:
            self._pass_on(number)

    def begin(self) -> None:
        """The stage has been ordered."""
        self.ordered = True
        for number in self.arrived[:]:
            self._pass_on(number)

    def _pass_on(self, number: int) -> None:
        with contextlib.suppress(OSError):
            send(self.connection, number)


@contextlib.contextmanager
def _passing_signals_on(connection: socket.socket) -> Iterator[_Signals]:
    signals = _Signals(connection)
    before = {}
    with contextlib.suppress(ValueError):  # only the main thread receives signals
        before = {number: signal.signal(number, signals) for number in PASSED_ON}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_like(code: int) -> int:
    """Return the exit code, or die of the signal that ended the stage, as DVC would have seen it."""
    if code < 0:
        with contextlib.suppress(OSError):  # nobody can handle SIGKILL
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code
