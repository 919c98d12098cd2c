"""The sentences of verdict: each says what its numbers show, and no more."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.config.schema.studies import StudyRow
from pipeline.evaluation.metric import Metric
from pipeline.studies import verdict

PAGE = (Path(__file__).parents[2] / "docs" / "studies.md").read_text(encoding="utf-8")

BITS = Metric("bits_per_char").shown("bits per character")
ACCURACY = Metric("accuracy", higher_is_better=True).shown("accuracy", unit="%")


def study(
    different: dict[str, bool | None],
    *,
    metric: Metric = BITS,
    seeds: int = 5,
    units: int = 500,
    block: int = 1,
    difference: float = -0.5,
    basis: str = "seeds and examples",
) -> dict[str, Any]:
    """An answer with the arms a, b, c, … in this order, and whether pairs like "ab" are different."""
    order = sorted(set("".join(different)))
    return {
        "test": {"examples": units * block, "block": block, "units": units},
        "arms": [{"name": name, "mean": 0.5, "sd": 0.1 if seeds > 1 else None, "low": 0.4, "high": 0.6,
                  "seeds": list(range(seeds))} for name in order],
        "pairs": [
            {"a": pair[0], "b": pair[1], "difference": difference, "low": difference - 0.1, "high": difference + 0.1,
             "p_holm": 0.004 if clear else 0.4, "different": clear, "basis": basis}
            for pair, clear in different.items()
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            study({"ab": True}),
            "a has the best bits per character, 0.500, and is clearly better than b: "
            "−0.50 bits per character [−0.60, −0.40], p = 0.0040.",
        ),
        (
            study({"ab": True, "ac": True, "bc": False}),
            "a has the best bits per character, 0.500, and is clearly better than all 2 others; the next is b: "
            "−0.50 bits per character [−0.60, −0.40], p = 0.0040 after Holm’s correction for 3 pairs.",
        ),
        (
            study({"ab": False, "ac": True, "bc": False}),
            "a has the best bits per character, 0.500, and is clearly better than c, but not clearly different from b.",
        ),
        (
            study({"ab": False, "ac": True, "ad": True, "ae": True, "af": True, "bc": False}),
            "a has the best bits per character, 0.500, and is clearly better than 4 others, but not clearly "
            "different from b.",
        ),
        (
            study({"ab": False, "ac": False, "bc": True}),
            "a has the best bits per character, 0.500, but it is not clearly better than any other arm; 1 other "
            "pair differs clearly.",
        ),
        (
            study({"ab": False}),
            "a has the best bits per character, 0.500, but the difference is not more than chance explains "
            "(p = 0.40); the arms may still differ.",
        ),
        (
            study({"ab": False, "ac": False, "bc": False}),
            "a has the best bits per character, 0.500, but none of the 3 differences is more than chance "
            "explains (smallest p = 0.40); the arms may still differ.",
        ),
        (
            study({"ab": None, "ac": None, "bc": None}, seeds=1, basis="examples"),
            "a has the best bits per character, 0.500, but each arm was trained once, so nothing can be said beyond "
            "these trainings.",
        ),
        (
            study({"ab": None}, basis="examples"),
            "a has the best bits per character, 0.500, but no two arms share two seeds, so nothing can be said "
            "beyond these trainings.",
        ),
        (
            study({"ab": None}, units=4, basis="seeds"),
            "a has the best bits per character, 0.500, on a test part of 4 examples, which is too short to say "
            "anything beyond it.",
        ),
        (
            study({"ab": None}, units=4, block=25, basis="seeds"),
            "a has the best bits per character, 0.500, on a test part of 4 independent blocks, which is too short to "
            "say anything beyond it.",
        ),
    ],
)
def test_the_verdict_on_arms(found: dict[str, Any], expected: str) -> None:
    assert verdict.on_arms(BITS, found) == expected


def test_accuracy_in_points() -> None:
    found = study({"ab": True}, metric=ACCURACY, difference=0.2)
    assert verdict.on_arms(ACCURACY, found) == (
        "a has the best accuracy, 50.0 %, and is clearly better than b: +20.0 points [+10.0, +30.0], p = 0.0040."
    )


def test_equal_results() -> None:
    found = study({"ab": False}, difference=0.0)
    found["pairs"][0] |= {"low": 0.0, "high": 0.0}
    assert verdict.on_arms(BITS, found) == "The 2 arms give the same results, 0.500: no difference."


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [
        (5, "a: bits per character 0.500, 95 % interval 0.400 to 0.600 over 5 seeds; there is no arm to compare."),
        (1, "a: bits per character 0.500 from one training; nothing can be said beyond it, and there is no arm to "
            "compare."),
    ],
)  # fmt: skip
def test_one_arm(seeds: int, expected: str) -> None:
    found = study({"ab": None}, seeds=seeds)
    assert verdict.on_arms(BITS, found | {"arms": found["arms"][:1], "pairs": []}) == expected


def ranked(sets: int, p: float, critical: float) -> dict[str, Any]:
    return {
        "data_sets": [f"d{i}" for i in range(sets)],
        "order": ["a", "b", "c"],
        "ranks": {"a": 1.0, "b": 2.0, "c": 3.0},
        "p": p,
        "critical": critical,
    }


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (ranked(6, 0.3, 1.0), "but Friedman’s test finds no difference between the 3 arms (p = 0.30)."),
        (ranked(6, 0.01, 3.0), "but Nemenyi’s test finds no arm that it is better than."),
        (ranked(6, 0.01, 1.5), "and Nemenyi’s test finds it better than c."),
        (ranked(6, 0.01, 0.9), "and Nemenyi’s test finds it better than b and c."),
        (
            ranked(3, 0.05, 1.9),
            "but Friedman’s test finds no difference between the 3 arms (p = 0.050); 3 data sets are too few for more "
            "than a weak comparison.",
        ),
    ],
)
def test_the_verdict_on_ranks(found: dict[str, Any], expected: str) -> None:
    sets = len(found["data_sets"])
    assert verdict.on_ranks(found) == f"a has the best mean rank over {sets} data sets, 1.00, {expected}"


def test_the_page_about_studies_quotes_the_verdicts() -> None:
    code = Path(verdict.__file__).read_text(encoding="utf-8")
    quoted = [
        part.strip(" …") for quote in re.findall(r"\*“(.+?)”\*", PAGE) for part in quote.split("…") if part.strip()
    ]
    assert len(quoted) >= 5
    for part in quoted:
        assert part in code, part


def test_the_row_on_the_page_about_studies_is_a_study() -> None:
    (block,) = re.findall(r"\n    studies:\n(?:    .+\n)+", PAGE)
    (row,) = YAML(typ="safe", pure=True).load(block)["studies"].values()
    assert len(StudyRow.model_validate(row).combinations) == 5
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == set(StudyRow.model_fields)
