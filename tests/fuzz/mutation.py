"""Mutation of valid inputs into nearly valid ones, which reach deeper into a parser than random bytes."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

BYTES_MAX = 20_000  # per input, for thousands of inputs per second; large inputs have tests of their own
VALUE = re.compile(rb"(?<=>)[^<>]{1,80}(?=<)|(?<=\")[^\"]{0,80}(?=\")|(?<==)[^&=\s]{1,80}")
# Units that can be removed or repeated without breaking the syntax: an element, a JSON member on its own line, a pair.
UNIT = re.compile(rb"<([\w:-]+)(?:\s[^<>]*)?>[^<>]*</\1>\s*|(?<=\n)[^\n]+,\n|(?<=&)[^&\s]+&")


@dataclass(frozen=True, slots=True)
class FuzzInput:
    """One input: the parser it is for, its Content-Type and its bytes."""

    parser: str
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Corpus:
    """The material for inputs: valid seeds, special values, and fragments of syntax."""

    seeds: Sequence[FuzzInput]
    values: Sequence[bytes]
    pieces: Sequence[bytes]
    content_types: Sequence[str]


def mutate(corpus: Corpus, rng: Random) -> FuzzInput:
    """Return a seed with one to five mutations, all well-formed half of the time; sometimes change the Content-Type."""
    seed = rng.choice(corpus.seeds)
    body, mutations = seed.body, rng.choice((WELL_FORMED, (*WELL_FORMED, *ARBITRARY)))
    for _ in range(rng.choice((1, 1, 2, 3, 5))):
        body = rng.choice(mutations)(body, corpus, rng)[:BYTES_MAX]
    return replace(seed, content_type=_content_type(seed, corpus, rng), body=body)


def _content_type(seed: FuzzInput, corpus: Corpus, rng: Random) -> str:
    kind = rng.random()
    if kind < 0.8:
        return seed.content_type
    if kind < 0.95:
        return rng.choice(corpus.content_types)
    noise = rng.choice(corpus.pieces).decode("latin-1")
    start, end = _random_range(seed.content_type.encode(), rng)
    return re.sub(r"[\x00-\x1f\x7f]", " ", seed.content_type[:start] + noise[:200] + seed.content_type[end:])


def _random_range(body: bytes, rng: Random) -> tuple[int, int]:
    """Return a random range in the body, mostly a short one."""
    start = rng.randint(0, len(body))
    return start, min(len(body), start + int(rng.expovariate(1 / 20)))


def _fragment(corpus: Corpus, rng: Random) -> bytes:
    return rng.choice(corpus.pieces) if rng.random() < 0.8 else rng.randbytes(rng.randint(1, 8))


def _insert(body: bytes, corpus: Corpus, rng: Random) -> bytes:
    place = rng.randint(0, len(body))
    return body[:place] + _fragment(corpus, rng) + body[place:]


def _replace(body: bytes, corpus: Corpus, rng: Random) -> bytes:
    start, end = _random_range(body, rng)
    return body[:start] + _fragment(corpus, rng) + body[end:]


def _replace_value(body: bytes, corpus: Corpus, rng: Random) -> bytes:
    """Replace the value of an element, an attribute, a string or a pair."""
    values = list(VALUE.finditer(body))
    if not values:
        return _insert(body, corpus, rng)
    chosen = rng.choice(values)
    return body[: chosen.start()] + rng.choice(corpus.values) + body[chosen.end() :]


def _remove_unit(body: bytes, corpus: Corpus, rng: Random) -> bytes:
    chosen = _random_unit(body, rng)
    return body[: chosen.start()] + body[chosen.end() :] if chosen else body


def _repeat_unit(body: bytes, corpus: Corpus, rng: Random) -> bytes:
    chosen = _random_unit(body, rng)
    return body[: chosen.end()] + chosen[0] * rng.choice((1, 2, 20)) + body[chosen.end() :] if chosen else body


def _move_unit(body: bytes, corpus: Corpus, rng: Random) -> bytes:
    """Move a unit to the start of an earlier one."""
    chosen, place = _random_unit(body, rng), _random_unit(body, rng)
    if not chosen or not place or place.start() > chosen.start():
        return body
    rest = body[: chosen.start()] + body[chosen.end() :]
    return rest[: place.start()] + chosen[0] + rest[place.start() :]


def _random_unit(body: bytes, rng: Random) -> re.Match[bytes] | None:
    units = list(UNIT.finditer(body))
    return rng.choice(units) if units else None


def _remove(body: bytes, corpus: Corpus, rng: Random) -> bytes:
    start, end = _random_range(body, rng)
    return body[:start] + body[end:]


def _repeat(body: bytes, corpus: Corpus, rng: Random) -> bytes:
    start, end = _random_range(body, rng)
    return body[:start] + body[start:end] * rng.choice((2, 3, 10, 300)) + body[end:]


def _move(body: bytes, corpus: Corpus, rng: Random) -> bytes:
    start, end = _random_range(body, rng)
    rest = body[:start] + body[end:]
    place = rng.randint(0, len(rest))
    return rest[:place] + body[start:end] + rest[place:]


def _flip_bit(body: bytes, corpus: Corpus, rng: Random) -> bytes:
    if not body:
        return body
    place = rng.randrange(len(body))
    return body[:place] + bytes([body[place] ^ (1 << rng.randrange(8))]) + body[place + 1 :]


def _splice(body: bytes, corpus: Corpus, rng: Random) -> bytes:
    """Join the beginning of this input with the end of another."""
    other = rng.choice(corpus.seeds).body
    return body[: rng.randint(0, len(body))] + other[rng.randint(0, len(other)) :]


def _truncate(body: bytes, corpus: Corpus, rng: Random) -> bytes:
    return body[: rng.randint(0, len(body))]


Mutations = Sequence[Callable[[bytes, Corpus, Random], bytes]]

WELL_FORMED: Mutations = (_replace_value, _replace_value, _replace_value, _remove_unit, _repeat_unit, _move_unit)
ARBITRARY: Mutations = (_insert, _replace, _remove, _repeat, _move, _flip_bit, _splice, _truncate)
