"""Predict: what a network says of images or texts, by anything of ours that has answers."""

from pathlib import Path
from typing import Any

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.sources import Source
from robust_tickets.verbs.predict.predictions import Predictions
from robust_tickets.verbs.predict.predictor import OnUnreadable
from robust_tickets.verbs.predict.subjects import Predictable, open_predictor


def predict(
    subject: Predictable,
    inputs: Any,
    *,
    top: int = 1,
    on_unreadable: OnUnreadable = "refuse",
    source: Source | str | Path | None = None,
    threads: int = 1,
) -> Predictions:
    """Return what a network says of images or texts, prepared as it was evaluated.

    Of images it is the most probable classes. Of texts it depends on the head of the language model: the most probable
    classes of each text or pair, or its number; a tag for each word; where a context answers a question; or the most
    probable words in the place of each mask (`[MASK]`).

    Args:
        subject: a runtime file (.rtk), an ONNX file, or a saved network's folder; a run (its exported file), a transfer
            (its best seed on validation), a ticket (its source's head); or any of these, loaded.
        inputs: for images: image files, or folders, which are searched with their subfolders; PIL images; uint8 arrays;
            float arrays [N, C, H, W] in [0, 1] of the network's size. A list may mix all but the last. For texts: a
            .txt file with a text a line, or a .tsv, .csv, .jsonl or .json file with the columns that training takes,
            labels left out; a text; a list of texts, pairs, lists of words, or mappings with such columns.
        top: how many classes, or words for a mask, at least 1.
        on_unreadable: whether an unreadable image file stops everything, or is left out and counted.
        source: where the network's code is, if it is the user's own: `module:function`.
        threads: threads that a file's engine may use.

    Raises:
        UserError: no such file, nothing that has answers, an image that cannot be read, texts for a network of images
            or the other way round, or nothing at all.
    """
    if top < 1:
        raise UserError(f"top: {top} is too small; give 1 or more")
    return open_predictor(subject, source, threads).predicted(inputs, top, on_unreadable)
