"""What training under a fixed mask costs: a dense step against a masked one."""

from benchmarks.device import CPU, training_on
from benchmarks.row import Row
from benchmarks.scale import Scale
from benchmarks.steps import network, product, random_batch
from benchmarks.timing import in_turns, ratios, spread, typical
from robust_tickets.models.layers import prunable_weights
from robust_tickets.pruning.select import Selection
from robust_tickets.training.precision import Precision
from robust_tickets.training.settings import Training

SPARSITY = 0.9
TARGET = 0.97
PRECISIONS: tuple[Precision, ...] = ("fp32", "auto")


def measure(scale: Scale) -> Row:
    """Train dense and under a ticket in turns; the ratio is that of the precision in which it is lower."""
    classifier = network(scale.trained)
    parameters = dict(classifier.body.named_parameters())
    masks = Selection().select({name: parameters[name] for name in prunable_weights(classifier)}, sparsity=SPARSITY)
    batch = random_batch(scale.on_cpu.batch_size)
    details, over_rounds = {}, {}
    for precision in PRECISIONS:
        training = Training(batch_size=scale.on_cpu.batch_size, precision=precision)
        with training_on(CPU):
            seconds = in_turns(
                {"dense": product(classifier, training, batch), "masked": product(classifier, training, batch, masks)},
                2 * scale.rounds,
            )
        over_rounds[precision] = ratios(seconds["dense"], seconds["masked"])
        details[precision] = {
            "seconds": {name: spread(values) for name, values in seconds.items()},
            "ratio": spread(over_rounds[precision]),
        }
    lowest = min(PRECISIONS, key=lambda precision: typical(over_rounds[precision]))
    told = ", ".join(f"{precision} {typical(over_rounds[precision]):.3f}" for precision in PRECISIONS)
    summary = {"summary": f"dense over masked: {told}", "network": scale.trained, "batch_size": scale.on_cpu.batch_size}
    low, high = details[lowest]["ratio"]["quartiles"]
    reason = f"the middle half of rounds in {lowest} lies between {low:.3f} and {high:.3f}"
    details = {**summary, "sparsity": SPARSITY, **details}
    return Row.judged("masked_step", typical(over_rounds[lowest]), TARGET, details, reason)
