"""Predict: what a network says of images or texts, whatever form it is in.

| file | noun |
|---|---|
| `predict.py` | the verb |
| `predictor.py` | what computes a network's answers, for one kind of input |
| `subjects.py` | the predictor of a file, a folder, a run, a ticket or a network |
| `images.py` | predictions of images: their labels |
| `texts.py` | predictions of texts: by the head that the language model has |
| `given_images.py` | images as they are given: files, folders, arrays |
| `given_texts.py` | texts as they are given: lines, tables, strings, pairs |
| `asked.py` | texts that a language model is asked about, and its answers |
| `readings.py` | what the logits of each head mean |
| `prediction.py` | what is said of one input |
| `predictions.py` | the predictions for all of them, as a table or as JSON |
| `labels.py` | labels, the most probable first |
| `numbers.py` | a number for each text |
| `tagged_words.py` | a tag for each word of a text |
| `answers.py` | where a text answers a question |
| `hidden_words.py` | the words that a mask may hide |
"""
