"""Count what a reader of users' own files drops or replaces, and limit it: one rule for all kinds of files.

Each kind of loss is a finding, so that the report shows what was really done. Together they are limited by
`max_dropped` of the user's row. What loses nothing (a byte order mark, converted line ends, blank rows) is a finding
too, but is not counted here.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import DataError

SHOWN = 3
MOST = 0.2  # a larger share of the user's data is never proposed to be dropped
ROUNDING = 1e-9  # 0.07 * 100 is slightly more than 7


@dataclass
class Dropped:
    """What was dropped or replaced in one file.

    limit: the largest share of all `units` that may be dropped or replaced.
    advice: what to do about each kind of loss, by the name of its finding.
    total: how many units there were when the account was last checked.
    """

    path: Path
    limit: float
    units: str = "rows"
    advice: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    total: int = 0
    _places: dict[str, dict[str, int]] = field(default_factory=dict)

    def kind(self, finding: str, advice: str) -> None:
        """Announce a kind of loss: the name of its finding, and what the user can do about it."""
        self.advice[finding] = advice
        self.counts.setdefault(finding, 0)

    def add(self, finding: str, line: int | str, what: str, count: int = 1) -> None:
        """Count a loss of an announced kind.

        line: the line of the file where it begins, or the place in words. what: what is wrong in the `count` lines.
        """
        self.counts[finding] += count
        shown = self._places.setdefault(finding, {})
        if count and len(shown) < SHOWN:
            shown[f"{_place(line, count)}: {what}"] = count

    def check(self, total: int) -> dict[str, int]:
        """Return the counts as findings. Raises DataError if they are more than the limit allows of `total` units."""
        self.total, lost = total, sum(self.counts.values())
        if lost <= self.limit * total + ROUNDING:
            return dict(self.counts)
        found = [self._described(finding) for finding, count in self.counts.items() if count]
        share = lost / total
        allow = math.ceil(share * 100 - ROUNDING) / 100
        instead = f", or do without them: `max_dropped: {allow:g}` in the row of `own`" if allow <= MOST else ""
        raise DataError(
            f"{self.path}: {lost:,} of {total:,} {self.units} would be dropped or replaced, more than `max_dropped` "
            f"({self.limit:g} of them) allows. {'. '.join(found)}{instead}"
        )

    def _described(self, finding: str) -> str:
        places, count = self._places[finding], self.counts[finding]
        unseen = count - sum(places.values())
        more = f"; and {unseen:,} more" if unseen else ""
        return f"{finding.replace('_', ' ')}: {count:,} ({'; '.join(places)}{more}): {self.advice[finding]}"


def _place(line: int | str, count: int) -> str:
    if isinstance(line, str):
        return line
    return f"line {line:,}" if count == 1 else f"lines {line:,} to {line + count - 1:,}"
