"""What DVC would run, in which order: its graph of stages, and which of them have changed."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.errors import UserError

SHOWN = 10  # names in a message


@dataclass(frozen=True)
class Plan:
    """The stages of a run in DVC's order, and those of them to run, with the stages before each of them by name."""

    order: Sequence[Any]
    to_run: Sequence[Any]
    before: dict[str, list[Any]]  # of each stage in `order`: its direct ancestors

    @property
    def names(self) -> list[str]:
        return [stage.addressing for stage in self.to_run]

    def ancestors(self, name: str) -> set[str]:
        """The names of all stages before this one."""
        found: set[str] = set()
        left = [name]
        while left:
            new = [stage.addressing for stage in self.before[left.pop()]]
            left += [one for one in new if one not in found]
            found.update(new)
        return found

    def waves(self) -> list[list[str]]:
        """The stages to run, in groups: each needs only stages of the groups before its own."""
        level: dict[str, int] = {}
        for stage in self.to_run:
            above = [level[one.addressing] for one in self.before[stage.addressing] if one.addressing in level]
            level[stage.addressing] = max(above, default=-1) + 1
        return [
            [name for name in self.names if level[name] == wave] for wave in range(max(level.values(), default=-1) + 1)
        ]


def plan(repo: Any, targets: Sequence[str]) -> Plan:
    """Find what must run for the targets; all pipelines if there are none. Raises UserError for an unknown target.

    A stage must run if it has changed, or one before it must: then nobody knows yet what it will read.
    """
    from dvc.repo.reproduce import get_active_graph, plan_repro

    stages = wanted(repo, targets)
    graph = get_active_graph(repo.index.graph)
    order = plan_repro(graph, stages)
    before = {stage.addressing: list(graph.successors(stage)) for stage in order}
    to_run: dict[Any, None] = {}
    with repo.lock:
        for stage in order:
            if stage.frozen or not stage.cmd:
                continue
            if not to_run.keys().isdisjoint(before[stage.addressing]) or stage.changed():
                to_run[stage] = None
    return Plan(order, list(to_run), before)


def wanted(repo: Any, targets: Sequence[str]) -> list[Any]:
    """The stages that the targets name. Raises UserError."""
    from dvc.exceptions import DvcException
    from dvc.repo.reproduce import collect_stages

    known = [stage.addressing for stage in repo.index.stages]
    found: list[Any] = []
    for target in targets:
        try:
            found += collect_stages(repo, [target])
        except DvcException:
            near = difflib.get_close_matches(target, known, 3) or _some(known)
            raise UserError(f"{target}: no stage, group of stages or file of DVC; there is {', '.join(near)}") from None
    return found


def _some(names: Sequence[str]) -> list[str]:
    groups = list(dict.fromkeys(name.partition("@")[0] for name in names))
    return groups[:SHOWN]


def refuse_endless(plan: Plan) -> None:
    """Raise UserError if a stage of the plan always runs: no run would ever be up to date."""
    always = [stage.addressing for stage in plan.to_run if stage.always_changed or stage.is_callback]
    if always:
        raise UserError(
            f"{listed(always)}: always runs, since it has always_changed or no dependency, so DVC would run it again "
            "here; name other targets, or give it dependencies in dvc.yaml"
        )


def listed(names: Iterable[str]) -> str:
    """The first names, and how many more there are."""
    all_names = list(names)
    more = f" and {len(all_names) - SHOWN} more" if len(all_names) > SHOWN else ""
    return ", ".join(all_names[:SHOWN]) + more
