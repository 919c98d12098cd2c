"""The order of a fan-out: a stage starts once those before it are done."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.reproduce.fan_out import clones, results
from pipeline.reproduce.fan_out.clones import Job, Outcome
from pipeline.reproduce.fan_out.executors import Executor
from pipeline.reproduce.fan_out.graph import Plan
from pipeline.reproduce.fan_out.results import Result
from pipeline.reproduce.lines import Lines

ATTEMPTS = 3  # to run a stage whose worker is lost, or cannot reach git or the DVC remote


@dataclass
class Schedule:
    """The stages of a plan, and what has come of them.

    job: describes the work on a stage, given the results of those before it. folder: for the results. done: by stage,
    those of stages that are up to date here included.
    """

    plan: Plan
    job: Callable[[str, dict[str, bytes]], Job]
    folder: Path
    lines: Lines
    done: dict[str, Result]
    attempts: dict[str, int] = field(default_factory=dict)
    failure: Outcome | None = None

    @property
    def waiting(self) -> list[str]:
        """The stages that must run and have no result yet."""
        return [name for name in self.plan.names if name not in self.done]

    def run(self, executor: Executor) -> None:
        """Run every stage. After a failure, wait for those that run, and keep their results."""
        running = set[str]()
        while running or (self.waiting and self.failure is None):
            if self.failure is None:
                for name in (name for name in self.waiting if name not in running and self._ready(name)):
                    running.add(name)
                    self._submit(name, executor)
            ended = executor.next()
            if self._again(ended):
                self._submit(ended["stage"], executor)
            else:
                running.discard(ended["stage"])
                self._ended(ended)

    def _ready(self, name: str) -> bool:
        return {one.addressing for one in self.plan.before[name]}.isdisjoint(self.waiting)

    def _submit(self, name: str, executor: Executor) -> None:
        self.attempts[name] = self.attempts.get(name, 0) + 1
        self.lines.runs(name, self.folder / f"{name}.log")
        given = [self.done[one] for one in sorted(self.plan.ancestors(name)) if one in self.done]
        executor.submit(self.job(name, {results.file_name(one.stage): one.to_bytes() for one in given}))

    def _again(self, ended: Outcome) -> bool:
        """Whether the stage must run again for no fault of its own; says so."""
        count = self.attempts[ended["stage"]]
        again = ended["status"] in (clones.LOST, clones.REFUSED) and count < ATTEMPTS and self.failure is None
        if again:
            said = ended["output"].strip().splitlines() or ["no message"]
            why = said[0] if ended["status"] == clones.LOST else said[-1]
            self.lines.says(f"{ended['stage']}: its worker failed ({why}); attempt {count + 1} of {ATTEMPTS}")
        return again

    def _ended(self, ended: Outcome) -> None:
        name = ended["stage"]
        if ended["status"] != clones.DONE:
            self.lines.fails(name)
            self.failure = self.failure or ended
            return
        made = results.from_bytes(ended["files"][results.file_name(name)], name)
        results.keep(self.folder, ended["files"])
        self.done[name] = made
        self.lines.ends(name, made.seconds)
