"""Character models of the chapters: what they write after every pass, and how well they know their text by heart."""

from pipeline.reporting import generated
from pipeline.reporting.elements import Element
from pipeline.reporting.report_data import Material
from pipeline.reporting.surprise import surprise


def figures(material: Material) -> list[Element]:
    along = surprise(material, "training text", "scored windows", lambda predictions: predictions[:, 0])
    return [*generated.elements(material), along]
