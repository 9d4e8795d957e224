"""The command line: thin over the public API, one file per command.

| file | noun |
|---|---|
| `options.py` | options that commands share, and settings made of what they are given |
| `pretrain.py` `draw.py` `transfer.py` `verify.py` `find.py` `shrink.py` `export.py` | the verbs |
| `run.py` `timeline.py` `report.py` | a whole recipe, when what of it happens, and its page |
| `analyse.py` `gap.py` | a look inside tickets, and at data |
| `predict.py` | images in, classes out |
| `search.py` | a smaller network and its ticket, out of one training |
| `restore.py` | a noisy picture in, a clean one out |
| `check.py` | a runtime file, compared with other engines |
| `evaluate.py` | what a network does as it is |
| `schema.py` `convert.py` `doctor.py` | around them |
| `app.py` | the application: its commands, and how a mistake is reported |
"""

from robust_tickets.cli.app import app, main

__all__ = ["app", "main"]
