"""Where images come from: one source per file.

| file | noun |
|---|---|
| `fit.py` | from an image of any size and mode to the network's input |
| `images.py` | what sources of images have in common |
| `arrays.py` | images of one size, held in memory |
| `stored_images.py` | images that are stored encoded, in files or elsewhere |
| `encoded.py` | stored files: read once, fingerprinted, decoded once if kept |
| `image_files.py` | single image files |
| `picture_files.py` | single pictures as floats, from image files and arrays |
| `latents.py` | fixed noise, which a generator takes in the place of an image |
| `user.py`, `user_contents.py` | the user's own torch data set, and a fingerprint of its content |
"""
