"""Where networks come from, and what is known about each: its preprocessing, its head, its prunable weights.

| file | noun |
|---|---|
| `sources.py` | the pretrained network a ticket is drawn from: `load_source` and `SourceSettings` |
| `identity.py` | what is recorded of a source: name, weights, format, digest, classes, preprocessing |
| `classifier.py` | a network with its normalisation inside: images in [0, 1] to logits |
| `preprocessing.py` | mean, std, size, interpolation, crop |
| `heads.py` | the last layer: finding it, replacing it |
| `layers.py` | which weights are prunable, by module type |
| `couplings.py` | which channels live and die together |
| `folders.py` | a network saved by us: `source.json` and `weights.safetensors` |
| `strict.py` | loading a state dict without a missing, unexpected or misshapen tensor |
| `registry.py` | every name there is, and near ones |
| `convert.py` | a legacy pickle turned into safetensors, on explicit request |
| `families/` | where architectures come from: timm, torchvision, the papers, a user's function |
| `formats/` | the ways checkpoints are laid out |
| `networks/` | the small networks of the papers |
"""
