"""What the warm process imports before it forks stages."""

import importlib
import pkgutil
import warnings

import pipeline
from pipeline.tracking.store import import_mlflow

LATE = (  # what stages import inside functions
    "nltk.tag.perceptron",
    "nltk.tokenize",
    "pycrfsuite",
    "scipy.special",
    "sklearn.cluster",
    "sklearn.datasets",
    "sklearn.feature_extraction.text",
    "sklearn.linear_model",
    "sklearn.pipeline",
    "sklearn.svm",
)
LATE_OF_MLFLOW = (
    "mlflow.pyfunc",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.artifact.local_artifact_repo",
)
OF_NO_STAGE = ("__main__", "demo", "promotion", "reproduce", "serving")


def preload() -> None:
    """Import the modules of all stages, and what they import: TensorFlow, Keras, MLflow, scikit-learn and others."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in LATE:
            importlib.import_module(name)
        for module in pkgutil.walk_packages(pipeline.__path__, "pipeline."):
            if module.name.split(".")[1] not in OF_NO_STAGE:
                importlib.import_module(module.name)
        import_mlflow()
        for name in LATE_OF_MLFLOW:
            importlib.import_module(name)
        importlib.import_module("sqlalchemy.orm").configure_mappers()  # else each stage sets up MLflow's tables
