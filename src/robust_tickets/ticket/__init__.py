"""The artefact: the result of a draw, as a folder that can be sent.

| file | noun |
|---|---|
| `ticket.py` | `Ticket`: a source's identity, its masks, and the surviving weights' start; applied, saved, loaded |
| `ticket_file.py` | the content of `ticket.json` |
| `ticket_card.py` | the model card that travels with it |
| `cost.py` | what drawing it took |
| `survivors.py` | surviving values of masked tensors, as files keep them |
"""
