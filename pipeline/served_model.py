"""The MLflow model of every task, as code: what `mlflow models serve` and mlflow.pyfunc.load_model load.

Inputs are those of `python -m pipeline`: a list of strings (or of objects, for forecasts); answers are objects.
"""

from pathlib import Path
from typing import Any

import mlflow

from pipeline.serving import Served


class ServedModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc,name-defined]
    """Loads the stored folder once, in the process that serves it."""

    def load_context(self, context: Any) -> None:
        self.served = Served(Path(context.artifacts["model"]))

    # MLflow would read a type hint on model_input as a schema.
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """One answer for each input, see pipeline.serving."""
        inputs = model_input.iloc[:, 0].tolist() if hasattr(model_input, "iloc") else list(model_input)
        return self.served.answer(inputs, params)


mlflow.models.set_model(ServedModel())
