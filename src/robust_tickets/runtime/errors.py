"""The exceptions of the runtime: this file, network, image or text is not one that it can execute."""


class RuntimeFileError(ValueError):
    """A runtime file that cannot be read or written, or a graph that breaks the rules of the operations.

    The message is one line that names the file or the node, what is wrong with it, and what would be right.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class ImageError(ValueError):
    """Images that cannot be read, or that do not fit the network.

    The message is one line that names the file or the shape, what is wrong with it, and what would be right.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class TextError(ValueError):
    """Texts or their tokens that cannot be read, or that do not fit the network.

    The message is one line that says which text or array, what is wrong with it, and what would be right.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
