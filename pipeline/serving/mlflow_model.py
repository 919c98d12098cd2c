"""The MLflow model of every task, loaded by mlflow.pyfunc.load_model and `mlflow models serve`.

It takes a list of strings, or of objects for forecasts, as described in docs/serving.md. Each answer is an object.
"""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE

from pipeline.errors import Busy, DataError
from pipeline.serving.served import SECONDS, Served


class ServedModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc,name-defined]
    """A model that loads its stored folder once, in the process that serves it."""

    def load_context(self, context: Any) -> None:
        self.served = Served(Path(context.artifacts["model"]))

    # MLflow would read a type hint on model_input as a schema.
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """Return one answer for each input."""
        inputs = _items(model_input) if hasattr(model_input, "iloc") else list(model_input)
        try:
            return self.served.answer(inputs, params, SECONDS)
        except DataError as error:  # MLflow's server answers 400 with the message, without a traceback
            raise MlflowException.invalid_parameter_value(str(error)) from None
        except Busy as error:  # 503
            raise MlflowException(str(error), TEMPORARILY_UNAVAILABLE) from None


def _items(table: Any) -> list[Any]:
    """Return the inputs in the pandas table that MLflow makes of them: texts, or objects without their empty keys."""
    if table.shape[1] == 1 and all(isinstance(cell, str) for cell in table.iloc[:, 0]):
        return list(table.iloc[:, 0])
    rows = table.to_dict("records") if table.shape[1] else [{}]  # an empty object leaves no row
    return [{key: value for key, value in row.items() if not _is_empty(value)} for row in rows]


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))


mlflow.models.set_model(ServedModel())
