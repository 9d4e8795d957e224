import pytest

from robust_tickets.runtime.kernels.record import Record

RECORD = Record(addresses=("source", "target"), numbers=("rows",))


def test_values_lie_in_the_order_of_the_fields_however_they_are_given() -> None:
    assert RECORD.pack(rows=-3, target=2, source=1).tolist() == [1, 2, -3]
    assert RECORD.size == 24


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"source": 1, "target": 2}, r"without a value: \['rows'\]; values without a field: \[\]"),
        (
            {"source": 1, "target": 2, "rows": 3, "columns": 4},
            r"without a value: \[\]; values without a field: \['columns'\]",
        ),
    ],
)
def test_a_forgotten_or_a_wrong_name_is_said(values: dict[str, int], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        RECORD.pack(**values)
