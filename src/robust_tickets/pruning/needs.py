"""What the parts of a draw may need from each other; each declares its needs and provisions, `composition` compares."""

LEARNED_SCORES = "learned scores"
"""A score for every weight that training has learned."""

READS_LEARNED_SCORES = "a score that reads what was learned"
"""Selection by those scores: without it, learning them would be pointless."""

RANKS_WEIGHTS = "a score of single weights"
"""A score that tells weights of one channel apart."""

SINGLE_PRUNE = "a single prune"
"""Masks that are decided once, at one sparsity."""

NO_TRAINING = "no training before the prune"
"""Weights before any training."""

LAST_TICKET = "one ticket, at the end"
"""Prunes that lead to a single ticket, after the last step; nothing is restored or moved on the way."""

TRAINING = "training before the prune"
"""Steps in which something is learned."""

SINGLE_WEIGHTS = "single weights"
"""Groups of one weight, each of which can be moved separately."""

COUPLED_GROUPS = "coupled groups"
"""Groups that are all that makes a channel, a neuron or a head, so that one number can scale it where it is read."""

CHANNEL_GAINS = "gains of channels"
"""A number for each channel that training moves towards zero where the channel is not worth its cost."""

EARLIER_WEIGHTS = "weights from before the training"
"""Weights in the ticket that did not train together with something that the ticket does not keep."""

EXAMPLES = "training examples"
"""Examples on which gradients or activations are computed, whether or not anything trains on them."""

LAST_WEIGHTS = "weights as the last prune leaves them"
"""A ticket whose weights are not taken back to an earlier point after the prune."""

SHRUNKEN_WEIGHTS = "weights as the forward pass had them"
"""A ticket whose weights are not taken back to a point before the thresholds that they trained under."""

NOTHING: frozenset[str] = frozenset()
