"""A whole run of Optimal Eye Surgeon at toy size: what is compared, what is shown, and what may not be compared."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from robust_tickets.data.load import load_data
from robust_tickets.foundation.errors import UserError
from robust_tickets.pipeline.grid import Cell, Grid
from robust_tickets.pipeline.places import DensePlace
from robust_tickets.pipeline.run import run
from robust_tickets.recipe import Recipe, load_recipe
from robust_tickets.report.summary import Summary
from robust_tickets.training.metrics import read_metrics

SIDE = 20
TOY = {
    "sources": {
        "unet": {"source": {"name": "prior/unet2-x0.25", "weights": "random"}},
        "deep-decoder": {"source": {"name": "prior/decoder2-x0.1", "weights": "random"}, "tickets": False},
    },
    "data": {"size": SIDE},
    "targets": {"flower": None, "filled": None},
    "draw": {"timeline": {"epochs": 12}, "sparsity": 0.4, "data": {"size": SIDE}, "training": {"validate_every": 4}},
    "variants": {
        "imp": {"timeline": {"epochs": 2}, "sparsity": 0.36},
        "snip": {"sparsity": 0.5},
        "grasp": None,
        "synflow": {"sparsity": 0.5, "timeline": {"rounds": 3}},
        "magnitude": None,
    },
    "transfers": {"full": {"seeds": [0, 1], "training": {"epochs": 12, "validate_every": 1, "window": 3}}},
}


def toy() -> Recipe:
    return load_recipe("eye-surgeon", changes=[TOY])


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Summary]:
    folder = tmp_path_factory.mktemp("eye")
    return folder, run(toy(), folder)


def picture(png: str) -> np.ndarray:
    with Image.open(io.BytesIO(base64.b64decode(png))) as image:
        return np.asarray(image)


def test_each_network_has_its_row_and_only_the_unet_has_tickets(done: tuple[Path, Summary]) -> None:
    (section,) = [one for one in done[1].sections if one.title == "Restoration of china: noise 0.1"]
    (table,) = section.tables
    assert [row[0] for row in table.rows] == [
        "unet, dense",
        "deep-decoder, dense",
        "40 %",
        "random 40 %",
        "imp 36 %",
        "snip 50 %",
        "synflow 50 %",
    ]
    counts = {row[0]: int(str(row[1])) for row in table.rows}
    assert counts["40 %"] == counts["random 40 %"] == pytest.approx(0.6 * counts["unet, dense"], abs=1)


def test_peak_end_and_steadiest_are_those_of_the_log(done: tuple[Path, Summary]) -> None:
    folder, summary = done
    (section,) = [one for one in summary.sections if one.title == "Restoration of china: noise 0.1"]
    peaks, ends, steady = [], [], []
    for seed in (0, 1):
        rows = read_metrics(folder / f"transfers/data/unet/full/dense/seed-{seed}/metrics.jsonl")
        psnr = [row["validation_psnr"] for row in rows]
        peaks.append(max(psnr))
        ends.append(psnr[-1])
        variances = {row["variance"]: row["validation_psnr"] for row in rows if row["variance"] is not None}
        assert [row["variance"] for row in rows[:2]] == [None, None]
        steady.append(variances[min(variances)])
    row = dict(zip(section.tables[0].columns, section.tables[0].rows[0], strict=True))
    for column, values in (("peak", peaks), ("in the end", ends), ("ES-WMV", steady)):
        assert row[column] == f"{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f}"


def test_pictures_show_what_the_networks_make(done: tuple[Path, Summary]) -> None:
    folder, summary = done
    (section,) = [one for one in summary.sections if one.title == "Restoration of china: noise 0.1"]
    shown = {one.name: picture(one.png) for one in section.galleries[0].pictures}
    grid = Grid(toy(), folder)
    cells: dict[str, Cell] = {}
    for series in ("unet", "deep-decoder"):
        cells[series] = grid.fill(DensePlace("data", "full", series))
    for series, cell in cells.items():
        first = cell.result.runs[0]
        noise, targets = first.data.train[0]
        with torch.no_grad():
            made = first.network.eval()(noise[None])[0]
        exact = made.clamp(0, 1).mul(255).round().permute(1, 2, 0).numpy()
        assert np.abs(shown[f"{series}, dense"].astype(int) - exact).max() <= 1
        clean = targets["clean"].mul(255).round().permute(1, 2, 0).numpy()
        assert np.array_equal(shown["clean"], clean)
    assert shown["40 %"].shape == (SIDE, SIDE, 3)
    assert not np.array_equal(shown["40 %"], shown["40 %, untrained"])
    assert "data:image/png;base64," in (folder / "report.html").read_text(encoding="utf-8")


def test_each_seed_has_its_own_noise_and_all_share_the_clean_picture() -> None:
    recipe, noise = toy(), Grid(toy(), Path()).source("unet").network.interface.noise
    first, second = (load_data(recipe.data, latent=noise, seed=seed).train[0][1] for seed in (0, 1))
    assert torch.equal(first["clean"], second["clean"])
    assert not torch.equal(first["seen"], second["seen"])


def test_a_recipe_draws_from_some_source() -> None:
    nobody = {"sources": {name: {"tickets": False} for name in ("unet", "deep-decoder")}}
    with pytest.raises(UserError, match="sources: tickets are drawn from none of them"):
        load_recipe("eye-surgeon", changes=[nobody])
