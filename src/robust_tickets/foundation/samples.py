"""What a decision rests on, or would have to rest on, in words: seeds, and test examples."""


def told_samples(seeds: int, examples: int | None, noun: str) -> str:
    """Return `5 seeds and 153 images`; of examples None: seeds alone."""
    return " and ".join(_told(seeds, examples, noun))


def told_enough(seeds: int | None, examples: int | None, noun: str) -> str:
    """Return `12 seeds or 900 images`: either would be enough; None: not that one. Empty: neither would."""
    return " or ".join(_told(seeds, examples, noun))


def _told(seeds: int | None, examples: int | None, noun: str) -> list[str]:
    return [
        *([f"{seeds} seed{'s' if seeds != 1 else ''}"] if seeds is not None else []),
        *([f"{examples:,} {noun}"] if examples is not None else []),
    ]
