"""A ticket's zeros in other people's training loops.

| file | content |
|---|---|
| `placement.py` | which parameters of a model a ticket's masks belong to, whatever is wrapped around it |
| `masked.py` | `rt.masked`: any loop with torch's optimisers |
| `lightning_callback.py` | a callback for Lightning |
| `trainer_callback.py` | a callback for Hugging Face's Trainer |

The last two import what they are for; neither is a dependency.
"""
