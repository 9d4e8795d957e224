"""Where data come from: honest splits, balanced fractions, and batches that resume exactly.

| file | noun |
|---|---|
| `settings.py` | what the user says about the data |
| `load.py` | `load_data`: from any of the accepted forms to `DataSplits` |
| `readers.py`, `parts.py` | from a name or path to the parts found there |
| `part_names.py` | what parts are called: the one place where a name is understood as a part |
| `splits.py` | `DataSplits`: train, validation and test, with their provenance |
| `fractions.py` | class-balanced, seeded, nested choices of indices |
| `carving.py` | the three parts, where the set does not come with them |
| `fit.py` | from an image of any size and mode to the network's input |
| `arrays.py` | images of one size, held in memory |
| `npz.py`, `idx.py` | files that hold such arrays |
| `image_files.py`, `listing.py`, `folder.py` | image files: one, a listing of them, a data set of them |
| `file_facts.py` | what is known of image and label files once they were read |
| `colours.py`, `pixel_values.py` | images that become grey or RGB; the values that images may have |
| `pixels.py` | from images with label images to `DataSplits` |
| `pixel_listing.py`, `pixel_folder.py`, `voc.py` | such images: their files, in images/ and labels/, in PASCAL VOC |
| `label_values.py` | what the values of label images mean |
| `pixel_images.py`, `pixel_batches.py` | such images as a data set, and its batches |
| `scale_crop.py` | random scale, crop and flip of images and label images alike |
| `geometry.py` | the size and channels that images share |
| `user.py`, `user_sets.py`, `user_contents.py` | the user's own torch data sets, and a fingerprint of what they hold |
| `sample_stream.py` | global random state, seeded for one sample |
| `names.py` | names of data, judged before torch is loaded |
| `torchvision_sets.py` | torchvision's data sets, by name |
| `glyph_settings.py` | how many of the built-in letters, how large, how varied |
| `glyphs.py`, `digits.py` | the built-in sets: rendered letters, real handwritten digits |
| `augmentation.py` | what training does to an image |
| `batches.py` | the batches of one epoch, a pure function of seed and epoch |
"""
