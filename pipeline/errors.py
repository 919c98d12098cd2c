"""Errors that speak to the person: the command line prints the message without a traceback and exits with 2."""


class UserError(Exception):
    """Something the user can put right; the message says what was wrong, where, and what would be right."""


class ConfigError(UserError):
    """A mistake in params.yaml or on the command line."""


class DataError(UserError):
    """Raw or prepared data that cannot be used."""


class DownloadError(UserError):
    """A published file that could not be fetched or is not the one that was pinned."""


class TrainingError(UserError):
    """A training that went wrong (a loss that is not finite); no model is published."""
