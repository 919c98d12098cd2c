"""Errors that speak to the person: the command line prints the message without a traceback and exits with 2."""


class UserError(Exception):
    """Something the user can put right; the message says what was wrong, where, and what would be right."""

    code = 2  # of the command line


class ConfigError(UserError):
    """A mistake in params.yaml or on the command line."""


class DataError(UserError):
    """Raw or prepared data that cannot be used."""


class DownloadError(UserError):
    """A published file that could not be fetched or is not the one that was pinned."""


class TrainingError(UserError):
    """A training that went wrong (a loss that is not finite); no model is published."""


class StoreError(UserError):
    """The tracking store could not be asked, or said no; the message says what was left unchanged."""


class Conflict(UserError):
    """Somebody else promotes, or has promoted, another version meanwhile."""


class StageFailed(UserError):
    """A stage ended with an error of its own, which it has printed."""

    code = 1
