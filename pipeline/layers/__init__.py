"""Recurrent cells and other layers of networks, and Keras, which is imported here, once and without start-up output."""

import contextlib
import functools
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from types import ModuleType

from pipeline.errors import ConfigError
from pipeline.layers.memory import keep_freed

INSTALL = "install it into .venv as docs/frameworks.md says, or set backend: tensorflow"


def import_keras() -> ModuleType:
    """Import Keras without start-up output; set TensorFlow, the default, to two threads and deterministic kernels.

    Keras imports scikit-learn and matplotlib for wrappers that are not used here. Keeping them out saves a third of the
    start-up time of every training process. Raises ConfigError if the back end cannot be imported.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if "keras" in sys.modules:
        return sys.modules["keras"]
    keep_freed()
    skipped = [name for name in ("sklearn", "matplotlib") if name not in sys.modules]
    sys.modules.update(dict.fromkeys(skipped))  # type: ignore[arg-type]
    try:
        with _silent():
            keras = importlib.import_module("keras")
    except ImportError as error:
        raise ConfigError(f"backend: {os.environ['KERAS_BACKEND']} cannot be imported ({error}); {INSTALL}") from None
    finally:
        for name in skipped:
            del sys.modules[name]
    if keras.backend.backend() == "tensorflow":
        tensorflow = importlib.import_module("tensorflow")
        tensorflow.config.threading.set_intra_op_parallelism_threads(2)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
        tensorflow.config.experimental.enable_op_determinism()
    return keras


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Discard standard error, also that of C++ code, which writes some lines before it reads the log level."""
    if os.environ["TF_CPP_MIN_LOG_LEVEL"] != "3":
        yield
        return
    original = os.dup(2)
    with open(os.devnull, "w") as null:
        os.dup2(null.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(original, 2)
        os.close(original)


keras = import_keras()


@functools.cache
def compiles() -> bool:
    """Whether layers can be compiled for this processor: TensorFlow computes on it, and Numba is installed."""
    if keras.backend.backend() != "tensorflow" or importlib.util.find_spec("numba") is None:
        return False
    return not importlib.import_module("tensorflow").config.list_logical_devices("GPU")


def use_one_thread() -> None:
    """Compute on one thread from now on, in this process. Raises RuntimeError once TensorFlow has used several."""
    importlib.import_module("pipeline.layers.loops.halves").use_one_thread()
    importlib.import_module("threadpoolctl").threadpool_limits(1)
    if keras.backend.backend() == "tensorflow":
        importlib.import_module("tensorflow").config.threading.set_intra_op_parallelism_threads(1)
