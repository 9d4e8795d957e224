"""Where images come from: one source per file.

| file | noun |
|---|---|
| `fit.py` | from an image of any size and mode to the network's input |
| `images.py` | what sources of images have in common |
| `arrays.py` | images of one size, held in memory |
| `stored_images.py` | images that are stored encoded, in files or elsewhere |
| `encoded.py` | stored files: read once, fingerprinted, decoded once if kept |
| `image_files.py` | single image files |
| `user.py`, `user_contents.py` | the user's own torch data set, and a fingerprint of its content |
"""
