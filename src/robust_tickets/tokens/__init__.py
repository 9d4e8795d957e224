"""From texts to the numbers that a language model takes.

| file | noun |
|---|---|
| `tokenizer.py` | a fast tokenizer: the content of a `tokenizer.json`, known by its digest |
| `format.py` | what a language model expects of texts |
| `vocabulary.py` | a tokenizer trained on texts |
| `tales.py` | built-in texts: sentences of a small world, made by a grammar |
"""
