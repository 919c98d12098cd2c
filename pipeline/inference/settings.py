"""Settings of a layer in a description, compared with those that its class here computes."""

from collections.abc import Mapping
from typing import Any

Settings = Mapping[str, Any]
ANY = object()  # every value is computed


class Unsupported(Exception):
    """The network has a layer, or a layer a setting, that is not computed here; its message names it."""


def known(**settings: Any) -> Settings:
    """Return the settings that a class computes: ANY, the value that a setting must have, or a tuple of values."""
    return {"dtype": ("float32", "float64"), **settings}


def check(name: str, settings: Settings, computed: Settings) -> None:
    """Raise Unsupported for a setting that is not in `computed` (see known), or not with this value."""
    for key, value in settings.items():
        allowed = computed.get(key, ())
        if allowed is not ANY and value not in (allowed if isinstance(allowed, tuple) else (allowed,)):
            raise Unsupported(f"{name} with {key}: {value!r}")
