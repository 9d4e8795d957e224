#!/usr/bin/env bash
# tokenizers 0.23.3: the same texts, the same settings, trained twice in one process.
#
# Guess, written down first: training a tokenizer draws nothing at random and counts are counts, so a second training on
# the same list gives the same vocabulary with the same ids, whichever model is trained; at worst threads matter.
# Seen: BPE does. WordPiece gives the tokens other ids at every call (and Unigram too), even with one thread and with
# TOKENIZERS_PARALLELISM=false. A model pretrained with one cannot be used with the other, though both were "trained alike".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check tokenizers==0.23.3
RAYON_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false "$folder/venv/bin/python" - <<'PYTHON'
import keyword
import sys
from importlib.metadata import version

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

print(f"tokenizers {version('tokenizers')}, Python {sys.version.split()[0]}")
words = [*keyword.kwlist, *(name for name in dir(__builtins__) if name.isidentifier())]
texts = [f"{one} {other}" for one in words for other in words[::7]]


def vocabulary(model: object, trainer: object) -> dict[str, int]:
    """Return the vocabulary learned from the texts."""
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer.get_vocab()


quiet = {"vocab_size": 400, "show_progress": False}
made = {
    "BPE": lambda: vocabulary(models.BPE(), trainers.BpeTrainer(**quiet)),
    "WordPiece": lambda: vocabulary(models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(**quiet)),
}
found = {}
for name, make in made.items():
    runs = [make() for _ in range(5)]
    found[name] = all(one == runs[0] for one in runs)
    moved = sum(runs[0][token] != runs[1].get(token) for token in runs[0])
    print(f"{name}: five trainings {'agree' if found[name] else 'differ'}; {moved} of {len(runs[0])} ids moved")
sys.exit(found != {"BPE": True, "WordPiece": False})
PYTHON
