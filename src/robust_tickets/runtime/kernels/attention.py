"""Softmax attention of one head, a few vectors of queries at a time: lanes are tokens, so that no sum crosses them.

A token of the queries lies in a lane, a token of the keys is a number that all lanes are multiplied by. Scores of a
block of keys stay on the stack, in the first-level cache where they are few, and never make a matrix of all tokens.
Between blocks the largest score so far is kept (Milakov and Gimelshein, 2018, arXiv 1805.02867): what was summed before
a larger one came is scaled down.
"""

from dataclasses import dataclass

from robust_tickets.runtime.kernels.function import Function
from robust_tickets.runtime.kernels.layout import LANES, VECTOR
from robust_tickets.runtime.kernels.record import Record
from robust_tickets.runtime.kernels.vector_code import V, number
from robust_tickets.runtime.rules.operations import HIDDEN

NAME = "attention"

ARGUMENTS = Record(
    addresses=("query", "key", "value", "mask", "target", "scale", "bias"),
    numbers=(
        "tiles",
        "group",
        "depth",
        "value_depth",
        "keys",
        "tile_size",
        "query_channel",
        "key_channel",
        "value_channel",
        "target_channel",
    ),
)
"""Channel 0 of three maps of one row; float32 [keys], 0 for those that nobody attends to; channel 0 of the target;
float32, what scores are multiplied by; float32 [tasks, keys, width, 16], what is added to them.

Tiles of queries of a head; heads of queries for each of keys; channels of a head of queries and keys, and of values;
keys, a multiple of 16; bytes of a tile, and from channel to channel.
"""

BLOCK = 128
"""Keys whose scores are on the stack."""


