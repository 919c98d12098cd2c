"""Character models of the chapters: what they write after every pass, and how well they know their text by heart."""

from pipeline.reporting import generated
from pipeline.reporting.elements import Element
from pipeline.reporting.report_data import ReportData
from pipeline.reporting.surprise import surprise


def figures(data: ReportData) -> list[Element]:
    along = surprise(data, "training text", "scored windows", lambda predictions: predictions[:, 0])
    return [*generated.elements(data), along]
