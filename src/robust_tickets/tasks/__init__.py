"""What a network has to do on data: one file per task.

| file | noun |
|---|---|
| `own_classes.py` | the classes that a network says its outputs are, beside those of data |
| `task.py` | what every task offers: the network it makes from a source, the loss, the metric, and what it provides |
| `kinds.py` | every kind of task, and the one that data imply |
| `target.py` | data as a network takes them |
| `classification.py` | one label per input |
| `adapting.py` | what tasks that need another body have in common |
| `segmentation.py` | one label per pixel |
| `detection.py` | boxes around objects |
| `self_supervision.py` | features in which views of an image are alike, without labels |
| `image_prior.py` | one picture, which a generator restores |
| `language.py` | what tasks of language models have in common, besides labels for texts |
| `masked_language.py` | which word is hidden behind a mask |
| `regression.py` | a number for each text |
| `token_classification.py` | a tag for each word |
| `question_answering.py` | where a text answers a question |
"""
