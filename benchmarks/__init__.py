"""What the product claims about speed, measured side by side in one run: `make bench`.

| file | noun |
|---|---|
| `__main__.py` | the run: every row, the table, `results/bench.json` |
| `row.py` | `Row`: a ratio beside its target, and why it missed |
| `scale.py` | how large everything is: `FULL`, and `TOY` for a test of the machinery |
| `timing.py` | contestants timed in turns; ratios within a round |
| `device.py` | the device a row trains on |
| `matrix_rate.py` | how fast the machine multiplies matrices |
| `machine.py` | where it was measured |
| `steps.py` | one step of the product's loop, and of a plain one |
| `global_magnitude.py` | one-shot magnitude pruning against torch's own |
| `masked_step.py` | a dense training step against a masked one |
| `compact_step.py` | a masked training step against one without what the ticket removes |
| `linear_study.py` | linear evaluation at several learning rates, together against one by one |
| `pgd_training.py` | adversarial training against a plain loop, on the CPU and on a GPU |
| `robust_accuracy.py` | whether the faster adversarial training is as robust |
| `import_cli.py` | how long `tickets --help` takes |
| `data_start.py` | how long training on a large folder takes to start |
| `data_feed.py` | how fast images are loaded, against torchvision's `ImageFolder` |
| `image_folder.py` | the folders of these rows |
"""
