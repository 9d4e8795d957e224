"""Facts put into words: facts in, sections of a report out. No other room writes sections.

| file | about |
|---|---|
| `measures.py` | measures besides the metric, of dense and tickets side by side |
| `verdicts.py` | everything a verdict rests on, or everything measured of an untrained network |
| `exported.py` | an exported file next to its network |
| `analyses.py` | everything that was analysed |
| `tickets.py` | layers of tickets, and their overlap |
| `transfers.py` | loss landscapes, and the path between two transfers of one ticket |
| `angles.py` | angles between transferred networks |
| `stability.py` | which tickets are stable to training noise, by rewinding point |
| `succession.py` | barriers between successive tickets of one draw |
| `sizes.py` | the forms of a shrunken network |
| `baselines.py` | results, before any training, of sources whose head is kept |
| `double_wins.py` | which tickets are double-win |
| `gains.py` | how much each source's tickets gain over the first source's, next to the domain gap |
| `across_tasks.py` | how tickets drawn on one task do on another, against those drawn on the latter |
| `searched_network.py` | a smaller network and its ticket, found in one training |
| `restorations.py` | how a picture was restored, step by step |
| `restored_picture.py` | one picture that was restored |
| `collapses.py` | trainings against a single step that collapsed |
| `early_draws.py` | how far successive draws of one training were apart |
| `searches.py` | what a search left of a network, removal after removal |
| `matching_ranges.py` | which sparsities are trivial, and up to which tickets match |
| `families.py` | ways of drawing side by side over all targets, and what they cost |
| `courses.py` | when which event happens while tickets are drawn |
| `trainings.py` | how each transfer was trained |
| `unfilled.py` | cells of a grid that are not filled yet |
| `notebooks.py` | how notebooks show results |
"""
