"""`fan-out` on a tiny project: the result is that of `dvc repro`, whatever stops or delays a worker."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from dvc.repo import Repo

from pipeline.errors import StageFailed
from pipeline.reproduce.fan_out.clones import Job
from tests.reproduce.fan_out import serial
from tests.reproduce.fan_out.serial import Serial
from tests.reproduce.fan_out.tiny import NAMES, STAGES, Tiny

pytestmark = pytest.mark.filterwarnings("ignore")  # of DVC's libraries


def stages(out: str) -> "list[str]":
    """The stages that have a line in the output."""
    return re.findall(r"^\[ *\d+/\d+\] (\S+) … ", out, re.MULTILINE)


def test_it_leaves_what_dvc_repro_leaves(done: "tuple[Tiny, str]", plain: Tiny) -> None:
    tiny, out = done
    assert tiny.state() == plain.state(), "outputs and lock files, byte for byte"
    assert sorted(stages(out)) == sorted(NAMES) and out.endswith(
        "5 stages ran, 0 came from DVC's cache, 0 were up to date\n"
    )


def test_a_second_one_finds_nothing_to_run(done: "tuple[Tiny, str]", capsys: pytest.CaptureFixture[str]) -> None:
    serial.run(done[0], executor=Serial(pytest.fail))
    assert capsys.readouterr().out == "5 stages up to date\n"


@pytest.mark.slow
@pytest.mark.long
def test_the_worker_command_works_without_a_driver(done: "tuple[Tiny, str]", new: Path, tmp_path: Path) -> None:
    """Two clones, as two jobs of CI: the second gets the first one's result as a file, and its data from the remote."""
    remote = tmp_path / "remote"
    for number, name in enumerate(["raw", "half@a"]):
        clone = tmp_path / str(number)
        subprocess.run(["git", "clone", "--quiet", new, clone], check=True)
        one = Tiny(clone)
        one.run("dvc", "remote", "modify", "--local", "storage", "url", str(remote))
        if number:
            shutil.copytree(tmp_path / "0" / "results" / "new", clone / "results")
        said, _ = one.fan_out("--worker", name, "--results", "results")
        assert f"Running stage '{name}'" in said
    (stored,) = (tmp_path / "1" / "results" / "new").iterdir()
    assert (stored.name, json.loads(stored.read_text())["stage"]) == ("half@a.json", "half@a")
    assert (tmp_path / "1" / "half-a" / "x").read_text() == "1\na\n"


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.fault("lost-worker")
def test_a_worker_that_is_killed_in_the_middle_is_replaced(
    fresh: Tiny, plain: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    once = f"test -e {tmp_path}/killed || {{ touch {tmp_path}/killed; kill -9 $PPID; sleep 9; }}; "
    fresh.write("dvc.yaml", STAGES.replace("mkdir half-${item};", f"mkdir half-${{item}}; {once}"))
    fresh.commit()
    executor = serial.run(fresh)
    assert "half@a: its worker failed (SIGKILL ended the worker); attempt 2 of 3\n" in capsys.readouterr().out
    assert sorted(job["stage"] for job in executor.started) == sorted([*NAMES, "half@a"])
    assert fresh.outputs() == plain.outputs()


@pytest.mark.slow
@pytest.mark.long
def test_an_interrupted_run_goes_on_where_it_was(fresh: Tiny, plain: Tiny) -> None:
    def stop(job: Job) -> None:
        if job["stage"] == "half@b":
            raise KeyboardInterrupt

    with pytest.raises(StageFailed, match="interrupted; what has ended is kept") as error:
        serial.run(fresh, executor=Serial(stop))
    assert error.value.code == 130
    executor = serial.run(fresh)
    assert [job["stage"] for job in executor.started] == ["half@b", "score", NAMES[-1]]
    assert fresh.state() == plain.state()


@pytest.mark.slow
@pytest.mark.long
def test_a_failed_stage_shows_its_output_and_the_rest_comes_from_the_run_cache(
    fresh: Tiny, plain: Tiny, capsys: pytest.CaptureFixture[str]
) -> None:
    fresh.write("dvc.yaml", STAGES.replace("mkdir -p scores;", "echo no such thing >&2; exit 3;"))
    fresh.commit()
    with pytest.raises(StageFailed, match="score failed; what has ended is kept") as error:
        serial.run(fresh)
    assert error.value.code == 255 and "    no such thing\n" in capsys.readouterr().err
    assert not (fresh.root / "dvc.lock").exists(), "nothing is recorded by halves"
    fresh.write("dvc.yaml", STAGES)
    fresh.commit()
    serial.run(fresh)
    # DVC keeps no run of `raw`, whose output persists, nor of `score`, whose output it does not keep.
    assert capsys.readouterr().out.endswith("3 stages ran, 2 came from DVC's cache, 0 were up to date\n")
    assert fresh.state() == plain.state()


@pytest.mark.slow
@pytest.mark.long
def test_what_only_this_folder_has_makes_dvc_run_a_stage_here(fresh: Tiny, capsys: pytest.CaptureFixture[str]) -> None:
    fresh.write(".git/info/exclude", "extra.txt\n")
    fresh.write("scores/extra.txt", "of a removed row\n")
    serial.run(fresh)
    assert f"{NAMES[-1]} ran here at the end: files in this folder, not in git, change what" in capsys.readouterr().out
    assert json.loads(fresh.run("dvc", "status", "--json")[0]) == {}


@pytest.mark.slow
@pytest.mark.long
def test_a_stage_that_is_up_to_date_is_pushed_and_not_run(fresh: Tiny, plain: Tiny) -> None:
    with serial.user_in(fresh):
        Repo().reproduce(["half@a"])
    executor = serial.run(fresh)
    assert [job["stage"] for job in executor.started] == ["half@b", "score", NAMES[-1]]
    assert fresh.outputs() == plain.outputs()


@pytest.mark.slow
@pytest.mark.long
def test_the_command_itself_runs_stages_side_by_side(fresh: Tiny, plain: Tiny) -> None:
    out, _ = fresh.fan_out("--workers", "2")
    assert out.startswith("5 stages to run by 2 workers on this machine; 0 are up to date\n")
    assert sorted(stages(out)) == sorted(NAMES) and fresh.state() == plain.state()
    assert {path.name for path in (fresh.root / ".dvc" / "tmp" / "clones").iterdir()} == {"0", "0.lock", "1", "1.lock"}
    assert json.loads(fresh.run("dvc", "status", "--json")[0]) == {}
