"""What the product computes, recorded bit for bit and compared with an older version on the same machine.

`python -m tests.behaviour record OUT.json`, or `compare REVISION`: a tool for redesigns that must change nothing.

| file | noun |
|---|---|
| `families.yaml` | a small run of every family of methods, as recipes and commands |
| `files_of_data.py` | the data that those read |
| `recording.py` | what the runs leave, value by value; imports nothing of the product but its command line |
| `comparing.py` | two recordings, and the differences that are meant |
| `__main__.py` | the tool |
"""
