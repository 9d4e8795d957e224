"""The one exception of the runtime that means: this file, or this network, is not one it can execute."""


class RuntimeFileError(ValueError):
    """A runtime file that cannot be read or written, or a graph that breaks the rules of the operations.

    The message is one line that names the file or the node, what is wrong with it, and what would be right.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
