"""How a picture was restored: PSNR while each network learned it, and the pictures themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from robust_tickets.foundation.unit import DECIBEL
from robust_tickets.report.sections import MOST_LINES, Chart, Gallery, Line, Picture, Section, Table

TEXT = (
    "A generator learns the picture as it is seen; PSNR is to the clean one, by which nothing is chosen. A network "
    "with many weights passes near the clean picture and then learns the noise, so that its PSNR falls again: the drop "
    "from the peak to the end says how much. The peak itself takes the clean picture to find."
)


@dataclass(frozen=True)
class GeneratorCourse:
    """One network that learned one picture, for every seed."""

    name: str
    sparsity: float
    parameters: int
    """How many of its parameters are not removed."""
    steps: tuple[int, ...]
    psnr: tuple[tuple[float, ...], ...]
    """Of each seed, at these steps, dB."""
    final: tuple[float, ...]
    """Of each seed, of the weights that were kept, dB."""
    ssim: tuple[float, ...]
    """Of each seed, in the end."""
    steadiest: tuple[float, ...] = ()
    """Of each seed, where the picture varied least, dB; nothing where that is not known."""


@dataclass(frozen=True)
class PictureComparison:
    """One picture, and all networks that restored it."""

    target: str
    problem: str
    """What is wrong with it, in words."""
    seen: tuple[float, ...]
    """PSNR of what is seen, of each seed, dB; nothing where it has another size than the picture."""
    networks: tuple[GeneratorCourse, ...]
    pictures: tuple[tuple[str, str], ...]
    """Names and PNG files in base64."""


def restoration_sections(found: Sequence[PictureComparison]) -> list[Section]:
    """Return one section for each picture."""
    return [section(one) for one in found]


def section(one: PictureComparison) -> Section:
    """Return the figures and the pictures of one target."""
    seen = f"What is seen has {spread(one.seen)}. " if one.seen else ""
    charts = [
        Chart(
            title=f"PSNR over training steps, {one.target}",
            x_label="training step",
            y_label="PSNR (dB)",
            lines=tuple(map(line, one.networks[start : start + MOST_LINES])),
            note="Mean over seeds; bars are one standard deviation.",
        )
        for start in range(0, len(one.networks), MOST_LINES)
    ]
    return Section(
        title=f"Restoration of {one.target}: {one.problem}",
        text=f"{seen}{TEXT}",
        tables=(
            Table(
                title=f"PSNR of {one.target} (dB)",
                columns=("network", "parameters", "peak", "at step", "in the end", "drop", "ES-WMV", "SSIM in the end"),
                rows=tuple(map(row, one.networks)),
                note="Mean ± one standard deviation over seeds. ES-WMV: where the picture varied least over some "
                "validations of the whole training, which takes no clean picture to find.",
            ),
        ),
        charts=tuple(charts),
        galleries=(
            Gallery(
                title=f"{one.target}, first seed",
                pictures=tuple(Picture(name=name, png=png) for name, png in one.pictures),
                note="Each network as it was in the end; `untrained`: the ticket at its random weights.",
            ),
        )
        if one.pictures
        else (),
    )


def line(network: GeneratorCourse) -> Line:
    """Return the mean over seeds at each step."""
    each = list(zip(*network.psnr, strict=True))
    return Line(
        name=network.name,
        x=tuple(map(float, network.steps)),
        y=tuple(map(fmean, each)),
        std=tuple(map(stdev, each)) if len(network.psnr) > 1 and len(network.steps) <= MOST_BARS else None,
    )


MOST_BARS = 30
"""More bars of standard deviations hide the line."""


def row(network: GeneratorCourse) -> tuple[str | int | float | None, ...]:
    """Return peak, end and drop."""
    peaks = [max(one) for one in network.psnr]
    places = [network.steps[one.index(peak)] for one, peak in zip(network.psnr, peaks, strict=True)]
    drops = [peak - final for peak, final in zip(peaks, network.final, strict=True)]
    return (
        network.name,
        network.parameters,
        spread(peaks),
        round(fmean(places)),
        spread(network.final),
        spread(drops),
        spread(network.steadiest) if network.steadiest else None,
        fmean(network.ssim),
    )


def spread(values: Sequence[float]) -> str:
    """Write mean and standard deviation over seeds."""
    mean = DECIBEL.number(fmean(values))
    return f"{mean} ± {DECIBEL.number(stdev(values))}" if len(values) > 1 else mean
