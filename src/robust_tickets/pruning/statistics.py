"""What a score may know besides the weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from torch import Tensor


class Statistics:
    """Provider of what training or data say about weights. It knows where that comes from; scores do not.

    What data say is said of training examples that are not augmented, always the same ones for one seed, by the task's
    own loss, in evaluation mode (no dropout; batch norm as it is) and fp32, at the weights as they are now. Each kind
    of provider overrides what it knows; the composition of a draw makes sure that nothing else is asked for.
    """

    def learned_scores(self) -> Mapping[str, Tensor]:
        """Return what a parametrisation has learned, in fresh tensors of the weights' shapes: the lowest go first."""
        self.lacks("learned scores")

    def gradients(self, count: int, together: int = 1) -> Mapping[str, Tensor]:
        """Return several gradients of the prunable weights, each of the mean loss of its own examples.

        Args:
            count: of gradients; fewer where there are not so many examples.
            together: examples of one gradient.

        Returns:
            For each prunable weight [count, *shape], fp32, or bf16 where that is much memory.

        Raises:
            UserError: they do not fit into memory; says how many do.
        """
        self.lacks("gradients")

    def curvature(self, direction: Mapping[str, Tensor], examples: int) -> Mapping[str, Tensor]:
        """Return the Hessian of the mean loss, over the prunable weights, times a direction of their shapes."""
        self.lacks("curvature")

    def input_moments(self, examples: int) -> Mapping[str, Tensor]:
        """Return the second moments of what each layer multiplies its weight by, behind any padding: the mean of x xT.

        Returns:
            For each prunable weight float64 [divisions, f, f]. A linear layer has one division and f inputs. A
            convolution has one for each of its `groups`, and f = channels of a division times kernel positions, in the
            order of its flattened weight; the mean is over output positions too.

        Raises:
            UserError: a weight is not what a linear layer or a convolution multiplies with.
        """
        self.lacks("inputs of layers")

    def flow(self) -> Mapping[str, Tensor]:
        """Return the derivative of the summed outputs by |w|, for inputs of ones and all parameters positive.

        Norms pass what comes in, so that products of weights along paths are all there is (Tanaka et al., 2020, arXiv
        2006.05467, eq. 2). Float64, up to a common factor: deep networks would overflow.
        """
        self.lacks("the flow")

    def multiplications(self) -> Mapping[str, float]:
        """Return how many times one example multiplies each prunable weight: output pixels, or tokens.

        Raises:
            UserError: a weight is not what a linear layer or a convolution multiplies with.
        """
        self.lacks("how often weights are multiplied")

    def lacks(self, what: str) -> NoReturn:
        """Complain that nothing says this here, which is an error of the program."""
        raise RuntimeError(f"{type(self).__name__} does not know {what}")


@dataclass(frozen=True, eq=False)
class LearnedAlone(Statistics):
    """What a parametrisation has learned, and nothing else."""

    scores: Callable[[], Mapping[str, Tensor]]

    def learned_scores(self) -> Mapping[str, Tensor]:
        """Return it."""
        return self.scores()
