"""The whole of params.yaml."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PrivateAttr

from pipeline.config.files import MAIN, TEXTBOOK_STAGES, Files
from pipeline.config.schema.datasets import DatasetRows
from pipeline.config.schema.networks import BY_HAND, ExperimentRows, by_hand
from pipeline.config.schema.sources import OwnRows, SourceRow, with_reader
from pipeline.config.schema.studies import Executor, StudyRow
from pipeline.config.schema.tunings import TuningRow
from pipeline.config.schema.values import Cell, Edition, Name, Row, named


class GateRow(Row):
    """`margin`: how much worse than its best naive baseline a model may be and still be promoted, a share of the
    baseline's score."""

    margin: Annotated[float, Field(ge=0.0, le=10.0)] = 0.02


class Params(Row):
    """params.yaml and textbook/params.yaml as one. `cell`: swaps the cell of every experiment, or null. `experiments`
    have the settings of their `recipes`. `executor`: where the trials of studies run."""

    seed: Annotated[int, Field(ge=0, le=2**31 - 1)]
    edition: Edition
    cell: Cell | None
    sources: dict[Name, SourceRow]
    own: dict[Name, Annotated[OwnRows, Field(discriminator="reader"), BeforeValidator(with_reader)]]
    recipes: dict[Name, dict[str, Any]] = Field(default_factory=dict)
    datasets: dict[Name, Annotated[DatasetRows, Field(discriminator="task")]]
    experiments: dict[Name, Annotated[ExperimentRows, Field(discriminator="task")]]
    studies: dict[Name, StudyRow] = Field(default_factory=dict)
    tunings: dict[Name, TuningRow] = Field(default_factory=dict)
    gate: GateRow = GateRow()
    executor: Executor = "local"
    _files: Files = PrivateAttr(default_factory=Files)

    @classmethod
    def of(cls, tables: Any, files: Files) -> "Params":
        """The checked tables; files: what they were written as. Raises pydantic's ValidationError."""
        params = cls.model_validate(tables)
        params._files = files
        return params

    @property
    def files(self) -> Files:
        """What the files hold, as written."""
        return self._files

    def experiment(self, name: str) -> ExperimentRows:
        """The row `name`, with the top-level `cell` put in where it is set, and where NumPy computes, written out."""
        row = named(self.experiments, name, "experiments")
        unknown = by_hand(row) and self.cell not in BY_HAND
        return row if self.cell is None or unknown else row.model_copy(update={"cell": self.cell})

    def reduced(self, name: str) -> dict[str, Any]:
        """The settings of the experiment that the synthetic edition replaced; none in the published one."""
        return self.files.synthetic(name) if self.edition == "synthetic" else {}

    def experiments_on(self, dataset: str) -> list[str]:
        return [name for name, row in self.experiments.items() if row.dataset == dataset]

    def datasets_of(self, file: str) -> list[str]:
        """The data sets of params.yaml (MAIN), or of the textbook's file (TEXTBOOK)."""
        return [name for name in self.datasets if self.files.file_of("datasets", name) == file]

    def stage(self, stage: str, name: str) -> str:
        """The DVC target that runs a stage for a row, such as train@alice or textbook/dvc.yaml:train@alice-chapter."""
        table = {"download": "sources", "import": "own", "train": "experiments", "evaluate": "experiments"}
        file = self.files.file_of(table.get(stage, "datasets"), name)
        return f"{stage}@{name}" if file == MAIN else f"{TEXTBOOK_STAGES}:{stage}@{name}"
