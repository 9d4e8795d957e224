"""From texts to the numbers that a language model takes.

| file | noun |
|---|---|
| `tokenizer.py` | a fast tokenizer: the content of a `tokenizer.json`, known by its digest |
| `vocabulary.py` | a tokenizer trained on texts |
"""
