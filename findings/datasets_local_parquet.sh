#!/usr/bin/env bash
# Hugging Face's datasets 5.2.0: what reading a parquet file on one's own disk sends over the network.
#
# Guess, written down first: nothing, since the reader is part of the library and the file lies here.
# Seen: `load_dataset("parquet", data_files=...)` looks up s3.amazonaws.com, to count there that the reader was used, with a
# timeout of 3 seconds. `HF_UPDATE_DOWNLOAD_COUNTS=0` or `HF_HUB_OFFLINE=1` turn it off, and `DatasetDict.from_parquet`,
# which reads the same through the same cache, asks nobody.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check datasets==5.2.0
HF_HUB_OFFLINE=0 HF_UPDATE_DOWNLOAD_COUNTS=AUTO "$folder/venv/bin/python" - "$folder" <<'PYTHON'
import socket
import sys

asked = []


def refuse(host, *rest, **options):
    asked.append(host)
    raise socket.gaierror("no names are looked up here")


socket.getaddrinfo = refuse

import datasets

folder = sys.argv[1]
datasets.disable_progress_bars()
datasets.Dataset.from_dict({"label": [0, 1]}).to_parquet(f"{folder}/mine.parquet")
files = {"train": [f"{folder}/mine.parquet"]}
looked_up = {}
for name, read in {
    "load_dataset": lambda: datasets.load_dataset("parquet", data_files=files, cache_dir=f"{folder}/one"),
    "from_parquet": lambda: datasets.DatasetDict.from_parquet(files, cache_dir=f"{folder}/other"),
}.items():
    asked.clear()
    assert read()["train"].num_rows == 2
    looked_up[name] = list(asked)
print(f"datasets {datasets.__version__}, Python {sys.version.split()[0]}")
for name, hosts in looked_up.items():
    print(f"{name}: looks up {', '.join(hosts) or 'nothing'}")
if not looked_up["load_dataset"] or looked_up["from_parquet"]:
    sys.exit("changed")
PYTHON
