"""Files: written completely or not at all, read without trusting them.

- `file.py`: a graph as a file, and back.
- `header.py`: a file's JSON part.
- `encoding.py`: a weight as bytes: dense, or only the groups that are not zero.
- `indices.py`: ascending indices as bytes.
"""
