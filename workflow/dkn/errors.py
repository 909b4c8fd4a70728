"""The one exception for mistakes that the person at the keyboard can mend."""


class UserError(Exception):
    """What is wrong, where, and what is allowed, in one line. Shown without a traceback."""
