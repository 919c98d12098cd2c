"""What must run, and what of it can run at once."""

import json
from types import SimpleNamespace

import pytest

from pipeline.artifacts import Project
from pipeline.reproduce.fan_out import fan_out
from pipeline.reproduce.fan_out.graph import Plan, listed
from tests.reproduce.fan_out import serial
from tests.reproduce.fan_out.tiny import Tiny

pytestmark = pytest.mark.filterwarnings("ignore")  # of DVC's libraries


def waves(tiny: Tiny, capsys: pytest.CaptureFixture[str], *targets: str) -> object:
    with serial.user_in(tiny):
        fan_out.print_waves(Project(tiny.root), targets)
    return json.loads(capsys.readouterr().out)


def test_a_new_project_runs_in_waves(fresh: Tiny, capsys: pytest.CaptureFixture[str]) -> None:
    assert waves(fresh, capsys) == [["raw"], ["half@a", "half@b"], ["score"], ["other/dvc.yaml:last"]]


def test_a_target_brings_what_it_needs_and_no_more(fresh: Tiny, capsys: pytest.CaptureFixture[str]) -> None:
    assert waves(fresh, capsys, "half@b") == [["raw"], ["half@b"]]


def test_what_is_up_to_date_is_not_in_the_waves(done: "tuple[Tiny, str]", capsys: pytest.CaptureFixture[str]) -> None:
    assert waves(done[0], capsys) == []
    path = done[0].root / "half-b" / "x"
    content = path.read_bytes()
    path.unlink()
    assert waves(done[0], capsys) == [["half@b"], ["score"], ["other/dvc.yaml:last"]]
    path.write_bytes(content)


def stage(name: str) -> SimpleNamespace:
    return SimpleNamespace(addressing=name)


def test_waves_need_only_stages_that_run() -> None:
    old, one, two, three = map(stage, ("old", "one", "two", "three"))
    before = {"old": [], "one": [old], "two": [old, one], "three": [old]}
    plan = Plan([old, one, two, three], [one, two, three], before)  # type: ignore[arg-type]
    assert plan.waves() == [["one", "three"], ["two"]]
    assert plan.ancestors("two") == {"old", "one"}


def test_a_long_list_is_cut() -> None:
    assert listed(map(str, range(12))) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"
