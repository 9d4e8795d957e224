"""Making a ticket physically smaller, exporting it, and measuring what that gained on this machine.

| file | noun |
|---|---|
| `removal.py` | channels that are all zero, taken out, with a check that nothing else changed |
| `counts.py` | parameters, nonzero parameters, multiply-adds |
| `export.py` | an ONNX file with preprocessing inside, checked against the network in ONNX Runtime |
| `runtime_file.py` | a file for the sparse CPU runtime, checked by running it |
| `conversion/` | what such a file computes, from torch's own export |
| `quantisation.py` | such a file in 8-bit integers |
| `form_score.py` | what each form of the network still does, on validation images |
| `forms.py` | an ONNX file, a runtime file or a folder: the settings each takes, and how it is written |
| `artefact.py` | such a file as what is measured, and which run it was made from |
| `folder.py` | a shrunken network as a folder of JSON and safetensors |
| `latency.py` | several files timed side by side |
| `shrink.py` | all of it in order, and the report |
| `places.py` | what the name of a place says is to be written there |
| `settings.py` | what can be chosen |
| `summary.py` | the report's one honest sentence |
"""