@dataclass(frozen=True)
class AttentionKernel:
    """softmax(scale * queries^T keys) values, for tiles of queries."""

    width: int
    """Vectors of queries in a tile."""
    together: int
    """Keys, and then channels of values, whose sums are held in registers together; a divisor of 16."""
    biased: bool = False
    """Whether there is something to add to the scores."""

    def ir(self) -> str:
        """Return the LLVM IR text of void(arguments, begin, end) over tasks: task = head * tiles + tile.

        Depths are multiples of `together`.
        """
        f = Function.over_tasks(NAME, ARGUMENTS)
        scores = f.code.line(f"alloca [{BLOCK * self.width * LANES} x float], align {VECTOR}")
        scale = f.load_splat(f["scale"])
        with f.tasks() as task:
            head, tile = f.split(task, f["tiles"])
            shared, _ = f.split(head, f["group"])
            columns = f.times(tile, f["tile_size"])
            query = f.at(f["query"], (f.times(head, f["depth"]), f["query_channel"]), columns)
            target = f.at(f["target"], (f.times(head, f["value_depth"]), f["target_channel"]), columns)
            key = f.at(f["key"], (f.times(shared, f["depth"]), f["key_channel"]))
            value = f.at(f["value"], (f.times(shared, f["value_depth"]), f["value_channel"]))
            carried = [(V, number(HIDDEN))] * self.width + [(V, "zeroinitializer")] * self.width
            with f.loop(0, f["keys"], BLOCK, carried, unroll=False) as block:
                largest, total = block.values[: self.width], block.values[self.width :]
                count = f.smaller(f.minus(f["keys"], block.index), BLOCK)
                at = f.times(block.index, 4)
                mask = f.at(f["mask"], at)
                before = f.plus(f.times(task, f["keys"]), block.index)
                bias = f.at(f["bias"], (before, self.width * VECTOR))
                larger = self._scores(f, scores, query, f.at(key, at), mask, bias, count, scale, largest)
                faded = [f.code.exponential_decay(f.code.subtract(*pair)) for pair in zip(largest, larger, strict=True)]
                total = [f.code.multiply(*pair) for pair in zip(total, faded, strict=True)]
                total = self._shares(f, scores, count, larger, total)
                first = f.equal(block.index, 0)
                self._sums(f, scores, target, f.at(value, at), count, first, faded)
                block.next = [*larger, *total]
            shares = [f.code.divide(number(1.0), one) for one in block.values[self.width :]]
            with f.loop(0, f["value_depth"]) as channel:
                for place, share in zip(self._vectors(f, target, channel.index, "target_channel"), shares, strict=True):
                    f.store(f.code.multiply(f.load(place, alignment=VECTOR), share), place, alignment=VECTOR)
        return f.text()

    def _scores(
        self,
        f: Function,
        scores: str,
        query: str,
        key: str,
        mask: str,
        bias: str,
        count: str,
        scale: str,
        largest: list[str],
    ) -> list[str]:
        """Put the scores of a block on the stack, and return the largest so far."""
        with f.loop(0, count, self.together, [(V, one) for one in largest], unroll=False) as keys:
            at = f.times(keys.index, 4)
            start = [(V, "zeroinitializer")] * (self.together * self.width)
            with f.loop(0, f["depth"], values=start) as channel:
                queries = self._loaded(f, self._vectors(f, query, channel.index, "query_channel"))
                numbers = f.at(key, (channel.index, f["key_channel"]), at)
                places = [f.at(numbers, 4 * one) for one in range(self.together)]
                channel.next = self._added(f, places, queries, channel.values)
            found = list(keys.values)
            for one in range(self.together):
                # 0 for a key that counts, -1e30 for one that does not.
                unseen = f.code.line(f"fcmp oeq {V} {f.load_splat(f.at(mask, at, 4 * one))}, zeroinitializer")
                hidden = f.code.where(unseen, number(HIDDEN), "zeroinitializer")
                for column in range(self.width):
                    added = hidden
                    if self.biased:
                        added = f.code.add(
                            hidden, f.load(self._score(f, bias, keys.index, one, column), alignment=VECTOR)
                        )
                    score = f.code.multiply_add(channel.values[one * self.width + column], scale, added)
                    found[column] = f.code.larger(score, found[column])
                    f.store(score, self._score(f, scores, keys.index, one, column), alignment=VECTOR)
            keys.next = found
        return keys.values

    def _shares(self, f: Function, scores: str, count: str, largest: list[str], total: list[str]) -> list[str]:
        """Put e^(score - largest) in the place of each score, and return the sums."""
        with f.loop(0, count, values=[(V, one) for one in total], unroll=False) as keys:
            keys.next = []
            for column, (most, one) in enumerate(zip(largest, keys.values, strict=True)):
                place = self._score(f, scores, keys.index, 0, column)
                share = f.code.exponential_decay(f.code.subtract(f.load(place, alignment=VECTOR), most))
                f.store(share, place, alignment=VECTOR)
                keys.next.append(f.code.add(one, share))
        return keys.values

    def _sums(
        self, f: Function, scores: str, target: str, value: str, count: str, first: str, faded: list[str]
    ) -> None:
        """Add the values of a block, each times its share, to the target, which is scaled down before."""
        with f.loop(0, f["value_depth"], self.together, unroll=False) as channels:
            places = [
                place
                for one in range(self.together)
                for place in self._vectors(f, target, f.plus(channels.index, one), "target_channel")
            ]
            rows = [f.at(value, (f.plus(channels.index, one), f["value_channel"])) for one in range(self.together)]

            def kept() -> list[str]:
                found = self._loaded(f, places)
                return [f.code.multiply(one, faded[index % self.width]) for index, one in enumerate(found)]

            start = f.either(first, lambda: ["zeroinitializer"] * len(places), kept)
            with f.loop(0, count, values=[(V, one) for one in start]) as keys:
                shares = [
                    f.load(self._score(f, scores, keys.index, 0, column), alignment=VECTOR)
                    for column in range(self.width)
                ]
                keys.next = self._added(f, [f.at(row, (keys.index, 4)) for row in rows], shares, keys.values)
            for one, place in zip(keys.values, places, strict=True):
                f.store(one, place, alignment=VECTOR)

    def _added(self, f: Function, numbers: list[str], vectors: list[str], sums: list[str]) -> list[str]:
        """Return sums with the products of numbers, by their addresses, and vectors added."""
        found = []
        for one, place in enumerate(numbers):
            factor = f.load_splat(place)
            mine = sums[one * self.width : (one + 1) * self.width]
            found += [f.code.multiply_add(factor, vector, each) for vector, each in zip(vectors, mine, strict=True)]
        return found

    def _vectors(self, f: Function, base: str, channel: str, stride: str) -> list[str]:
        """Return the addresses of a tile's vectors of a channel."""
        line = f.at(base, (channel, f[stride]))
        return [f.at(line, VECTOR * column) for column in range(self.width)]

    def _loaded(self, f: Function, places: list[str]) -> list[str]:
        return [f.load(place, alignment=VECTOR) for place in places]

    def _score(self, f: Function, scores: str, key: str, further: int, column: int) -> str:
        return f.at(scores, (key, self.width * VECTOR), (further * self.width + column) * VECTOR)
