"""The verbs: each a page that composes the rooms. Their functions are the public API.

| file | verb |
|---|---|
| `pretrain.py`, `pretrain_settings.py` | make a source |
| `draw.py`, `draw_settings.py` | find subnetworks of a source |
| `transfer.py`, `transfer_settings.py` | train a ticket, or dense, on a target |
| `own_loop.py` | networks that a loop of the user's own trained, as the verbs take them |
| `place.py`, `reopen.py` | the transfer that a path means, in a run or anywhere |
| `dense.py` | the dense transfer that goes with a ticket's |
| `gap.py` | how far a target lies from a source's own data |
| `measure.py` | what a transferred network does on test images, once |
| `pace.py` | how far a measure is, on the terminal |
| `caveats.py` | what makes a verdict less certain |
| `exported.py` | what the file made of it does |
| `verify.py`, `verify_settings.py` | decide whether the ticket matches |
| `evaluate.py` | what a network does as it is, without training |
| `double_win.py` | decide whether it does after standard and adversarial transfer alike |
| `find.py`, `find_settings.py` | the sparsest ticket that meets a criterion |
| `criteria/` | what a ticket has to do to be found |
| `shrink.py` | remove, export, time |
| `predict.py` | the classes of images, by anything that has logits |
| `export.py` | a network or ticket as it is, into a file |
| `check.py` | hold a runtime file against other engines |
| `analyse.py`, `analyse_settings.py` | what tickets have in common, and the loss around and between their transfers |
| `controls/`, `control_settings.py` | tickets without what is claimed to matter |

They live in their own package, so that `robust_tickets.draw` is always the function and never the module.
"""
