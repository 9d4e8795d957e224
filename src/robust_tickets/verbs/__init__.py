"""The verbs: one page each, which composes the rooms. Their functions are the public API.

| file | verb |
|---|---|
| `pretrain.py`, `pretrain_settings.py` | make a source |
| `draw.py`, `draw_settings.py` | find subnetworks of a source |
| `preparation.py` | what a draw is made with |
| `finetune.py` | the dense network that a draw may begin with |
| `teacher.py` | whom a training imitates |
| `transfer.py`, `transfer_settings.py` | train a ticket, or dense, on a target |
| `stored_network.py` | a transferred network where it is kept, in memory or in a folder |
| `subject.py` | what a verb is given, and the source that it stands for |
| `own_loop.py` | networks trained in the user's own loop, as the verbs take them |
| `place.py`, `reopen.py` | the transfer that a path means, in a run or anywhere |
| `dense.py` | the dense transfer that goes with a ticket's |
| `gap.py` | how far a target lies from a source's own data |
| `measure.py` | the results of a transferred network on test images, measured once |
| `pace.py` | the progress of a measure, on the terminal |
| `caveats.py` | what makes a verdict less certain |
| `exported.py` | the results of an exported file |
| `verify.py`, `verify_settings.py` | decide whether the ticket matches |
| `restore.py`, `restore_settings.py` | make one picture clean, whole or larger |
| `tiles.py` | a large picture in tiles, and back |
| `evaluate.py` | the results of a network as it is, without training |
| `double_win.py` | decide whether it matches after both standard and adversarial transfer |
| `find.py`, `find_settings.py` | the sparsest ticket that meets a criterion |
| `search.py`, `search_settings.py` | a smaller network and its ticket, out of one training |
| `channels_left.py` | what is left of the channels of each layer |
| `contenders.py` | the tickets that a search tries, drawn as late as possible |
| `criteria/` | what a ticket has to achieve to be found |
| `shrink.py` | remove, export, time |
| `predict.py` | the classes of images, by anything that has logits |
| `export.py` | a network or ticket as it is, into a file |
| `check.py` | compare a runtime file with other engines |
| `checked_inputs.py` | the images or texts on which it is compared |
| `analyse.py`, `analyse_settings.py` | what tickets have in common, and the loss around and between their transfers |
| `run_pairs.py` | pairs of transferred networks, and what lies between them |
| `succession.py` | barriers between successive tickets of one draw |
| `angles.py` | angles between transferred networks, on what their masks share |
| `stability.py` | which tickets are stable to training noise, and match |
| `controls/`, `control_settings.py` | tickets that lack what is claimed to matter |

They live in their own package, so that `robust_tickets.draw` is always the function and never the module.
"""
