"""The predictions for some inputs, as a table or as JSON."""

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robust_tickets.verbs.predict.answers import AnswerPrediction
from robust_tickets.verbs.predict.hidden_words import HiddenWordPrediction
from robust_tickets.verbs.predict.labels import ImageLabels, TextLabels
from robust_tickets.verbs.predict.numbers import NumberPrediction
from robust_tickets.verbs.predict.prediction import Prediction
from robust_tickets.verbs.predict.tagged_words import TaggedPrediction

KINDS: tuple[type[Prediction], ...] = (
    *(ImageLabels, TextLabels, NumberPrediction),
    *(TaggedPrediction, AnswerPrediction, HiddenWordPrediction),
)

JSON_OF_OURS = re.compile(r'\[\n  \{\n    ("path": |"number": 1,\n    "(text|question)": )')
"""How lists of predictions begin."""


@dataclass(frozen=True)
class Predictions(Sequence[Any]):
    """The predictions for some inputs, in their order."""

    rows: tuple[Any, ...]
    """A `Prediction` for each."""
    skipped: tuple[str, ...] = ()
    """Why each image that was left out cannot be read."""
    noun: str = "images"
    """What the inputs are."""
    notes: tuple[str, ...] = ()
    """What is worth knowing of how they were read."""

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        return self.rows[index]

    def __repr__(self) -> str:
        first = f": {self.rows[0]}" if self.rows else ""
        more = ", …" if len(self.rows) > 1 else ""
        left = f", {len(self.skipped)} skipped" if self.noun == "images" else ""
        return f"Predictions({len(self.rows)} {self.noun}{left}{first}{more})"

    def to_csv(self) -> str:
        """Return a table; its columns say what is predicted. Texts are cut to a width."""
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(self.rows[0].columns)
        for row in self.rows:
            table.writerows(row.cells())
        return text.getvalue()

    def to_json(self) -> str:
        """Return a list of objects, one for each input."""
        return json.dumps([row.entry() for row in self.rows], indent=2, ensure_ascii=False) + "\n"


def is_predictions(path: Path) -> bool:
    """Return whether a file is a table of ours, or a list of predictions, which may be written over."""
    try:
        with path.open(encoding="utf-8") as file:
            beginning = file.read(200)
    except (OSError, UnicodeDecodeError):
        return False
    tables = tuple(",".join(kind.columns) + "\n" for kind in KINDS)
    return beginning.startswith(tables) or JSON_OF_OURS.match(beginning) is not None
