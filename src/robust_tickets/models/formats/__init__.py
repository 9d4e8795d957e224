"""The ways checkpoints are laid out, recognised by their keys.

| file | noun |
|---|---|
| `file.py` | reading a file of tensors without executing it |
| `signatures.py` | files that are not weights, by their first bytes |
| `shards.py` | weights in several files, listed by an index |
| `pickles.py` | the globals a pickle would import, listed without importing them |
| `inert.py` | unpickling that builds tensors and nothing else |
| `states.py` | the state dicts inside a checkpoint, averaged weights first |
| `wrappers.py` | parts of names that `torch.compile`, FSDP and others insert |
| `reparametrised.py` | weights in parts (pruning masks, weight and spectral norm) put together |
| `renames.py` | the names that well-known code gives to an architecture's tensors |
| `numbered.py` | the children of a network under their numbers in an `nn.Sequential` |
| `dinov2.py` | DINOv2 as its authors save it |
| `self_supervised.py` | what self-supervised training adds to a network: projectors, copies, a queue |
| `madry.py` | the `robustness` library: `module.model.*` next to `module.normalizer.*` |
| `likeness.py` | what a state dict that does not fit looks like |
| `places.py` | where in a checkpoint an architecture is found: in which state dict, behind which prefix |
| `left_out.py` | what a checkpoint holds besides the network, and how that is told |
| `layout.py` | the bare tensors, and what else the checkpoint contains |
| `recognise.py` | from a checkpoint to an architecture's bare tensors: the most complete network in it |
"""
