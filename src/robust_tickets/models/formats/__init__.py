"""The ways checkpoints are laid out, told apart by their keys.

| file | noun |
|---|---|
| `file.py` | reading a file of tensors without executing it |
| `pickles.py` | the globals a pickle would import, listed without importing them |
| `inert.py` | unpickling that builds tensors and nothing else |
| `layout.py` | what every layout offers |
| `recognise.py` | from a checkpoint to an architecture's bare tensors, by the first layout that fits |
| `plain.py` | the architecture's own names, bare or behind `module.` and the like |
| `madry.py` | the `robustness` library: `module.model.*` beside `module.normalizer.*` |
| `cohen.py` | randomised smoothing: `1.module.*` behind a normalisation layer |
"""
