"""The order in which stages start, what a lost worker costs, and what a failure leaves."""

import io
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.errors import UserError
from pipeline.reproduce.fan_out import clones, results
from pipeline.reproduce.fan_out.clones import Outcome
from pipeline.reproduce.fan_out.graph import Plan
from pipeline.reproduce.fan_out.results import Result
from pipeline.reproduce.fan_out.schedule import Schedule
from pipeline.reproduce.lines import Lines

BEFORE = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}


def result(name: str) -> Result:
    return Result(name, "0" * 40, "dvc.lock", name, {"cmd": name, "outs": [{"path": name, "md5": name}]}, {}, {}, 1.0)


def done(name: str) -> Outcome:
    files = {results.file_name(name): result(name).to_bytes(), f"{name}.tar": b"journals"}
    return clones.outcome(clones.DONE, name, files=files)


class Scripted:
    """An executor whose jobs end in a given order, with the given outcomes; without one they are done."""

    place = "a script"

    def __init__(self, *ends: "str | Outcome") -> None:
        self.ends, self.started = list(ends), list[tuple[str, list[str]]]()

    def submit(self, job: clones.Job) -> None:
        self.started.append((job["stage"], sorted(job["results"])))

    def next(self) -> Outcome:
        end = self.ends.pop(0)
        return done(end) if isinstance(end, str) else end

    def close(self) -> None:
        pass


def schedule(folder: Path, known: Sequence[str] = ()) -> "tuple[Schedule, io.StringIO]":
    stages = {name: SimpleNamespace(addressing=name, cmd=name) for name in BEFORE}
    before = {name: [stages[one] for one in names] for name, names in BEFORE.items()}
    plan = Plan(list(stages.values()), list(stages.values()), before)
    said = io.StringIO()
    lines = Lines({}, said)
    lines.begins(plan.names)

    def job(stage: str, given: "dict[str, bytes]") -> clones.Job:
        return {"stage": stage, "results": given}

    return Schedule(plan, job, folder, lines, {name: result(name) for name in known}), said


def test_a_stage_starts_once_those_before_it_are_done_and_gets_their_results(tmp_path: Path) -> None:
    one, _ = schedule(tmp_path)
    executor = Scripted("a", "c", "b", "d")
    one.run(executor)
    every = ["a.json", "b.json", "c.json"]
    assert executor.started == [("a", []), ("b", ["a.json"]), ("c", ["a.json"]), ("d", every)]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*every, "d.json", *(f"{n}.tar" for n in "abcd")])


def test_results_that_are_there_are_not_made_again(tmp_path: Path) -> None:
    one, _ = schedule(tmp_path, known=["a", "b"])
    executor = Scripted("c", "d")
    one.run(executor)
    assert [name for name, _ in executor.started] == ["c", "d"]


@pytest.mark.fault("lost-worker")
def test_a_lost_worker_is_replaced_and_its_stage_counts_once(tmp_path: Path) -> None:
    one, said = schedule(tmp_path)
    executor = Scripted("a", clones.outcome(clones.LOST, "b", "the node died"), "c", "b", "d")
    one.run(executor)
    assert [name for name, _ in executor.started] == ["a", "b", "c", "b", "d"]
    assert "b: its worker failed (the node died); attempt 2 of 3" in said.getvalue()
    assert one.failure is None and sorted(one.done) == list("abcd")


def test_a_worker_that_is_lost_again_and_again_ends_the_run(tmp_path: Path) -> None:
    one, _ = schedule(tmp_path)
    executor = Scripted(*[clones.outcome(clones.REFUSED, "a", "no remote")] * 3)
    one.run(executor)
    assert one.failure is not None and one.failure["output"] == "no remote" and len(executor.started) == 3


def test_after_a_failure_nothing_starts_and_what_runs_is_kept(tmp_path: Path) -> None:
    one, said = schedule(tmp_path)
    executor = Scripted("a", clones.outcome(clones.FAILED, "b", "exited with 3"), "c")
    one.run(executor)
    assert [name for name, _ in executor.started] == ["a", "b", "c"]
    assert one.failure is not None and one.failure["stage"] == "b" and "b failed" in said.getvalue()
    assert sorted(one.done) == ["a", "c"] and (tmp_path / "c.json").is_file()


def test_a_cluster_that_dies_ends_the_run_and_what_was_done_is_kept(tmp_path: Path) -> None:
    class Dying(Scripted):
        def next(self) -> Outcome:
            if not self.ends:
                raise UserError("the cluster does not answer any more")
            return super().next()

    one, _ = schedule(tmp_path)
    with pytest.raises(UserError, match="does not answer"):
        one.run(Dying("a"))
    assert (tmp_path / "a.json").is_file()
