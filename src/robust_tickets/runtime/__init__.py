"""The sparse CPU engine: reads and executes runtime files, and imports no other room.

| file or package | what it is |
|---|---|
| `graph.py` | what a file computes: nodes, values, weights |
| `errors.py` | the exceptions for what cannot be executed or read |
| `rules/` | what a graph may be |
| `reference.py` | what every operation means, in plain numpy |
| `storage/` | the file |
| `machine/` | machine code and threads |
| `kernels/` | machine code as text, and the layout of maps that it works on |
| `planning/` | from a graph to commands |
| `steps/` | from commands to calls |
| `tuning/` | what is fastest on this machine |
| `images.py` | from files, PIL images and arrays to a network's input |
| `texts.py` | from texts and their tokens to a network's input |
| `engine.py` | a graph, ready to be executed |
| `token_engine.py` | a graph for texts: an engine for each of some lengths |
| `feeds.py` | what is fed to a loaded network: images or texts |
| `load.py` | a file, ready to be called |

Each imports those above it. Weights are data: kernels are a small family, compiled once per machine.
"""
