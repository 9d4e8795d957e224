"""A whole recipe, from sources to the report.

| file | noun |
|---|---|
| `exports.py` | the files that a run ships |
| `run.py` | the run: sources, cells, exports, report |
| `grid.py` | the cells of a recipe: what is planned, what is filled |
| `places.py` | a cell's place in the grid: dense, a drawn ticket, or a control of one |
| `names.py` | names of cells that their settings alone would not distinguish |
| `summary.py` | the facts, rows and verdicts of the report |
| `inside.py` | analyses of the run's tickets and transfers |
| `measured.py` | further measures of every cell |
| `as_it_came.py` | results, before any training, of sources whose head is kept |
| `double_win.py` | which tickets match dense after both standard and adversarial transfer |
| `overfitting.py` | trainings against a single step that collapsed |
| `draw_records.py` | what draws recorded while they trained: distances of masks, removals of channels |
| `gain.py` | how much each source's tickets gain over the first source's |
| `across_tasks.py` | how tickets drawn on one task do on another |
| `matching_ranges.py` | which sparsities are trivial, and up to which tickets match |
| `families.py` | ways of drawing compared over all targets, and what they cost |
| `restorations.py` | pictures that were restored, by which network, step by step |
| `courses.py` | when which event happens under a recipe |
| `gap.py` | how far each target lies from the first source's pretraining data |
"""
