"""The whole of params.yaml."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from pipeline.config.schema.datasets import DatasetRows
from pipeline.config.schema.networks import BY_HAND, ExperimentRows, by_hand
from pipeline.config.schema.sources import OwnRows, SourceRow, with_reader
from pipeline.config.schema.values import Cell, Edition, Name, Row, named


class GateRow(Row):
    """`margin`: how much worse than its best naive baseline a model may be and still be promoted, a share of the
    baseline's score."""

    margin: Annotated[float, Field(ge=0.0, le=10.0)] = 0.02


class Params(Row):
    """The whole of params.yaml. `cell`: swaps the cell of every experiment, or null."""

    seed: Annotated[int, Field(ge=0, le=2**31 - 1)]
    edition: Edition
    cell: Cell | None
    sources: dict[Name, SourceRow]
    own: dict[Name, Annotated[OwnRows, Field(discriminator="reader"), BeforeValidator(with_reader)]]
    datasets: dict[Name, Annotated[DatasetRows, Field(discriminator="task")]]
    experiments: dict[Name, Annotated[ExperimentRows, Field(discriminator="task")]]
    gate: GateRow = GateRow()

    def experiment(self, name: str) -> ExperimentRows:
        """The row `name`, with the top-level `cell` put in where it is set, and where NumPy computes, written out."""
        row = named(self.experiments, name, "experiments")
        unknown = by_hand(row) and self.cell not in BY_HAND
        return row if self.cell is None or unknown else row.model_copy(update={"cell": self.cell})

    def experiments_on(self, dataset: str) -> list[str]:
        return [name for name, row in self.experiments.items() if row.dataset == dataset]
