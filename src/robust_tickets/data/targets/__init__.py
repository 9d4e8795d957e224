"""What each input should become: one kind of targets per file.

| file | noun |
|---|---|
| `targets.py` | what kinds of targets have in common |
| `of_whole.py` | what kinds of targets of whole inputs have in common |
| `class_numbers.py` | one label per input |
| `unlabelled.py` | none: images without labels |
| `label_images.py`, `label_values.py` | one label per pixel, and what the values of label images mean |
| `pictures.py` | a single picture: what is seen of it, and what it should be |
| `boxes.py` | boxes around objects |
| `text_targets.py` | what kinds of targets that only texts have in common |
| `numbers.py` | a number for each text |
| `word_tags.py` | a tag for each word |
| `answers.py` | the answers to questions, and where they are in each window |
| `hidden_words.py` | hidden words: a text is its own target |
"""
