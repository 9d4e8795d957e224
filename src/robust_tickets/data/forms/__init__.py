"""Forms in which data lie somewhere: one file each. `readers.py`, one room up, has the table of them.

| file | noun |
|---|---|
| `form.py` | `DataForm`: recognises its own data at a place, and reads them |
| `folder.py` | one folder per class |
| `label_folder.py` | images in images/, label images in labels/ |
| `coco.py`, `voc_boxes.py` | boxes in the layouts of COCO and Pascal VOC |
| `array_files.py` | `.npz` archives, idx files |
| `hugging_face.py` | Hugging Face's `datasets`: on the Hub, saved to disk, in parquet files |
| `tar_shards.py` | WebDataset's tars |
| `shards.py`, `patterns.py` | several files that are one set, and patterns that name them |
| `labels.py` | labels of tables and tars: numbers, or names |
| `separated.py` | texts in tables with a header line: `.tsv`, `.csv` |
| `json_lines.py`, `json_files.py` | texts in JSON: one object a line; a list of objects, or SQuAD's layout |
| `conll.py` | one word a line, its tag in the last column |
| `plain_text.py` | plain text, one line a text |
| `text_files.py` | files of texts: what they have in common |
| `text_table.py` | a table with columns of texts, wherever it lies |
| `text_readings.py` | what the columns of such tables mean: the table of all that they may be |
| `labelled_texts.py` | texts with a label each, a class or a number, or without one |
| `tagged_words.py` | lists of words, with a tag for each |
| `questions.py` | questions, contexts and answers |
| `user_texts.py` | texts in data sets given by the user |
| `torchvision_sets.py` | torchvision's data sets, by name |
| `one_picture.py` | a single image file or array, scikit-learn's photographs |
| `built_in.py` | rendered letters, real handwritten digits |
| `tales.py` | the built-in texts |
| `scenes.py` | letters and digits on textured backgrounds, with boxes |
| `user_sets.py` | data sets and loaders given by the user |
"""
