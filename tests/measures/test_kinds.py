"""What all measures have in common: how recipes write them, and that they need nothing but predictions."""

from typing import get_args

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from robust_tickets.measures.calibration import Calibration
from robust_tickets.measures.certified import Certified
from robust_tickets.measures.corruption import Corruption
from robust_tickets.measures.examinee import Examinee
from robust_tickets.measures.kinds import AnyMeasure
from robust_tickets.measures.measure import Measure
from robust_tickets.measures.out_of_distribution import OutOfDistribution
from tests.measures.counting import Counter, text_examinee
from tests.measures.examinees import batches_of, examinee, exported_digits, held_out_digits, no_parts, no_texts
from tests.objectives.digits import trained_network

MEASURES = TypeAdapter(tuple[AnyMeasure, ...])


def test_recipes_name_them_by_kind():
    read = MEASURES.validate_python(
        ["calibration", {"kind": "corruption", "severities": [3]}, {"kind": "out-of-distribution", "data": "digits"}]
    )
    assert read[0] == Calibration()
    assert read[1] == Corruption(severities=(3,))
    assert isinstance(read[2], OutOfDistribution)
    assert read[2].data.name == "digits"
    assert MEASURES.validate_python(MEASURES.dump_python(read, mode="json")) == read


@pytest.mark.parametrize(
    "kind",
    ["calibration", "corruption", "corruption-files", "out-of-distribution", "certified", "word-substitution"],
)
def test_a_bare_kind_has_defaults_and_describes_itself(kind):
    (measure,) = MEASURES.validate_python([kind])
    assert isinstance(measure, Measure)
    assert measure.describe()
    assert all(field.description for name, field in type(measure).model_fields.items() if name != "kind")


def test_an_exported_file_is_measured_like_the_network(tmp_path_factory):
    network, session = exported_digits(tmp_path_factory.mktemp("onnx"))
    inside = held_out_digits(48)
    letters = torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(40) % 10

    def subject(predict) -> Examinee:
        return Examinee(
            predict,
            network,
            batches_of(*inside, 20),
            no_parts,
            no_texts,
            lambda data, limit: batches_of(*letters, 20)(limit),
            seed=0,
        )

    measures = [
        Calibration(),
        Corruption(names=("shot_noise", "elastic_transform"), severities=(5,)),
        OutOfDistribution(),
        Certified(sigma=0.1, samples=100, limit=3, radii=(0, 0.05)),
    ]
    assert subject(session).is_exported
    for measure in measures:
        with torch.no_grad():
            expected = measure.figures(subject(network))
        assert measure.figures(subject(session)) == pytest.approx(expected, abs=1e-4)


SMALL: dict[str, dict[str, object]] = {
    "calibration": {},
    "corruption": {"names": ["shot_noise", "contrast"], "severities": [1, 5]},
    "corruption-files": {"names": ["fog"], "severities": [2, 4]},
    "out-of-distribution": {},
    "certified": {"samples": 50, "radii": [0, 0.05]},
    "robustness": {"threat": {"epsilon": 0.1, "steps": 2}},
    "robustness-curve": {"epsilons": [0, 0.1], "steps": 2},
    "word-substitution": {"synonyms": "tales"},
}


def test_every_kind_is_held_to_what_measures_promise():
    kinds = {one.model_fields["kind"].default for one in get_args(get_args(AnyMeasure)[0])}
    assert kinds == set(SMALL)
    measures = MEASURES.validate_python([{"kind": kind} for kind in kinds])
    assert len({measure.title for measure in measures}) == len(kinds), "each has a section of its own"


@pytest.mark.parametrize("kind", SMALL)
def test_a_measure_says_what_its_figures_are(kind, tmp_path):
    images, labels = held_out_digits(20)
    pixels = (images.movedim(1, -1).squeeze(-1) * 255).to(torch.uint8).numpy()
    np.save(tmp_path / "labels.npy", np.tile(labels.numpy(), 5))
    np.save(tmp_path / "fog.npy", np.tile(pixels, (5, 1, 1)))
    place = {"folder": str(tmp_path)} if kind == "corruption-files" else {}
    (measure,) = MEASURES.validate_python([{"kind": kind, **SMALL[kind], **place}])
    network = trained_network().eval()
    subject = examinee(network, (images, labels), (images.flip(0), labels))
    texts = text_examinee(Counter(), ["a fine boat", "the dull boat", "nice"], [1, 0, 0])
    found = measure.figures(texts if "text-inputs" in measure.needs else subject)
    shown = {key: figure for key in found if (figure := measure.figure(key)) is not None}
    assert shown
    assert len({figure.name for figure in shown.values()}) == len(shown), "headings tell figures apart"
    for key, figure in shown.items():
        least, most = figure.bounds
        assert least is None or found[key] >= least, key
        assert most is None or found[key] <= most, key
    assert measure.principal is None or measure.principal in shown
    if measure.sweep is not None:
        assert {key for keys in measure.sweep.along.values() for key in keys} <= found.keys()
        assert list(measure.sweep.along) == sorted(measure.sweep.along)
