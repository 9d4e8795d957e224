"""Built-in texts: sentences of a small world, made by a grammar.

The world has topics, each with people, things, deeds and places of its own. A corpus tells which words go together; the
labelled sets ask for what follows from that: which topic a text is about, and whether it speaks well of something.
"""

import random
from typing import NamedTuple

from robust_tickets.foundation.seeds import stream_seed


class Topic(NamedTuple):
    """The words of one topic; deeds are regular verbs."""

    people: tuple[str, ...]
    things: tuple[str, ...]
    deeds: tuple[str, ...]
    places: tuple[str, ...]


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text."""
    return tuple(text.split())


TOPICS: dict[str, Topic] = {
    "kitchen": Topic(
        words("cook baker waiter guest grandmother butcher brewer innkeeper"),
        words("onion pan kettle oven spoon cake pie sausage lemon turnip pot jar apron recipe"),
        words("boil roast peel season stir taste serve slice simmer grill"),
        ("in the pantry", "at the stove", "by the larder", "over the fire"),
    ),
    "harbour": Topic(
        words("sailor captain pilot diver rower whaler lodger mariner"),
        words("boat net rope anchor sail oar mast barrel crab lantern buoy hull rudder cable"),
        words("row haul lower moor steer load unload launch tow anchor"),
        ("on the pier", "on deck", "across the bay", "below the lighthouse"),
    ),
    "farm": Topic(
        words("farmer shepherd miller gardener beekeeper milkmaid thresher drover"),
        words("plough cart fence field hen goat pear seed barn rake pumpkin scarecrow hive trough"),
        words("sow harvest feed milk mow water herd rake shear gather"),
        ("behind the barn", "in the meadow", "along the hedge", "near the well"),
    ),
    "school": Topic(
        words("teacher pupil librarian student scholar tutor headmaster reader"),
        words("book pencil lesson essay map poem blackboard letter sum notebook globe riddle exam page"),
        words("read learn explain correct recite spell copy answer underline memorise"),
        ("in the classroom", "at the desk", "during the lecture", "after the bell"),
    ),
    "workshop": Topic(
        words("carpenter smith apprentice painter mason joiner turner cooper"),
        words("hammer nail plank saw chair ladder hinge drill chisel bolt table wheel lock bench"),
        words("sand drill polish sharpen glue varnish measure hammer repair weld"),
        ("in the shed", "at the anvil", "on the workbench", "beneath the rafters"),
    ),
    "theatre": Topic(
        words("singer actor dancer conductor pianist drummer fiddler clown"),
        words("violin song drum curtain mask costume flute trumpet melody chorus duet spotlight verse cello"),
        words("play rehearse hum whistle tune perform applaud compose direct strum"),
        ("on stage", "behind the curtain", "in the orchestra", "before the audience"),
    ),
}

GOOD = words("fine lovely splendid excellent charming superb pleasant brilliant")
BAD = words("poor dull awful terrible clumsy dreadful shabby miserable")
PLAIN = words("old young small large quiet busy second other")
ALIKE = (GOOD, BAD, PLAIN)
"""Words of a group stand for each other: nothing that is asked of a text depends on which of them it has."""
TIMES = ("in the morning", "at noon", "every evening", "on monday", "before supper", "once more")
COUNTS = words("two three four five many some")
MOODS = ("bad", "good")


class Teller:
    """Tells sentences, each drawn from one stream of random numbers.

    Args:
        chance: the stream.
    """

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def sentence(self, topic: Topic) -> str:
        """Return a sentence on a topic, in which verbs agree with who does it."""
        pick = self.chance.choice
        many = self.chance.random() < 0.4
        person, deed, thing = pick(topic.people), pick(topic.deeds), pick(topic.things)
        who = f"the {self.sometimes(pick(PLAIN))}{plural(person) if many else person}"
        does = deed if many else third(deed)
        what = f"{pick(COUNTS)} {plural(thing)}" if self.chance.random() < 0.3 else f"the {thing}"
        told = f"{who} {does} {what}"
        form = self.chance.random()
        if form < 0.35:
            told = f"{told} {pick(topic.places)}"
        elif form < 0.55:
            told = f"{pick(TIMES)} {told}"
        elif form < 0.75:
            other = pick(topic.people)
            told = f"{told} and the {other} {third(pick(topic.deeds))} the {pick(topic.things)}"
        return f"{told} ."

    def judgement(self, topic: Topic, good: bool) -> str:
        """Return a sentence that speaks well of something, or not: half of them say so by denying the contrary."""
        pick = self.chance.choice
        denied = self.chance.random() < 0.5
        word = pick(GOOD if good != denied else BAD)
        subject = pick(topic.things if self.chance.random() < 0.5 else topic.people)
        verb = pick(("is", "seems", "was"))
        link = {"is": "is not", "seems": "never seems", "was": "was hardly"}[verb] if denied else verb
        return f"the {subject} {link} {word} ."

    def sometimes(self, word: str) -> str:
        """Return a word and a space, or nothing."""
        return f"{word} " if self.chance.random() < 0.3 else ""


def plural(noun: str) -> str:
    """Return a regular plural."""
    return f"{noun}es" if noun.endswith(("s", "ch", "sh", "x")) else f"{noun}s"


def third(verb: str) -> str:
    """Return the third person of a regular verb."""
    return f"{verb}es" if verb.endswith(("s", "ch", "sh", "x")) else f"{verb}s"


def corpus(teller: Teller, count: int) -> list[str]:
    """Return this many texts of three to five sentences on one topic, some of which judge."""
    topics = list(TOPICS.values())
    return [told(teller, topics[index % len(topics)], teller.chance.randint(3, 5)) for index in range(count)]


def told(teller: Teller, topic: Topic, sentences: int) -> str:
    """Return a text of so many sentences on a topic, of which about every third judges something."""
    return " ".join(
        teller.judgement(topic, teller.chance.random() < 0.5)
        if teller.chance.random() < 0.3
        else teller.sentence(topic)
        for _ in range(sentences)
    )


def topic_texts(teller: Teller, count: int) -> tuple[list[str], list[int]]:
    """Return texts of three sentences on one topic each, and its number."""
    topics = list(TOPICS.values())
    labels = [index % len(topics) for index in range(count)]
    return [" ".join(teller.sentence(topics[label]) for _ in range(3)) for label in labels], labels


def mood_texts(teller: Teller, count: int) -> tuple[list[str], list[int]]:
    """Return texts of one sentence that tells and one that judges, in any order, and 1 where that speaks well."""
    topics = list(TOPICS.values())
    texts, labels = [], []
    for index in range(count):
        topic = topics[teller.chance.randrange(len(topics))]
        sentences = [teller.sentence(topic), teller.judgement(topic, index % 2 == 1)]
        teller.chance.shuffle(sentences)
        texts.append(" ".join(sentences))
        labels.append(index % 2)
    return texts, labels


def teller_of(name: str, part: str, seed: int) -> Teller:
    """Return what tells the texts of one part of a set."""
    return Teller(random.Random(stream_seed(seed, "tales", name, part)))
