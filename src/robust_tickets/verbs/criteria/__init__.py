"""What a ticket has to achieve to be found; one file each, by the name that settings use.

| file | name |
|---|---|
| `criterion.py` | what every criterion can do |
| `contest.py` | one way of training, in which tickets are compared with dense |
| `matching.py` | `match`: be as good as dense |
| `double_winning.py` | `double-win`: be as good after standard and after adversarial transfer |
"""

from robust_tickets.verbs.criteria.contest import Contest
from robust_tickets.verbs.criteria.criterion import Attempt, FindCriterion
from robust_tickets.verbs.criteria.double_winning import DoubleWinning
from robust_tickets.verbs.criteria.matching import Matching
from robust_tickets.verbs.find_settings import CriterionName

CRITERIA: dict[CriterionName, type[FindCriterion]] = {"match": Matching, "double-win": DoubleWinning}

__all__ = ["CRITERIA", "Attempt", "Contest", "FindCriterion"]
