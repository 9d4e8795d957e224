"""Measurements on a page: the curve, the table, the one-page HTML.

| file | noun |
|---|---|
| `summary.py` | the tidy record every run writes and the report reads |
| `sections.py` | other findings: tables, charts, maps and pictures under a heading |
| `points.py` | mean and spread over seeds, and the panels that points fall into |
| `notation.py` | how per cent, points and counts are written |
| `headline.py` | the verdict in a sentence |
| `caveats.py` | reasons to trust verdicts less |
| `cells.py` | which cells the tables show |
| `table.py` | those cells as a terminal table, as Markdown, as HTML |
| `looks.py` | colours, strokes and the style all figures share |
| `axis.py` | the sparsity axis |
| `figures.py` | accuracy against sparsity, and sparsity by layer |
| `charts.py` | the figures of sections: lines, and values over two axes |
| `lanes.py` | the same of timelines: sparsity in force, and what happens |
| `galleries.py` | the same of pictures |
| `terminal.py` | the tables on the terminal |
| `markdown.py` | the page as Markdown |
| `html.py`, `page.css` | the page |
"""
