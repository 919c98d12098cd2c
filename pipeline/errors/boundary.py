"""Where errors end: each becomes a sentence, an exit code and, if the user did not cause it, a log with all of it."""

import contextlib
import errno
import json
import os
import platform
import pwd
import re
import resource
import select
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pipeline.errors import UserError

BUG = 70  # EX_SOFTWARE of sysexits.h
INTERRUPTED = 130
CLOSED = 141  # as of a program that SIGPIPE ended: nobody reads what this one prints
KEPT = 10  # logs
LOGS = Path(".dvc", "tmp", "errors")  # of the project
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
# What libraries raise where Python raises MemoryError.
OUT_OF_MEMORY = re.compile(r"ResourceExhaustedError|OutOfMemoryError|RESOURCE_EXHAUSTED|can't allocate memory")
# What readers raise on a file that is damaged or of another kind; by name, to import none of them here.
FOREIGN = re.compile(
    r"(zipfile\.BadZipFile|zlib\.error|_?lzma\.LZMAError|gzip\.BadGzipFile|tarfile\.\w+|_?csv\.Error"
    r"|(simple)?json\.\S*JSONDecodeError|builtins\.EOFError|PIL\.UnidentifiedImageError|ruamel\.yaml\.\S+)"
)
FRESH = re.compile(r"\.([^/]+)\.[0-9a-f]{8}\.tmp(?=/|$)")  # a file or folder that is written: pipeline/artifacts.py
SECRET = re.compile(r"(?<=://)[^\s'\"]*@|(?<=password=)[^\s&'\"]+|(?<=token=)[^\s&'\"]+|(?<=secret=)[^\s&'\"]+", re.I)


def guarded(run: Callable[[], int | None], command: Sequence[str]) -> int:
    """Run a command, and return its exit code. An error is printed as a sentence.

    Exit codes: 2 for what the user can change, BUG for what nobody expected, INTERRUPTED after Ctrl-C.
    """
    try:
        _print_anything()
        return _ended(run)
    except UserError as error:
        _say(f"error: {error}")
        return error.code
    except KeyboardInterrupt:
        _say("interrupted; nothing is half-written, and finished results are kept")
        return INTERRUPTED
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name and error.name.partition(".")[0] != "pipeline":
            _say(
                f"error: the package {error.name} is not installed for {sys.executable}; `make setup` installs all of "
                "requirements.lock into .venv, and the command is .venv/bin/python -m pipeline"
            )
            return UserError.code
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            _discard_output()
            return CLOSED
        return _logged(error, command)


def _ended(run: Callable[[], int | None]) -> int:
    try:
        code = run() or 0
    except SystemExit:  # argparse has printed its help
        _flush()
        raise
    _flush()
    return code


def message(error: BaseException) -> str | None:
    """What happened, where, and what to do about it; None for an error that nobody expected."""
    if isinstance(error, UnicodeError):
        return f"{_place(error)}: not the expected encoding ({error}); give it as UTF-8"
    if FOREIGN.match(_kind(error)):
        advice = "if DVC keeps it, `dvc checkout` restores it; else get it anew"
        return f"{_place(error)}: damaged, or a file of another kind ({_kind(error)}: {error}); {advice}"
    for one in _chain(error):
        if isinstance(one, MemoryError) or OUT_OF_MEMORY.search(f"{type(one).__name__}: {one}"):
            return f"out of memory{_detail(one)}; {_memory()}. Make batch_size, units, time_steps or the data smaller"
        if isinstance(one, OSError) and (one is error or one.errno in (*NO_SPACE, errno.EFBIG, errno.EROFS)):
            return _of_system(one)
    return None


def without_secrets(text: str) -> str:
    """The text without the passwords of addresses in it."""
    return SECRET.sub(lambda match: "***@" if match[0].endswith("@") else "***", text)


