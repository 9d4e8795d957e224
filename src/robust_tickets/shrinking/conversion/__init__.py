"""From a network to the graph that the sparse CPU runtime executes, and back.

| file | noun |
|---|---|
| `value.py` | a value of the graph as torch sees it: its axes in another order, or without those of length 1 |
| `builder.py` | the graph while it is built: chains of elementwise operations become one as they arrive |
| `folding.py` | batch norms folded into the layers before them, and unused nodes dropped |
| `program.py` | torch's export of a network: its calls in order |
| `site.py` | one call of the network: what a handler may ask and do, and how it refuses |
| `operators.py` | torch's operators by name: convolutions, norms, activations, pooling |
| `arithmetic.py` | torch's operators by name: sums and products, with constants or values |
| `movement.py` | torch's operators by name: views, permutations, slices, concatenations |
| `attention.py` | torch's operators by name: embeddings of tokens, and attention |
| `inputs.py` | what a network is exported with: images, or texts |
| `convert.py` | a classifier in, a graph out |
| `network.py` | a graph as a torch network, to be compared with the runtime or exported again |
"""

from robust_tickets.shrinking.conversion.convert import convert, require_classifier
from robust_tickets.shrinking.conversion.network import GraphNetwork

__all__ = ["GraphNetwork", "convert", "require_classifier"]
