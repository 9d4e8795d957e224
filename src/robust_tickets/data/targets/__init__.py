"""What each image should become: one kind of targets per file.

| file | noun |
|---|---|
| `targets.py` | what kinds of targets have in common |
| `class_numbers.py` | one label per image |
| `label_images.py`, `label_values.py` | one label per pixel, and what the values of label images mean |
| `boxes.py` | boxes around objects |
"""
