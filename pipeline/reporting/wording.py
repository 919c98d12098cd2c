"""Say in words what the figures show. A sentence says no more than the verdict, which follows from the interval."""

from collections import Counter
from collections.abc import Sequence

from pipeline.reporting import formatting
from pipeline.reporting.comparison import BETTER, UNCLEAR, WORSE, against_baseline
from pipeline.reporting.report_data import ReportData, Result
from pipeline.reporting.tables import interval, ranked, way

VERDICTS = {BETTER: "better", WORSE: "worse", UNCLEAR: "no clear difference", "": "a difference without an interval"}


def findings(results: Sequence[Result]) -> list[str]:
    """Return three sentences: the count of the verdicts, the largest gain, and the largest loss."""
    return [tally(results), _gain(results), _loss(results)] if results else []


def tally(results: Sequence[Result]) -> str:
    """Count the verdicts on all experiments, in one sentence."""
    verdicts = Counter(against_baseline(result).verdict for result in results)
    named = ((BETTER, "better"), (WORSE, "not better"), (UNCLEAR, "not clearly different"), ("", "without an interval"))
    parts = [f"{verdicts[verdict]} {words}" for verdict, words in named if verdicts[verdict]]
    noun = "experiment" if len(results) == 1 else "experiments"
    return f"{len(results)} {noun} compared with the best naive baseline on the same test data: {', '.join(parts)}."


def _gain(results: Sequence[Result]) -> str:
    better = [result for result in results if against_baseline(result).verdict == BETTER]
    if not better:
        return "No network is better than its baseline by more than chance."
    most = max(better, key=_skill)
    return f"By skill, the largest gain is on {most.metrics['dataset']}: {compared(most)}."


def _loss(results: Sequence[Result]) -> str:
    worse = [result for result in results if against_baseline(result).verdict == WORSE]
    if not worse:
        return "No network is worse than its baseline by more than chance."
    least = min(worse, key=_skill)
    return f"By skill, the largest loss is on {least.metrics['dataset']}: {compared(least)}."


def _skill(result: Result) -> float:
    """Return the skill; that against a baseline without errors is below all others."""
    skill = result.against["skill"]
    return float("-inf") if skill is None else float(skill)


def story(data: ReportData) -> str:
    """Return what the best experiment and its best baseline reach, and the verdict."""
    best = next(name for name, is_ours in ranked(data) if is_ours)
    result = next(experiment.result for experiment in data.experiments if experiment.name == best)
    count = len(data.experiments)
    ahead = f"{best} has the best test score of {count} experiments. " if count > 1 else ""
    limit = result.against_optimum
    optimum = f" The best possible is {formatting.value(result.metric, limit['score'])}: {way(limit)}." if limit else ""
    return f"{ahead}{_capital(compared(result))}.{optimum}"


def compared(result: Result) -> str:
    """Return the baseline's score, the network's score and the verdict: words before numbers."""
    metric, against, metrics = result.metric, result.against, result.metrics
    ours, theirs = (formatting.value(metric, against[key]) for key in ("score", "baseline_score"))
    cell = formatting.CELLS.get(metrics["cell"], metrics["cell"])
    comparison = against_baseline(result)
    return (
        f"the baseline {against['baseline']} {said(result, theirs)}; "
        f"the network {metrics['experiment']} ({cell}) {said(result, ours, again=True)}: "
        f"{VERDICTS[comparison.verdict]}, {interval(comparison)}"
    )


def said(result: Result, score: str, *, again: bool = False) -> str:
    """Return a score in the task's words: "needs 2.08 bits per character". again: without what follows the figure."""
    before, _, after = (result.task.said or f"scores {{}} ({result.metric.label})").partition("{}")
    return f"{before}{score}{'' if again else after}"


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
