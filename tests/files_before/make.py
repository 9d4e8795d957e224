"""Makes `files/`: what this product wrote at commit 2e440d5, which later versions still have to open.

`python tests/files_before/make.py FOLDER` makes their like with whichever version is installed; the files here stay as
they are. Reports and timings of kernels are left out, since no command needs them. The networks are tiny ResNets for
digits.

| place | what |
|---|---|
| `scenes/` | photographs with labels of pixels |
| `run/` | a run with its own source: a ticket, dense, two seeds, an attack, a measure, an ONNX and a runtime file |
| `run/trained/` | a ticket that stores weights, drawn by gradual pruning |
| `run/channels/` | a ticket of whole channels that stores batch-norm statistics |
| `channels.rtk` `small/` | its network without those channels |
| `labelled/` | a run in which a ticket is transferred to segmentation |
| `evaluated/` | what `tickets evaluate` measured of the source |
| `predicted/` | classes of `scenes/test/images`, from each kind of file |
"""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

SOURCE_RECIPE = """
sources:
  small:
    source:
      name: cifar/resnet8-x0.2
      weights: random
      num_classes: 10
      in_channels: 1
      preprocessing: {mean: [0.5], std: [0.25], size: [16, 16]}
    pretrain:
      data: &digits {name: digits, per_class: 60, validation: 0.25, augmentation: none}
      training: &training {epochs: 15, batch_size: 30, precision: fp32, optimiser: {kind: sgd, lr: 0.1}}
draw: {sparsity: 0.5}
"""

RECIPES = {
    "run.yaml": """
name: A small run
data: *digits
transfers: {full: {seeds: [0, 1], training: {<<: *training, epochs: 5}}}
verify:
  margin: 0.05
  robustness: {threat: {epsilon: 4/255, steps: 3}, limit: 50}
  measures: [calibration]
shrink: {rounds: 3}
""",
    "labelled.yaml": """
name: A small run to segmentation
data: {name: scenes, channels: 1, ignore: [9]}
transfers: {full: {segmentation: {head: fcn}, seeds: [0], training: {<<: *training, batch_size: 2}}}
shrink: null
""",
}

SOURCE = "run/sources/small"

MAKE = (
    "run run.yaml --out run",
    "verify run --exported run/draw.rtk",
    "run labelled.yaml --out labelled",
    "verify labelled",
    f"draw --source {SOURCE} --data digits --sparsity 0.8 --set rewind=none --set training.precision=fp32 "
    "--set 'timeline={kind: gradual, start: 0, end: 1, every: 0.5, epochs: 1}' --out run/trained",
    f"draw --source {SOURCE} --group channel --sparsity 0.5 --recalibrate digits --out run/channels",
    "export run/channels --out channels.rtk --set round_to=2 --set rounds=3",
    "export run/channels --out small/ --set round_to=2 --set rounds=3",
    f"evaluate {SOURCE} --data digits --set measures=[calibration] --out evaluated",
)

PREDICTED = {
    "source": SOURCE,
    "trained": "run/trained",
    "channels": "run/channels",
    "run": "run",
    "onnx": "run/draw.onnx",
    "element": "run/draw.rtk",
    "channel": "channels.rtk",
    "small": "small",
}
"""What `tickets predict` reads, by the name under which its answers are kept."""


def write_scenes(folder: Path) -> None:
    """Write photographs of two kinds of rectangles, and their labels by pixel; the top row is void, 9."""
    random = np.random.default_rng(0)
    for part, count in {"train": 6, "val": 2, "test": 3}.items():
        for kind in ("images", "labels"):
            (folder / part / kind).mkdir(parents=True)
        for index in range(count):
            pixels = np.zeros((24, 32, 3), dtype=np.uint8)
            labels = np.zeros((24, 32), dtype=np.uint8)
            for label in (1, 2):
                top, left = random.integers(0, 14), random.integers(0, 20)
                labels[top : top + 8, left : left + 10] = label
                pixels[labels == label] = 100 * label
            labels[0] = 9
            Image.fromarray(pixels).save(folder / part / "images" / f"{index}.png")
            Image.fromarray(labels).save(folder / part / "labels" / f"{index}.png")


def tickets(line: str, folder: Path) -> None:
    """Give a command to the command line that is installed."""
    command = [sys.executable, "-c", "from robust_tickets.cli import main; main()", *shlex.split(line)]
    subprocess.run(command, cwd=folder, check=True)


def make(folder: Path) -> None:
    """Make everything in a new folder."""
    write_scenes(folder / "scenes")
    for name, recipe in RECIPES.items():
        (folder / name).write_text((SOURCE_RECIPE + recipe).lstrip(), encoding="utf-8")
    for line in MAKE:
        tickets(line, folder)
    (folder / "predicted").mkdir()
    for name, file in PREDICTED.items():
        tickets(f"predict {file} scenes/test/images --top 3 --out predicted/{name}.json", folder)
    for beside in (*folder.rglob("report.*"), *folder.rglob("*.tuning.json")):
        beside.unlink()
    for figures in list(folder.rglob("figures")):
        shutil.rmtree(figures)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
