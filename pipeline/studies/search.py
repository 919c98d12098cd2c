"""The search for the best settings: Optuna proposes, the trials of a pool answer.

A search that was killed goes on: Optuna's trials are in a database, and those that ran are run again with the same
settings. Each proposal is drawn from a generator of its own number, so that the search goes on as if it had not been
interrupted; with one worker, the same seed gives the same search.
"""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState
from optuna.trial import Trial as Asked

from pipeline.config.schema.tunings import TuningRow
from pipeline.studies import space as spaces
from pipeline.studies.pool import Done, Event, Failed, Pool, Reported
from pipeline.studies.trial import Trial, TrialResult

STARTS = 10  # random trials before TPE has something to learn from, in a search of 40 trials or more
FEWEST_STARTS = 3
COMPARED = 5  # finished trials before the median of their figures ends another one
WARM_UP = 0.2  # of the epochs, in which the median ends none
OWN, KEY, MESSAGE, SECONDS = "own", "key", "message", "seconds"
RAN = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING)
Say = Callable[[str], None]


@dataclass(frozen=True)
class Search:
    """What is searched, and with what.

    name: of Optuna's study, new for other data, code, space or other settings than those of the space. made(settings):
    the trial with these settings. stored(trial): its result if it is in the store. own: the experiment's own settings.
    figure: what a result is judged by. epochs: of the longest trial. random: draw every trial at random, to compare.
    """

    name: str
    row: TuningRow
    seed: int
    own: Mapping[str, Any]
    made: Callable[[Mapping[str, Any]], Trial]
    stored: Callable[[Trial], TrialResult | None]
    figure: str
    higher_is_better: bool
    epochs: int
    random: bool = False

    @property
    def inside(self) -> bool:
        """Whether the space has the experiment's own settings."""
        return spaces.own(self.own, self.row.dimensions)[1]


def search(plan: Search, storage: BaseStorage, pool: Pool, say: Say = print) -> optuna.Study:
    """Run the trials that are missing, and return Optuna's study with all of them.

    Trials that run when the minutes are over are stopped; they go on when the row gets more minutes.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    direction: Literal["maximize", "minimize"] = "maximize" if plan.higher_is_better else "minimize"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna warns of what is experimental in it
        study = optuna.create_study(
            storage=storage, study_name=plan.name, direction=direction, pruner=_pruner(plan), load_if_exists=True
        )
        _Run(plan, study, storage, pool, say).run()
    return study


def ran(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that have begun, in the order of their numbers."""
    return study.get_trials(deepcopy=False, states=RAN)


def _pruner(plan: Search) -> BasePruner:
    if plan.row.pruning == "hyperband":
        return HyperbandPruner(min_resource=1, max_resource=plan.epochs)
    if plan.row.pruning == "median":
        return MedianPruner(n_startup_trials=COMPARED, n_warmup_steps=1 + round(WARM_UP * plan.epochs))
    return NopPruner()


