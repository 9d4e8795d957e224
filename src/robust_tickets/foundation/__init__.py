"""What every room is built on, and what depends on no room.

| file | noun |
|---|---|
| `settings.py` | the frozen, strict base of every configuration type, and shared number types |
| `of_inputs.py` | results that say what they were measured on |
| `kinds.py` | `magnitude` for `{kind: magnitude}` |
| `lazy.py` | libraries that are loaded on first use |
| `complaints.py` | what is wrong with values, in one line |
| `batch.py` | what goes through a network at once: inputs and targets |
| `merging.py` | changes to settings: what they name changes, and nothing else |
| `errors.py` | the one exception that means "the user can fix this" |
| `extras.py` | packages that only some jobs need, and what installs them |
| `seeds.py` | named random streams derived from one seed |
| `latent_noise.py` | the fixed noise that a generator turns into one picture |
| `files.py` | atomic writes, and reads that name the broken file |
| `run_folder.py` | the run that a folder belongs to, and paths that move with it |
| `ownership.py` | the rule against overwriting, and how our own files are recognised |
| `samples.py` | what a decision rests on, in words: seeds and test examples |
| `unit.py` | how figures are written: per cent and points, dB, nats, plain |
| `notebook.py` | how notebooks show results: a registry of writers |
| `grouping.py` | items collected by a key |
| `enumeration.py` | names in a message, at most five |
| `kept_memory.py` | memory that a process keeps while it computes |
| `digests.py` | content hashes of tensors and files |
| `user_cache.py`, `file_memory.py` | the user's cache folder, and what is remembered there about files |
| `steps.py` | one unit of resumable work in a folder |
"""
