"""Every kind of measure, as recipes name them."""

from typing import Annotated

from pydantic import Field

from robust_tickets.foundation.kinds import Shorthand
from robust_tickets.measures.calibration import Calibration
from robust_tickets.measures.certified import Certified
from robust_tickets.measures.corruption import Corruption
from robust_tickets.measures.corruption_files import CorruptionFiles
from robust_tickets.measures.evaluation import Evaluation
from robust_tickets.measures.out_of_distribution import OutOfDistribution
from robust_tickets.measures.robustness_curve import RobustnessCurve
from robust_tickets.measures.word_substitution import WordSubstitution

AnyMeasure = Annotated[
    Calibration
    | Corruption
    | CorruptionFiles
    | OutOfDistribution
    | Certified
    | Evaluation
    | RobustnessCurve
    | WordSubstitution,
    Field(discriminator="kind"),
    Shorthand,
]
"""What is measured besides accuracy, distinguished by `kind`; a kind alone uses its defaults."""
