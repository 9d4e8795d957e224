"""What all measures have in common: how recipes write them, and that they need nothing but predictions."""

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
from tests.measures.examinees import batches_of, exported_digits, held_out_digits

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


@pytest.mark.parametrize("kind", ["calibration", "corruption", "corruption-files", "out-of-distribution", "certified"])
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
            predict, network, batches_of(*inside, 20), lambda data, limit: batches_of(*letters, 20)(limit), seed=0
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
