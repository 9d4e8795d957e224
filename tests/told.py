"""Small data sets of a few words, for tasks of language models."""

import json
from pathlib import Path
from typing import Any

import robust_tickets as rt
from robust_tickets.tokens.tales import BAD, GOOD

PEOPLE, PLACES, DEEDS = (
    ("ann", "bob", "carl", "dora"),
    ("paris", "rome", "oslo", "cairo"),
    ("met", "saw", "left", "likes"),
)


def told(number: int) -> tuple[str, str, str]:
    """A person, a deed and a place, others for every number."""
    return PEOPLE[number % 4], DEEDS[number // 4 % 4], PLACES[number // 16 % 4]


def written(path: Path, rows: list[dict[str, Any]]) -> rt.DataSettings:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(map(json.dumps, rows)))
    return rt.DataSettings(name=str(path), validation=0.1)


def scored(folder: Path) -> rt.DataSettings:
    """Sentences scored by their person and place."""
    texts = [told(number) for number in range(192)]
    rows = [
        {"text": f"{person} {deed} {place}", "score": PEOPLE.index(person) + PLACES.index(place) / 2}
        for person, deed, place in texts
    ]
    return written(folder / "scored.jsonl", rows)


def tagged(folder: Path) -> rt.DataSettings:
    """Sentences in which people and places are names, some of two words."""
    rows = []
    for number in range(128):
        person, deed, place = told(number)
        words, tags = ["then", person, deed, "in", place], ["O", "B-PER", "O", "O", "B-LOC"]
        if number % 2:
            words, tags = [*words[:2], PEOPLE[number // 2 % 4], *words[2:]], [*tags[:2], "I-PER", *tags[2:]]
        rows.append({"tokens": words, "tags": tags})
    return written(folder / "tagged.jsonl", rows)


def asked(folder: Path) -> rt.DataSettings:
    """Sentences of which it is asked where something happened."""
    rows = []
    for number in range(128):
        person, deed, place = told(number)
        context = (
            f"then {person} {deed} a dog in {place} ." if number % 2 else f"in {place} then {person} {deed} a cat ."
        )
        rows.append(
            {
                "context": context,
                "question": "where",
                "answers": [{"text": place, "answer_start": context.index(place)}],
            }
        )
    return written(folder / "asked.jsonl", rows)


def judged(folder: Path, known: int = 5, count: int = 240) -> rt.DataSettings:
    """Sentences that judge two things alike, by only so many of the built-in texts' words for it."""
    rows = []
    for number in range(count):
        words = (BAD, GOOD)[number % 2][:known]
        one, other = words[number // 2 % known], words[number // 3 % known]
        rows.append({"text": f"the boat is {one} and the map was {other} .", "label": number % 2})
    return written(folder / "judged.jsonl", rows)
