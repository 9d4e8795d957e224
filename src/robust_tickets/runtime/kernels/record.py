"""Named fields of 64 bits each: what a function is called with, or a row of a table that it reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value")


@dataclass(frozen=True)
class Record:
    """Addresses, then numbers, each by its name."""

    addresses: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    """Signed integers."""

    @property
    def kinds(self) -> dict[str, str]:
        """Return the type of each field in LLVM's words, in the order in which they lie in memory."""
        return dict.fromkeys(self.addresses, "ptr") | dict.fromkeys(self.numbers, "i64")

    @property
    def size(self) -> int:
        """Return bytes of a record."""
        return 8 * len(self.kinds)

    def ordered(self, values: Mapping[str, Value]) -> list[Value]:
        """Return values in the order of the fields.

        Raises:
            TypeError: a field has no value, or a value no field.
        """
        names = self.kinds
        missing, unknown = names.keys() - values.keys(), values.keys() - names.keys()
        if missing or unknown:
            raise TypeError(f"fields without a value: {sorted(missing)}; values without a field: {sorted(unknown)}")
        return [values[name] for name in names]

    def pack(self, **values: int) -> NDArray[np.int64]:
        """Return a record, int64 [fields], of values by their names; raises as `ordered` does."""
        return np.array(self.ordered(values), np.int64)
