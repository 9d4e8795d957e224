"""What training without what a ticket removes saves: a masked step against one of the smaller network."""

import torch

from benchmarks.device import CPU, training_on
from benchmarks.row import Row
from benchmarks.scale import Scale
from benchmarks.steps import CLASSES, network, product
from benchmarks.timing import in_turns, ratios, spread, typical
from robust_tickets.foundation.batch import Batch
from robust_tickets.models.compact import compacted
from robust_tickets.models.couplings import trace_couplings
from robust_tickets.models.layers import prunable_weights
from robust_tickets.models.network import Network
from robust_tickets.pruning.groups import Several
from robust_tickets.pruning.scopes import EachScope, Within
from robust_tickets.pruning.select import Selection
from robust_tickets.shrinking.counts import multiply_adds
from robust_tickets.training.settings import Training

SCOPE = EachScope(head=Within(sparsity=1 / 3), neuron=Within(scope="global", sparsity=0.4))
"""EarlyBERT's shares: a third of the heads of each layer, two fifths of all neurons."""
TARGET = 0.8


def measure(scale: Scale) -> Row:
    """Train masked and compact in turns; the ratio is how many times faster over how many times fewer multiply-adds."""
    source, size, count = scale.inference.source("deit_tiny"), scale.inference.size, scale.inference.many
    classifier = network(source, size)
    names = prunable_weights(classifier)
    selection = Selection(group=Several(), scope=SCOPE)
    weights = {name: classifier.body.get_parameter(name).detach() for name in names}
    example = classifier.interface.example(1)
    couplings = trace_couplings(classifier.body, example, names)
    masks = selection.select(weights, sparsity=0.4, couplings=couplings)
    compact = compacted(classifier.body, masks, example)
    assert compact is not None
    smaller = Network(compact.body, classifier.interface, classifier.head)
    random = torch.Generator().manual_seed(0)
    batch = Batch(
        torch.rand(count, 3, size, size, generator=random), torch.randint(CLASSES, (count,), generator=random)
    )
    training = Training(batch_size=count, precision="fp32")
    with training_on(CPU):
        contestants = {
            "masked": product(classifier, training, batch, masks),
            "compact": product(smaller, training, batch, compact.masks),
        }
        seconds = in_turns(contestants, scale.rounds)
    fewer = multiply_adds(classifier, example) / multiply_adds(smaller, example)
    over_rounds = ratios(seconds["masked"], seconds["compact"])
    faster = typical(over_rounds)
    details = {
        "summary": f"{fewer:.2f} times fewer multiply-adds, {faster:.2f} times faster: a step takes "
        f"{100 * (1 - 1 / faster):.0f} % less time",
        "network": source,
        "image": [3, size, size],
        "batch_size": count,
        "heads_removed": SCOPE.head.sparsity,
        "neurons_removed": SCOPE.neuron.sparsity,
        "seconds": {name: spread(values) for name, values in seconds.items()},
        "ratio": spread([value / fewer for value in over_rounds]),
    }
    reason = "norms, softmax and the optimiser's own work do not shrink with heads and neurons"
    return Row.judged("compact_step", faster / fewer, TARGET, details, reason)
