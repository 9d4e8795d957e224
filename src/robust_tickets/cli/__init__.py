"""The command line: thin over the public API, one file a command.

| file | noun |
|---|---|
| `options.py` | options that commands share, and settings made of what they are given |
| `pretrain.py` `draw.py` `transfer.py` `verify.py` `find.py` `shrink.py` `export.py` | the verbs |
| `run.py` `report.py` | a whole recipe, and its page |
| `analyse.py` `gap.py` | looks inside tickets, and at data |
| `predict.py` | images in, classes out |
| `check.py` | a runtime file, held against other engines |
| `evaluate.py` | what a network does as it is |
| `schema.py` `convert.py` `doctor.py` | around them |
| `app.py` | the application: its commands, and what a mistake looks like |
"""

from robust_tickets.cli.app import app, main

__all__ = ["app", "main"]
