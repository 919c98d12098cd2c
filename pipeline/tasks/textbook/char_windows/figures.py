"""Report figures of char_windows: texts generated after every epoch, and surprise along the training text."""

from pipeline.reporting import generated
from pipeline.reporting.elements import Element
from pipeline.reporting.report_data import ReportData
from pipeline.reporting.surprise import surprise


def figures(data: ReportData) -> list[Element]:
    """Return the generated texts and the surprise along the training text."""
    along = surprise(data, "training text", "scored windows", lambda predictions: predictions[:, 0])
    return [*generated.elements(data, data.encoded.arrays["text"]), along]
