"""A whole recipe, from sources to the report.

| file | noun |
|---|---|
| `exports.py` | the files that a run ships |
| `run.py` | the run: sources, cells, exports, report |
| `grid.py` | the cells of a recipe: what is planned, what is filled |
| `places.py` | where a cell stands: dense, a drawn ticket, or a control of one |
| `names.py` | what cells are called where their settings alone would not tell them apart |
| `summary.py` | the facts, rows and verdicts of the report |
| `inside.py` | analyses of the run's tickets and transfers |
| `measured.py` | what further measures found in every cell |
| `as_it_came.py` | what sources whose head is kept do before any training |
| `double_win.py` | which tickets match dense after standard and adversarial transfer alike |
| `overfitting.py` | trainings against a single step that collapsed |
| `gain.py` | what each source's tickets gain over the first source's |
| `gap.py` | how far each target lies from what the first source was pretrained on |
"""
