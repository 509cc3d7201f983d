"""The one exception whose message is meant for the person who runs the platform."""


class ChuError(Exception):
    """Something the user can act upon: one message, in clear, without secrets or personal data."""
