"""Curves of trainings: what is drawn, in which colour, and what of a training of one epoch."""

from dataclasses import replace
from typing import Any

import pytest
from matplotlib.figure import Figure

from pipeline.artifacts import Project
from pipeline.reporting import learning
from pipeline.reporting.charts import COLOURS
from pipeline.reporting.elements import Picture, Table
from pipeline.reporting.report_data import ReportData

from .conftest import data_of


@pytest.fixture
def digits(finished: Project) -> ReportData:
    """Two experiments, of three epochs each."""
    return data_of(finished, "digits")


def with_curves(data: ReportData, **curves: Any) -> ReportData:
    """The data set with these losses by experiment; the accuracy is the same for all."""
    rows = []
    for i, (name, losses) in enumerate(curves.items()):
        made = [{"epoch": e, "loss": loss, "val_top1_accuracy": 0.5 + 0.1 * e} for e, loss in enumerate(losses, 1)]
        rows.append(replace(data.experiments[0], name=name, turn=i, curves=made))
    return replace(data, experiments=rows)


def drawn(figure: Figure) -> list[list[tuple[str, list[float], list[float]]]]:
    """Colour, epochs and figures of every line, by panel."""
    return [
        [(str(line.get_color()), list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines]
        for axes in figure.axes
    ]


def test_loss_and_score_are_drawn_by_epoch(digits: ReportData, pictures: list[Figure]) -> None:
    loss, score = learning.elements(with_curves(digits, a=[2.0, 1.5], b=[3.0, 1.0, 0.25]))
    assert isinstance(loss, Picture) and isinstance(score, Picture)
    assert drawn(pictures[0]) == [[(COLOURS[0], [1, 2], [2.0, 1.5]), (COLOURS[1], [1, 2, 3], [3.0, 1.0, 0.25])]]
    assert [y for _, _, y in drawn(pictures[1])[0]] == [pytest.approx([60, 70]), pytest.approx([60, 70, 80])]
    assert loss.alt == "training loss by epoch: a from 2.000 to 1.500; b from 3.000 to 0.250"
    assert score.alt == "validation accuracy (%) by epoch: a from 60.0 % to 70.0 %; b from 60.0 % to 80.0 %"
    assert (loss.title, score.title) == ("Training loss", "Validation accuracy")
    assert pictures[1].axes[0].get_ylabel() == "validation accuracy (%)" and loss.caption == ""


def test_one_epoch_is_a_number_in_the_caption_and_the_others_keep_their_colours(
    digits: ReportData, pictures: list[Figure]
) -> None:
    loss, score = learning.elements(with_curves(digits, once=[9.0], twice=[2.0, 1.0]))
    assert isinstance(loss, Picture) and isinstance(score, Picture)
    assert drawn(pictures[0]) == [[(COLOURS[1], [1, 2], [2.0, 1.0])]]
    assert loss.caption == "After their only epoch, and not drawn: once 9.000."
    assert score.caption == "After their only epoch, and not drawn: once 60.0 %."
    assert "once" not in loss.alt


def test_nothing_but_single_epochs_is_a_table(digits: ReportData, pictures: list[Figure]) -> None:
    (table,) = learning.elements(with_curves(digits, a=[2.0], b=[3.0]))
    assert isinstance(table, Table) and pictures == []
    assert [[cell.text for cell in row] for row in table.rows] == [["a", "2.000", "60.0 %"], ["b", "3.000", "60.0 %"]]


def test_losses_of_different_size_are_drawn_apart_and_scores_are_not(
    digits: ReportData, pictures: list[Figure]
) -> None:
    both = with_curves(digits, likelihood=[140.0, 96.0], entropy=[2.0, 1.0])
    never_right = [{**row, "val_top1_accuracy": 0.001} for row in both.experiments[1].curves]
    both = replace(both, experiments=[both.experiments[0], replace(both.experiments[1], curves=never_right)])
    loss, score = learning.elements(both)
    assert isinstance(loss, Picture) and isinstance(score, Picture)
    assert drawn(pictures[0]) == [[(COLOURS[0], [1, 2], [140.0, 96.0])], [(COLOURS[1], [1, 2], [2.0, 1.0])]]
    assert loss.caption == "Figures of very different size are drawn apart, each with its own scale."
    assert len(drawn(pictures[1])) == 1 and score.caption == ""


def test_experiments_have_their_turns_from_the_order_of_the_settings(finished: Project) -> None:
    rows = data_of(finished, "electricity").experiments
    assert [(row.name, row.turn) for row in rows] == [("electricity", 0), ("electricity-lstm", 1)]
