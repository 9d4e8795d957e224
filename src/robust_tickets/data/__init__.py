"""Where data come from: one kind of example set, honest splits, balanced fractions, batches that resume exactly.

Whatever the data are, they become `Examples`: images or texts from somewhere (`Inputs`), what each should become
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
| `inputs.py` | what images, texts and noise have in common |
| `restoration.py` | how a single picture is degraded, or was |
| `fitting.py` | what a network asks of data |
| `augmentation.py` | what training does to an image |
| `images/` | where images come from: arrays, stored files, the user's own data set |
| `texts/` | where texts come from, and how they become tokens |
| `targets/` | what each should become: a class, a label image, boxes, a hidden word |
| `forms/` | forms of data: folders, arrays, tables, tars, COCO, Pascal VOC, torchvision's sets, built-in sets |
| `readers.py` | from a name or path to the parts found there: the table of all forms |
"""
