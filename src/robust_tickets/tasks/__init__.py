"""What is asked of a network on data: one file a task.

| file | noun |
|---|---|
| `task.py` | what every task offers: the network it makes of a source, the loss, the metric, what goes with it |
| `kinds.py` | every kind of task, and the one that data imply |
| `measurable.py` | whether what is to be measured goes with a task and its data |
| `target.py` | data as a network takes them |
| `classification.py` | one label an image |
| `segmentation.py` | one label a pixel |
"""
