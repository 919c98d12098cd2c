"""Every error of a command ends as a sentence and an exit code; what nobody caused leaves a log."""

import errno
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.errors.boundary import BUG, CLOSED, INTERRUPTED, guarded, message, without_secrets

ROOT = Path(__file__).parents[2]
End = Callable[[BaseException], tuple[int, str, str]]


@pytest.fixture
def end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> End:
    """Runs a command that raises the error: its exit code, what it says, and the log that it names."""
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dvc").mkdir()

    def run(error: BaseException) -> tuple[int, str, str]:
        def command() -> None:
            raise error

        code = guarded(command, ["train", "x"])
        out, err = capsys.readouterr()
        assert out == "" and "Traceback" not in err
        named = re.search(r"the whole of it is in (\S+\.log)", err)
        return code, err, (tmp_path / named[1]).read_text() if named else ""

    return run


# An error, and what its sentence says.
OF_THE_SYSTEM = {
    "no space": (
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "data/a"),
        r"data/a: no space .*; \S+ \SB of ",
    ),
    "quota": (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT), "data/a"), r"data/a: disk quota exceeded; .* are free"),
    "read-only": (OSError(errno.EROFS, os.strerror(errno.EROFS), "data/a"), r"data/a: read-only file system; mount it"),
    "not mine": (PermissionError(errno.EACCES, "Permission denied", "a"), r"a: permission denied .*mode \d+\. Change"),
    "long name": (OSError(errno.ENAMETOOLONG, "File name too long", "a" * 999), r"a{300}…: file name too long; .*255"),
    "open files": (
        OSError(errno.EMFILE, "Too many open files", "a"),
        r"a: too many .* open files.*ulimit -n",
    ),
    "broken disk": (OSError(errno.EIO, "Input/output error", "a"), r"error: a: input/output error\n"),
    "no path": (OSError(errno.EIO, "Input/output error"), r"error: the operating system: input/output error\n"),
    "no errno": (OSError("the network is away"), r"the network is away"),
    "a temporary name": (
        OSError(errno.EIO, "Broken", "data/.mine.0123abcd.tmp/x.npz"),
        r"error: data/mine/x\.npz: broken",
    ),
    "memory": (MemoryError(), r"out of memory; \S+ GB of \S+ GB are available\. Make batch_size"),
    "not UTF-8": (
        UnicodeDecodeError("utf-8", b"caf\xe9", 3, 4, "invalid"),
        r"not the expected encoding .*0xe9",
    ),
    "no archive": (zipfile.BadZipFile("no zip"), r"damaged, or a file of another kind \(zipfile\.BadZipFile: no zip\)"),
    "no JSON": (json.JSONDecodeError("Expecting value", "", 0), r"damaged, or a file of another kind \(json\.decoder"),
}


@pytest.mark.fault("system-error")
@pytest.mark.parametrize("name", OF_THE_SYSTEM)
def test_what_the_system_refuses_is_a_sentence_and_a_log(name: str, end: End) -> None:
    error, said = OF_THE_SYSTEM[name]
    code, text, log = end(error)
    assert code == 2
    assert re.search(said, text)
    assert "Traceback (most recent call last)" in log and type(error).__name__ in log
    assert 'command: python -m pipeline ["train", "x"]' in log


@pytest.mark.fault("out-of-memory")
def test_memory_that_numpy_or_keras_cannot_have_is_a_sentence(end: End) -> None:
    with pytest.raises(MemoryError) as caught:
        np.empty((1 << 20, 1 << 20, 1 << 10))
    code, text, _ = end(caught.value)
    assert code == 2 and re.search(r"out of memory \(Unable to allocate 8\.00 PiB .*\); .* are available", text)
    keras = type("ResourceExhaustedError", (Exception,), {})("OOM when allocating tensor with shape[9,9]")
    code, text, _ = end(keras)
    assert code == 2 and "out of memory (OOM when allocating tensor with shape[9,9])" in text
    wrapped = RuntimeError("the training failed")
    wrapped.__cause__ = keras
    assert "out of memory" in str(message(wrapped))


@pytest.mark.fault("unexpected-error")
def test_what_nobody_expected_is_called_a_bug_with_a_log_to_report(end: End) -> None:
    code, text, log = end(KeyError("examples"))
    assert code == BUG == 70
    assert "KeyError: 'examples'; nobody expected this" in text and "report it with that file" in text
    assert "KeyError: 'examples'" in log


