"""What every room stands on, and what knows of no room.

| file | noun |
|---|---|
| `settings.py` | the frozen, strict base of every configuration type, and shared number types |
| `kinds.py` | `magnitude` for `{kind: magnitude}` |
| `lazy.py` | libraries that are loaded when they are first used |
| `complaints.py` | what is wrong with values, in one line |
| `batch.py` | what goes through a network at once: inputs and targets |
| `merging.py` | changes over settings: what they name changes, and nothing else |
| `errors.py` | the one exception that means "the user can mend this" |
| `seeds.py` | named random streams derived from one seed |
| `files.py` | atomic writes, and reads that name the file that is broken |
| `run_folder.py` | the run that a folder lies in, and paths that move with it |
| `ownership.py` | the rule against overwriting, and how files of ours are known again |
| `unit.py` | how figures are written: per cent and points, dB, nats, plain |
| `notebook.py` | what a notebook shows of a result: who writes it registers |
| `grouping.py` | items collected by a key |
| `enumeration.py` | names in a message, at most five |
| `digests.py` | content hashes of tensors and files |
| `user_cache.py`, `file_memory.py` | the user's cache folder, and what is remembered there of files |
| `steps.py` | one unit of resumable work in a folder |
"""
