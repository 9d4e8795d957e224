"""Making a ticket physically smaller, exporting it, and measuring the gain on this machine.

| file | noun |
|---|---|
| `removal.py` | removal of all-zero channels, with a check that nothing else changed |
| `counts.py` | parameters, nonzero parameters, multiply-adds |
| `export.py` | an ONNX file with preprocessing inside, checked against the network in ONNX Runtime |
| `runtime_file.py` | a file for the sparse CPU runtime, checked by running it |
| `conversion/` | the graph of such a file, from torch's own export |
| `torch_graph.py` | the graph of such a file as a torch network that takes the same inputs |
| `quantisation.py` | such a file in 8-bit integers |
| `form_score.py` | the score of each form of the network, on validation images |
| `forms.py` | an ONNX file, a runtime file or a folder: the settings each takes, and how it is written |
| `artefact.py` | such a file as the object of measurement, and the run it was made from |
| `folder.py` | a shrunken network as a folder of JSON and safetensors |
| `latency.py` | several files timed side by side |
| `shrink.py` | all of it in order, and the report |
| `places.py` | what is to be written to a place, by its name |
| `settings.py` | what can be chosen |
| `summary.py` | the report's one honest sentence |
"""