def test_a_full_disk_below_another_error_is_named(end: End) -> None:
    outer = RuntimeError("the database is closed")
    outer.__context__ = OSError(errno.ENOSPC, "No space left on device", "mlflow.db")
    assert re.search(r"mlflow\.db: no space left on device", end(outer)[1])


def test_a_package_that_is_not_installed_is_no_bug_but_one_of_our_modules_is(end: End) -> None:
    code, said, log = end(ModuleNotFoundError("No module named 'numpy.x'", name="numpy.x"))
    assert (code, log) == (2, "") and "error: the package numpy.x is not installed" in said and "`make setup`" in said
    code, said, log = end(ModuleNotFoundError("No module named 'pipeline.x'", name="pipeline.x"))
    assert code == BUG and "it is a bug" in said and log


def test_a_users_mistake_needs_no_log(end: End) -> None:
    assert end(UserError("params.yaml: 1 mistake")) == (2, "error: params.yaml: 1 mistake\n", "")


def test_few_logs_are_kept(end: End, tmp_path: Path) -> None:
    logs = tmp_path / ".dvc" / "tmp" / "errors"
    logs.mkdir(parents=True)
    for number in range(30):
        (logs / f"2020{number:04}.log").write_text("old")
    _, text, _ = end(KeyError("x"))
    kept = sorted(path.name for path in logs.iterdir())
    assert len(kept) == 10 and kept[-1] in text and kept[0] == "20200021.log"


@pytest.mark.fault("password-in-error")
@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("postgresql://u:pa/ss@host/db is away", "postgresql://***@host/db is away"),
        ("https://user:pass@host", "https://***@host"),
        ("https://host/models:/x@champion", "https://***@champion"),
        ("http://h/?token=abc&n=1 refused", "http://h/?token=***&n=1 refused"),
        ("dial 'host' password=abc", "dial 'host' password=***"),
        ("log in at https://www.kaggle.com/c/x", "log in at https://www.kaggle.com/c/x"),
        ("a@b.c and models:/name@champion", "a@b.c and models:/name@champion"),
    ],
)
def test_no_password_is_printed_or_logged(text: str, hidden: str, end: End) -> None:
    assert without_secrets(text) == hidden
    assert end(UserError(text))[1] == f"error: {hidden}\n"
    _, said, log = end(RuntimeError(text))
    assert hidden in said and hidden in log
    assert text == hidden or (text not in said and text not in log)


COMMAND = """
import sys, time
from pipeline.errors.boundary import guarded
def run():
    print("ready" * {times}, flush={flush})
    {then}
sys.exit(guarded(run, []))
"""


def python(folder: Path, then: str, times: int = 1, flush: bool = True, **files: object) -> "subprocess.Popen[str]":
    (folder / ".dvc").mkdir(exist_ok=True)
    code = COMMAND.format(times=times, flush=flush, then=then)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **files}
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", code], cwd=folder, env=environment, text=True, **pipes)  # type: ignore[call-overload,no-any-return]


@pytest.mark.fault("ctrl-c")
def test_an_interrupt_is_a_sentence(tmp_path: Path) -> None:
    with python(tmp_path, "time.sleep(60)") as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.send_signal(2)
        _, err = process.communicate(timeout=30)
    assert process.returncode == INTERRUPTED == 130
    assert err.startswith("interrupted; ") and len(err.splitlines()) == 1


@pytest.mark.fault("output-not-read")
@pytest.mark.parametrize("times", [1, 100_000])
def test_a_reader_that_ends_early_is_no_error(times: int, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with python(tmp_path, "", times, flush=False, stdout=writing) as process:
        os.close(writing)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (CLOSED, "")


@pytest.mark.fault("output-on-full-disk")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("times", [1, 100_000])
def test_an_output_that_cannot_be_written_is_an_error(times: int, tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full, python(tmp_path, "", times, flush=False, stdout=full) as process:
        _, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "no space left on device" in err and "Traceback" not in err and "ignored" not in err


def test_any_text_is_printed_in_any_encoding(tmp_path: Path) -> None:
    for encoding in ("ascii", "utf-8", "latin-1"):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding}
        code = COMMAND.format(times=1, flush=True, then="print('caf\\xe9 \\udce9 \\u041b')")
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True)
        assert done.returncode == 0 and done.stdout.startswith(b"ready\ncaf"), done.stderr
