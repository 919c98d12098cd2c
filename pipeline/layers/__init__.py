"""Recurrent cells and the other layers of networks, and Keras itself: imported here, once, and quiet."""

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator
from types import ModuleType

from pipeline.errors import ConfigError

INSTALL = "install it into .venv as docs/frameworks.md says, or set backend: tensorflow"


def import_keras() -> ModuleType:
    """Keras on TensorFlow: start-up chatter off, two threads, deterministic kernels.

    Keras imports scikit-learn and matplotlib for wrappers that are not used here; keeping them out while it is
    imported saves a third of the start-up time of every training process.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if "keras" in sys.modules:
        return sys.modules["keras"]
    spared = [name for name in ("sklearn", "matplotlib") if name not in sys.modules]
    sys.modules.update(dict.fromkeys(spared))  # type: ignore[arg-type]
    try:
        with _silent():
            keras = importlib.import_module("keras")
    except ImportError as error:
        raise ConfigError(f"backend: {os.environ['KERAS_BACKEND']} cannot be imported ({error}); {INSTALL}") from None
    finally:
        for name in spared:
            del sys.modules[name]
    if keras.backend.backend() == "tensorflow":
        tensorflow = importlib.import_module("tensorflow")
        tensorflow.config.threading.set_intra_op_parallelism_threads(2)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
        tensorflow.config.experimental.enable_op_determinism()
    return keras


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Standard error of the C++ side to nowhere: some of its start-up lines come before any log level is read."""
    if os.environ["TF_CPP_MIN_LOG_LEVEL"] != "3":
        yield
        return
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


keras = import_keras()