def _sampler(plan: Search, number: int) -> BaseSampler:
    """The proposer of the trial of this number."""
    seed = int(np.random.SeedSequence([plan.seed, number]).generate_state(1)[0])
    if plan.random:
        return RandomSampler(seed)
    return TPESampler(seed=seed, n_startup_trials=min(STARTS, max(FEWEST_STARTS, plan.row.trials // 4)))


@dataclass
class _Run:
    plan: Search
    study: optuna.Study
    storage: BaseStorage
    pool: Pool
    say: Say
    # The trials in the pool by their keys, with those of Optuna that they answer: several if it repeats itself.
    running: dict[str, Trial] = field(default_factory=dict)
    waiting: dict[str, list[Asked]] = field(default_factory=dict)
    begun: float = 0.0

    def run(self) -> None:
        self.begun = time.monotonic() - float(self.study.user_attrs.get(SECONDS, 0.0))
        known = self.study.get_trials(deepcopy=False)
        if not known:
            self._enqueue()
        if self._late():
            return
        if known or not self.plan.inside:  # known: the experiment may have got other settings since
            self._submit(self.plan.made(self.plan.own), None)
        for asked in self._interrupted():
            self._begin(asked)
        while True:
            while self._more():
                self._begin(self._asked())
            if not self.running:
                return
            self._take(self.pool.next())
            if self._late():
                self._stop()
                return

    def _stop(self) -> None:
        """End what runs, without telling Optuna: it goes on when there is time again."""
        for trial in self.running.values():
            self.pool.stop(trial)
        self.study.set_user_attr(SECONDS, time.monotonic() - self.begun)

    def _enqueue(self) -> None:
        """Put the experiment's own settings first, and all others after them if all are wanted."""
        if self.plan.inside:
            self.study.enqueue_trial(dict(self.plan.own), user_attrs={OWN: True})
        if self.plan.row.trials >= self.plan.row.combinations:
            for settings in spaces.all_of(self.plan.row.dimensions, self.plan.seed):
                if settings != self.plan.own:
                    self.study.enqueue_trial(settings)

    def _interrupted(self) -> Iterator[Asked]:
        """The trials that ran when the search was killed or its time was up."""
        study_id = self.storage.get_study_id_from_name(self.plan.name)
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self.study.sampler = _sampler(self.plan, trial.number)
            yield Asked(self.study, self.storage.get_trial_id_from_study_id_trial_number(study_id, trial.number))

    def _more(self) -> bool:
        free = len(self.running) < self.pool.workers
        return free and not self._late() and len(ran(self.study)) < self.plan.row.trials

    def _asked(self) -> Asked:
        self.study.sampler = _sampler(self.plan, len(ran(self.study)))
        return self.study.ask()

    def _begin(self, asked: Asked) -> None:
        settings = spaces.suggested(asked, self.plan.row.dimensions)
        trial = self.plan.made(settings)
        asked.set_user_attr(KEY, trial.key)
        self._submit(trial, asked)

    def _submit(self, trial: Trial, asked: Asked | None) -> None:
        """Let the trial run, unless it runs or its result is known. asked: Optuna's, None for one outside the space."""
        whose = [] if asked is None else [asked]
        if trial.key in self.running:
            self.waiting[trial.key] += whose
            return
        self.running[trial.key], self.waiting[trial.key] = trial, whose
        found = self.plan.stored(trial)
        if found is None:
            self.pool.submit(trial)
        else:
            self._take(Done(trial, found))

    def _take(self, event: Event) -> None:
        key = event.trial.key
        if key not in self.running:  # it was stopped
            return
        if isinstance(event, Reported):
            self._reported(event)
            return
        whose = self.waiting.pop(key)
        del self.running[key]
        for asked in whose:
            if isinstance(event, Failed):
                asked.set_user_attr(MESSAGE, event.message)
                self._tell(asked, None, TrialState.FAIL)
            else:
                for epoch, row in enumerate(event.result.history, start=1):
                    asked.report(row[f"val_{self.plan.figure}"], epoch)
                self._tell(asked, event.result.validation[self.plan.figure], TrialState.COMPLETE)

    def _reported(self, event: Reported) -> None:
        """Note the figure, and end the trial if the pruner says so; the experiment's own settings are never pruned."""
        whose = self.waiting[event.trial.key]
        for asked in whose:
            asked.report(event.value, event.epoch)  # Optuna ignores an epoch that it knows
        if whose and all(OWN not in asked.user_attrs and asked.should_prune() for asked in whose):
            self.pool.stop(event.trial)
            del self.running[event.trial.key], self.waiting[event.trial.key]
            for asked in whose:
                self._tell(asked, None, TrialState.PRUNED)

    def _tell(self, asked: Asked, value: float | None, state: TrialState) -> None:
        told = self.study.tell(asked, value, state)
        self.study.set_user_attr(SECONDS, time.monotonic() - self.begun)
        settings = spaces.written(told.params, self.plan.row.dimensions)
        what = " ".join(f"{name}={setting}" for name, setting in settings.items())
        figure = {TrialState.FAIL: "failed", TrialState.PRUNED: "pruned"}.get(
            state
        ) or f"{self.plan.figure} {value:.5g}"
        self.say(f"{told.number + 1}/{self.plan.row.trials} {what}: {figure}")

    def _late(self) -> bool:
        minutes = self.plan.row.minutes
        return minutes is not None and time.monotonic() - self.begun > 60 * minutes
