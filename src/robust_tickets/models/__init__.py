"""Where networks come from, and what is known about each: its preprocessing, its head, its prunable weights.

| file | noun |
|---|---|
| `sources.py` | the pretrained network a ticket is drawn from: `Source`, `load_source` |
| `settings.py` | which network, with which weights: `SourceSettings` |
| `identity.py` | what is recorded of a source: name, weights, format, digest, classes, preprocessing |
| `named.py` | a network by its family's name, with random or pretrained weights, or those of a file |
| `folders.py` | a network saved by this library: `source.json` and `weights.safetensors` |
| `network.py` | a network with the preparation of its inputs inside: images in [0, 1] or tokens to logits |
| `interface.py` | what goes into a network, and how it is prepared |
| `pixels.py`, `normalisation.py` | images: mean, std, size, interpolation, crop |
| `tokens.py` | texts: tokenizer, length, vocabulary |
| `latent.py` | fixed noise, which generators turn into one picture |
| `preprocessing.py` | the parts of any of these that the user states |
| `inception.py` | Inception v3 from a local file, for its features |
| `forward_trace.py` | what one forward pass shows: which layer gives the output, which weights take part |
| `head_choice.py` | which layer is the head, according to that pass |
| `heads.py` | the last layer: measuring it, replacing it |
| `own_code.py` | the digest of a user's own code behind a network |
| `outputs.py` | the logits in what a network returns |
| `plain_modules.py` | a user's module without wrappers, in float32, its weights under plain names |
| `frozen_norms.py` | batch norms that never change |
| `layers.py` | which weights are prunable, by module type |
| `prunable.py` | which of these take part (settings) |
| `couplings.py` | which channels live and die together |
| `channels.py` | channels as positions along the sides of layers |
| `dependencies.py` | which positions of which layers are the same channel |
| `labels.py` | labels that follow channels through tensor operations |
| `proofs.py` | proof by experiment that channels can be removed exactly |
| `surgery.py` | masking channels, and removing them for good |
| `compact.py` | a network without what its masks remove, to train faster, and the way back |
| `plain_attention.py` | attention computed step by step, as a network's own layers say |
| `reduced_attention.py` | attention with fewer heads than its width would divide into |
| `shapes.py` | how a shrunken network's modules differ from its architecture's |
| `names.py` | names judged before torch is loaded |
| `registry.py` | every known name, and similar ones |
| `fitting.py` | which named architecture a state dict or a module is |
| `gradients.py` | whether gradients reach what is to be trained |
| `strict.py` | loading a state dict without a missing, unexpected or misshapen tensor |
| `convert.py` | any checkpoint turned into safetensors, legacy pickles on explicit request only |
| `adaptations/` | networks adapted to tasks that their own heads cannot do |
| `families/` | where architectures come from: timm, torchvision, the papers, a user's function |
| `formats/` | the ways checkpoints are laid out |
| `networks/` | the small networks of the papers |
"""
