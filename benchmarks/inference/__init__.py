"""How fast networks run: the runtime against ONNX Runtime and others, one process an engine, taking turns.

| file | noun |
|---|---|
| `engines.py` | `ENGINES`: what can run a network, and what each needs |
| `worker.py` | one engine with one file, in a process of its own, told over a pipe what to do |
| `messages.py` | what a worker is told, and what it answers |
| `memory.py` | the most memory a process has held |
| `team.py` | the parent's side: workers started, asked, and stopped |
| `contest.py` | workers timed in turns, hot and cold |
| `networks.py` | the networks, dense and pruned, as the files that engines read |
| `work.py` | multiply-adds and density, layer by layer |
| `cases.py` | `Case`: which row compares what, and its target |
| `runtime_rows.py` | the rows of the runtime |
| `baselines.py` | what dense engines reach on the same network, beside the rows |
| `roofline.py` | what this machine can do at most: multiply-adds and bandwidths, measured |
| `layers.py` | where the time goes, step by step, beside the roofline |
| `removal_rows.py` | what removed channels, heads and neurons gain in ONNX Runtime |
| `file_rows.py` | how long a runtime file takes to load, and how small it is |
"""
