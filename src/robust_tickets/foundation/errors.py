"""The one exception that means: the user can fix this."""


class UserError(Exception):
    """A mistake in what the user gave, reported in one line.

    The message names what is wrong, where it is, and what would be right. The command line prints only
    this message and exits with code 2; in Python it is an ordinary exception. Programming errors are
    never turned into this type.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