def _logged(error: Exception, command: Sequence[str]) -> int:
    """Say what happened, with a log of the whole of it; return the exit code."""
    try:
        known = message(error)
    except Exception:  # nothing may go wrong here
        known = None
    log = _log(error, command)
    lines = [f"error: {known or f'{_kind(error)}: {error}; nobody expected this, so it is a bug of the pipeline'}"]
    if log is not None:
        lines.append(f"the whole of it is in {_short(log)}" + ("" if known else "; please report it with that file"))
    _say("\n".join(lines))
    return 2 if known else BUG


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and those that led to it."""
    seen: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in seen:
        seen.append(one)
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    yield from seen


def _kind(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _detail(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f" ({text[:200]})" if text else ""


def _of_system(error: OSError) -> str:
    """A sentence on what the operating system refused."""
    place, what = _place(error), error.strerror or str(error)
    what = what[:1].lower() + what[1:]
    path = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else Path.cwd()
    if error.errno in NO_SPACE:
        return f"{place}: {what}; {_free(path)}. Free some space, then run the command again"
    if error.errno == errno.EFBIG:
        return f"{place}: {what}; {_limit(resource.RLIMIT_FSIZE, 'bytes in a file', '-f')}"
    if error.errno == errno.EROFS:
        return f"{place}: {what}; mount it for writing, or use a copy of the project elsewhere"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{place}: {what} for the user {_user()}; {_owner(path)}. Change its owner or its mode"
    if error.errno == errno.ENAMETOOLONG:
        return f"{place}: {what}; a file's name may have 255 bytes, a path 4,095. Choose a shorter one"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return f"{place}: {what}; {_limit(resource.RLIMIT_NOFILE, 'open files', '-n')}"
    return f"{place}: {what}"


def _place(error: BaseException) -> str:
    """The path that the error names, or else that of the innermost function of the pipeline that has one."""
    named = getattr(error, "filename", None)
    if isinstance(named, str | bytes) and named:
        return _short(Path(os.fsdecode(named)))
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    for frame in reversed(frames):
        for value in reversed(frame.f_locals.values()):
            if isinstance(value, Path) and frame.f_globals.get("__name__", "").startswith("pipeline."):
                return _short(value)
    return "the operating system" if isinstance(error, OSError) else "a file or a text"


def _short(path: Path) -> str:
    with contextlib.suppress(OSError, ValueError):
        path = path.relative_to(Path.cwd())
    text = FRESH.sub(r"\1", str(path))
    return text if len(text) <= 300 else f"{text[:300]}…"


def _existing(path: Path) -> Path:
    """The path or the nearest folder above it that exists."""
    for one in (path.absolute(), *path.absolute().parents):
        with contextlib.suppress(OSError):
            one.stat()
            return one
    return Path(path.anchor or "/")


def _free(path: Path) -> str:
    usage = shutil.disk_usage(_existing(path))
    return f"{_size(usage.free)} of {_size(usage.total)} are free there"


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:,.1f} GB"


def _limit(kind: int, what: str, option: str) -> str:
    soft, _ = resource.getrlimit(kind)
    if soft == resource.RLIM_INFINITY:
        return "the file system allows no more"
    return f"the limit is {soft:,} {what}. Raise it (`ulimit {option}`), then run the command again"


def _user(number: int | None = None) -> str:
    """The name of the user with the number, or of the one who runs this process."""
    number = os.geteuid() if number is None else number
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _owner(path: Path) -> str:
    one = _existing(path)
    state = one.stat()
    return f"{_short(one)} belongs to {_user(state.st_uid)}, mode {state.st_mode & 0o7777:o}"


def _memory() -> str:
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        return f"this process may have {_size(soft)} (`ulimit -v`)"
    import psutil  # late: it is not needed otherwise

    memory = psutil.virtual_memory()
    return f"{_size(memory.available)} of {_size(memory.total)} are available"


def _log(error: Exception, command: Sequence[str]) -> Path | None:
    """Write all that is known of the error into a log, and return its path; None where nothing can be written."""
    lines = [
        time.strftime("%Y-%m-%d %H:%M:%S %z"),
        f"command: python -m pipeline {json.dumps(list(command))} {os.environ.get('DVC_STAGE', '')}".rstrip(),
        f"Python {platform.python_version()}, {platform.platform()}",
        "".join(traceback.format_exception(error)),
    ]
    text = without_secrets("\n".join(lines))
    home = Path(os.environ.get("DVC_ROOT") or ".") / LOGS
    if home.parents[1].is_dir():  # a project of DVC, whose .gitignore names the folder
        with contextlib.suppress(OSError):
            return _kept(home, text)
    with contextlib.suppress(OSError):
        number, name = tempfile.mkstemp(prefix="pipeline-", suffix=".log")
        with os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        return Path(name)
    return None


def _kept(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for old in sorted(folder.glob("*.log"))[: -KEPT + 1]:
        old.unlink(missing_ok=True)
    log = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    try:
        log.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError:
        log.unlink(missing_ok=True)
        raise
    return log


def _print_anything() -> None:
    """Let no text fail to be printed because of the terminal's encoding."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _flush() -> None:
    """Notice here, and not when Python ends, that what was printed could not be written."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _discard_output()
        error.filename = "standard output"
        raise


def _nobody_reads() -> bool:
    """Whether the reader of standard output has ended, as in `python -m pipeline champions | head -1`."""
    poll = select.poll()
    poll.register(1, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _discard_output() -> None:
    """Let Python flush standard output without an error when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def _say(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        print(without_secrets(text), file=sys.stderr or sys.__stderr__, flush=True)
