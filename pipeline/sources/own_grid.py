"""Find the even grid of a column of times: the same number of seconds, days or months from each step to the next."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError
from pipeline.sources.own_times import DAY, NO_TIME, SECOND, Times

HOUR = DAY // 24
SECONDS = {"s": 1, "min": 60, "h": 3600, "D": 86_400, "W": 7 * 86_400}
IN_MONTHS = {"M": 1, "Q": 3, "Y": 12}
SHOWN = 3
AS_THEY_ARE = "or write `time: null` to take the rows in file order"
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Step:
    """The spacing of a grid: seconds or months, the other is None."""

    seconds: int | None = None
    months: int | None = None

    def __str__(self) -> str:
        if self.months is None:
            return f"{self.seconds:,} s"
        return "month" if self.months == 1 else f"{self.months} months"

    def time(self, start: int, steps: int) -> np.datetime64:
        """Return the time some steps after `start`, in microseconds since 1970. Months begin on their first day."""
        if self.months is not None:
            month = np.datetime64(start, "us").astype("datetime64[M]") + self.months * steps
            return np.datetime64(str(month), "s")
        return np.datetime64(iso_time(start + (self.seconds or 0) * SECOND * steps), "s")


@dataclass(frozen=True)
class Clock:
    """The clock on which the times of a file are even.

    times: int64 [rows], microseconds since 1970, NO_TIME where there is none.
    findings: how many times were converted.
    """

    times: Ints
    findings: dict[str, int]


def clock(times: Times) -> Clock:
    """Choose the clock: UTC for times with an offset, but the local one for days at one local time of day.

    Days at two times an hour apart, one of summer and one of winter, are all put at that of the first day.
    """
    chosen, known = times.local, times.local != NO_TIME
    to_utc = local_days = 0
    if times.offset is not None:
        local_days = int(known.sum()) if _daily(times.local[known]) else 0
        to_utc = 0 if local_days else int(known.sum())
        chosen = times.local if local_days else np.where(known, times.local - times.offset, NO_TIME)
    moved = _summer(chosen[known])
    even = chosen.copy()
    even[known] += moved
    findings = {
        "times_with_an_offset_converted_to_utc": to_utc,
        "times_with_an_offset_taken_as_local_days": local_days,
        "times_of_days_moved_by_an_hour": int(np.count_nonzero(moved)),
    }
    return Clock(even, findings)


def _daily(local: Ints) -> bool:
    """Tell whether all times are at one time of day, and on different days."""
    return len(np.unique(local % DAY)) == 1 and len(np.unique(local)) > 1


def _summer(times: Ints) -> Ints:
    """Return by how much each time must move to be at one time of day: 0, unless they are days with summer time."""
    of_day = np.unique(times % DAY)
    steps, often = np.unique(np.diff(np.unique(times)), return_counts=True)
    if len(of_day) != 2 or int(of_day[1] - of_day[0]) not in (HOUR, DAY - HOUR) or steps[often.argmax()] != DAY:
        return np.zeros(len(times), np.int64)
    return np.asarray((times.min() - times + DAY // 2) % DAY - DAY // 2)


def find_step(path: Path, times: Ints, frequency: str | None) -> Step:
    """Return `frequency`, or the most common step between `times`, int64 [rows], sorted and all different."""
    if len(times) < 2:
        raise DataError(f"{path}: {len(times)} different times; expected two or more")
    if frequency is not None:
        count, unit = re.findall(r"\d+|\D+", frequency)
        if unit in IN_MONTHS:
            return Step(months=int(count) * IN_MONTHS[unit])
        return Step(seconds=int(count) * SECONDS[unit])
    if _in_months(times):
        return Step(months=_most_common(np.diff(_months(times))))
    step = _most_common(np.diff(times))
    if step % SECOND:
        raise DataError(f"{path}: most times are {step / SECOND:g} s apart; expected whole seconds, {AS_THEY_ARE}")
    return Step(seconds=step // SECOND)


def _most_common(steps: Ints) -> int:
    different, counts = np.unique(steps, return_counts=True)
    return int(different[counts.argmax()])


def _months(times: Ints) -> Ints:
    return times.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)


def _in_months(times: Ints) -> bool:
    """Tell whether there are three times or more, each in another month, all on the same day or all on the last."""
    days = times.astype("datetime64[us]").astype("datetime64[D]")
    first = days.astype("datetime64[M]")
    of_month = (days - first.astype("datetime64[D]")).astype(np.int64)
    last = (first + 1).astype("datetime64[D]") - days == np.timedelta64(1, "D")
    apart = len(times) > 2 and bool((np.diff(first.astype(np.int64)) > 0).all())
    return apart and len(np.unique(times % DAY)) == 1 and (bool(last.all()) or len(np.unique(of_month)) == 1)


def positions(path: Path, times: Ints, lines: Ints, step: Step) -> Ints:
    """Return the step of the grid at which each time is, int64 [rows]. Raises DataError if times are off the grid."""
    if step.months is None:
        at, rest = np.divmod(times - times[0], (step.seconds or 0) * SECOND)
    else:
        at, rest = np.divmod(_months(times) - _months(times[:1]), step.months)
    off = np.flatnonzero(rest)
    if len(off):
        raise DataError(
            f"{path}: {len(off):,} of {len(at):,} times are off the grid, every {step} from {iso_time(times[0])} "
            f"({_examples(times, lines, off)}); {_finer(times)}"
        )
    again = np.flatnonzero(np.diff(at) == 0) + 1
    if len(again):
        raise DataError(
            f"{path}: {len(again):,} times are in the same step of the grid as the one before, every {step} from "
            f"{iso_time(times[0])} ({_examples(times, lines, again)}); leave `frequency` out, {AS_THEY_ARE}"
        )
    return np.asarray(at)


def _examples(times: Ints, lines: Ints, which: Ints) -> str:
    return "; ".join(f"line {lines[i]:,}: {iso_time(times[i])}" for i in which[:SHOWN])


def _finer(times: Ints) -> str:
    """Return what to write for times that are off the grid: a frequency that fits all, if there is one."""
    months = np.diff(_months(times))
    if (months > 0).all():
        return f"write `frequency: {math.gcd(*map(int, months))}M` in the row of `own`, {AS_THEY_ARE}"
    common = math.gcd(*map(int, np.diff(times)))
    if common % SECOND or common // SECOND > 999_999 * 60:
        return f"correct these times, {AS_THEY_ARE}"
    steps = (times[-1] - times[0]) // common + 1
    frequency, filled = _frequency(common // SECOND), 1 - len(times) / int(steps)
    share = math.ceil(filled * 1000) / 1000
    allow = f", and `max_dropped: {share:g}`, because so many of its steps have no row" if 0 < share < 1 else ""
    return f"correct these times, or write `frequency: {frequency}`, which fits all{allow}, {AS_THEY_ARE}"


def _frequency(seconds: int) -> str:
    unit, size = next((unit, size) for unit, size in reversed(SECONDS.items()) if seconds % size == 0)
    return f"{seconds // size}{unit}"


def iso_time(time: Any) -> str:
    """Return microseconds since 1970 as an ISO time without fractions."""
    return str(np.datetime64(int(time), "us").astype("datetime64[s]"))
