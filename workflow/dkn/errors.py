"""The exception for mistakes that the user can correct."""


class UserError(Exception):
    """A mistake of the user; its message says in one line what is wrong, where, and what is allowed.

    It is shown without a traceback.
    """
