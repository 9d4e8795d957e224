"""What was measured or looked into, told: facts in, sections of a report out. No other room writes any.

| file | about |
|---|---|
| `measures.py` | measures beside the metric, of dense and tickets side by side |
| `verdicts.py` | all that a verdict rests on, or that was measured of a network as it came |
| `exported.py` | an exported file beside its network |
| `analyses.py` | all that was looked into |
| `tickets.py` | layers of tickets, and their overlap |
| `transfers.py` | loss landscapes, and what lies between two transfers of one ticket |
| `sizes.py` | the forms of a shrunken network |
| `baselines.py` | what sources whose head is kept do before any training |
| `double_wins.py` | which tickets are double-win |
| `gains.py` | what each source's tickets gain over the first source's, beside the domain gap |
| `collapses.py` | trainings against a single step that collapsed |
| `trainings.py` | how each transfer was trained |
| `unfilled.py` | cells of a grid that are not filled yet |
| `notebooks.py` | what notebooks show of results |
"""
