"""What EarlyBERT's tickets save in training time: search and training of a ticket against training dense, in turns.

    python results/early_time.py

reads `results/grids/early.yaml`, trains what it says for each of its seeds, and prints seconds and ratios. Test data
are not read: accuracies come from `tickets run results/grids/early.yaml`.
"""

import platform
import tempfile
from pathlib import Path
from statistics import fmean, stdev
from time import perf_counter

import torch

import robust_tickets as rt

RECIPE = Path(__file__).parent / "grids" / "early.yaml"


def main() -> None:
    """Time dense training, the search and the ticket's training for every seed."""
    recipe = rt.load_recipe(RECIPE)
    source = rt.load_source(recipe.sources["minilm"].source)
    settings = recipe.transfers["full"]
    saved: list[float] = []
    print(f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    for seed in settings.seeds:
        once = settings.model_copy(update={"seeds": (seed,)})
        with tempfile.TemporaryDirectory() as folder:
            start = perf_counter()
            rt.transfer(source, recipe.data, settings=once, folder=f"{folder}/dense")
            dense_done = perf_counter()
            ticket = rt.draw(source, settings=recipe.draw, seed=seed, folder=f"{folder}/draw")
            drawn = perf_counter()
            rt.transfer(ticket, recipe.data, settings=once, folder=f"{folder}/ticket")
            done = perf_counter()
        dense, search, training = dense_done - start, drawn - dense_done, done - drawn
        saved.append(100 * (1 - (search + training) / dense))
        told = f"dense {dense:.1f} s; search {search:.1f} s, ticket {training:.1f} s"
        print(f"seed {seed}: {told}: {saved[-1]:.0f} % saved", flush=True)
    print(f"saved: {fmean(saved):.0f} ± {stdev(saved):.0f} %")


if __name__ == "__main__":
    main()
