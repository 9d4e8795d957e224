"""Where texts come from.

| file | noun |
|---|---|
| `texts.py` | texts, or pairs of texts, of a part of a data set |
| `questions.py`, `windows.py` | questions about contexts, and the windows that a network reads of them |
| `tokenised.py` | texts as ids, held in memory: what is padded to a batch |
| `blocks.py` | a corpus cut into blocks of one length, for masked language modelling |
"""
