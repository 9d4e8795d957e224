"""Where data come from: one kind of example set, honest splits, balanced fractions, batches that resume exactly.

Whatever the data are, they become `Examples`: images from somewhere (`Images`), what each should become
(`Targets`), and the indices that were chosen. A new source of images is one file with an `Images` or
`Files`; a new kind of target is one file with a `Targets`. A new form of data on disk is one file that ends in its
`DataForm`, and a word in the table of `readers.py`.

| file | noun |
|---|---|
| `settings.py` | what the user says about the data |
| `names.py` | what the names of data and of their parts mean, judged before torch is loaded |
| `load.py` | `load_data`: from any of the accepted forms to `DataSplits` |
| `splits.py` | `DataSplits`: train, validation and test, with their provenance |
| `batches.py` | the batches of one epoch, a pure function of seed and epoch |
| `examples.py` | `Examples`, the one kind of example set; `Listing`, `Found`: what they are before they are fitted |
| `carving.py` | the three parts, if the set does not come with them: class-balanced, seeded, nested choices |
| `fit.py` | from an image of any size and mode to the network's input |
| `augmentation.py` | what training does to an image |
| `targets.py` | what kinds of targets have in common |
| `class_numbers.py` | one label per image |
| `label_images.py`, `label_values.py` | one label per pixel, and what the values of label images mean |
| `boxes.py` | boxes around objects |
| `images.py` | what sources of images have in common |
| `arrays.py` | images of one size, held in memory |
| `stored_images.py` | images that are stored encoded, in files or elsewhere |
| `encoded.py` | stored files: read once, fingerprinted, decoded once if kept |
| `image_files.py` | single image files |
| `user.py`, `user_contents.py` | the user's own torch data set, and a fingerprint of its content |
| `readers.py` | from a name or path to the parts found there: the table of all forms |
| `form.py` | `DataForm`: recognises its own data at a place, and reads them |
| `folder.py` | one folder per class |
| `label_folder.py` | images in images/, label images in labels/ |
| `coco.py`, `voc_boxes.py` | boxes in the layouts of COCO and Pascal VOC |
| `array_files.py` | `.npz` archives, idx files |
| `hugging_face.py` | Hugging Face's `datasets`: on the Hub, saved to disk, in parquet files |
| `tar_shards.py` | WebDataset's tars |
| `shards.py`, `patterns.py` | several files that are one set, and patterns that name them |
| `labels.py` | labels of tables and tars: numbers, or names |
| `torchvision_sets.py` | torchvision's data sets, by name |
| `built_in.py` | rendered letters, real handwritten digits |
| `scenes.py` | letters and digits on textured backgrounds, with boxes |
| `user_sets.py` | data sets and loaders given by the user |
"""
