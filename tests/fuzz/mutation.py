"""Inputs that are nearly right: what is well-formed up to one place leads a parser the furthest in."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

BYTES_MAX = 20_000  # of an input, so that thousands are read in a second; the tests have the large ones
VALUE = re.compile(rb"(?<=>)[^<>]{1,80}(?=<)|(?<=\")[^\"]{0,80}(?=\")|(?<==)[^&=\s]{1,80}")
# What can go, or stand twice, and leave the rest as it should be: an element, a member on a line of its own, a pair.
UNIT = re.compile(rb"<([\w:-]+)(?:\s[^<>]*)?>[^<>]*</\1>\s*|(?<=\n)[^\n]+,\n|(?<=&)[^&\s]+&")


@dataclass(frozen=True, slots=True)
class Given:
    """One input: the door that it comes to, the Content-Type that it claims, its bytes."""

    door: str
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Corpus:
    """What inputs are made of: good ones to damage, values that mean something to somebody, pieces of the syntax."""

    seeds: Sequence[Given]
    values: Sequence[bytes]
    pieces: Sequence[bytes]
    content_types: Sequence[str]


def mutated(corpus: Corpus, rng: Random) -> Given:
    """A seed after one to five changes, of which half leave it well-formed; now and then under another Content-Type."""
    given = rng.choice(corpus.seeds)
    body, changes = given.body, rng.choice((MILD, (*MILD, *WILD)))
    for _ in range(rng.choice((1, 1, 2, 3, 5))):
        body = rng.choice(changes)(body, corpus, rng)[:BYTES_MAX]
    return replace(given, content_type=_content_type(given, corpus, rng), body=body)


def _content_type(given: Given, corpus: Corpus, rng: Random) -> str:
    kind = rng.random()
    if kind < 0.8:
        return given.content_type
    if kind < 0.95:
        return rng.choice(corpus.content_types)
    noise = rng.choice(corpus.pieces).decode("latin-1")
    start, end = _stretch(given.content_type.encode(), rng)
    return re.sub(r"[\x00-\x1f\x7f]", " ", given.content_type[:start] + noise[:200] + given.content_type[end:])


def _stretch(body: bytes, rng: Random) -> tuple[int, int]:
    """A place in it and one after that, mostly near."""
    start = rng.randint(0, len(body))
    return start, min(len(body), start + int(rng.expovariate(1 / 20)))


def _piece(corpus: Corpus, rng: Random) -> bytes:
    return rng.choice(corpus.pieces) if rng.random() < 0.8 else rng.randbytes(rng.randint(1, 8))


def _inserted(body: bytes, corpus: Corpus, rng: Random) -> bytes:
    place = rng.randint(0, len(body))
    return body[:place] + _piece(corpus, rng) + body[place:]


def _replaced(body: bytes, corpus: Corpus, rng: Random) -> bytes:
    start, end = _stretch(body, rng)
    return body[:start] + _piece(corpus, rng) + body[end:]


def _revalued(body: bytes, corpus: Corpus, rng: Random) -> bytes:
    """Another value in place of the text of an element, of an attribute, of a string or of a pair."""
    values = list(VALUE.finditer(body))
    if not values:
        return _inserted(body, corpus, rng)
    chosen = rng.choice(values)
    return body[: chosen.start()] + rng.choice(corpus.values) + body[chosen.end() :]


def _unit_gone(body: bytes, corpus: Corpus, rng: Random) -> bytes:
    chosen = _unit(body, rng)
    return body[: chosen.start()] + body[chosen.end() :] if chosen else body


def _unit_repeated(body: bytes, corpus: Corpus, rng: Random) -> bytes:
    chosen = _unit(body, rng)
    return body[: chosen.end()] + chosen[0] * rng.choice((1, 2, 20)) + body[chosen.end() :] if chosen else body


def _unit_moved(body: bytes, corpus: Corpus, rng: Random) -> bytes:
    """To where another begins."""
    chosen, place = _unit(body, rng), _unit(body, rng)
    if not chosen or not place or place.start() > chosen.start():
        return body
    rest = body[: chosen.start()] + body[chosen.end() :]
    return rest[: place.start()] + chosen[0] + rest[place.start() :]


def _unit(body: bytes, rng: Random) -> re.Match[bytes] | None:
    units = list(UNIT.finditer(body))
    return rng.choice(units) if units else None


def _removed(body: bytes, corpus: Corpus, rng: Random) -> bytes:
    start, end = _stretch(body, rng)
    return body[:start] + body[end:]


def _repeated(body: bytes, corpus: Corpus, rng: Random) -> bytes:
    start, end = _stretch(body, rng)
    return body[:start] + body[start:end] * rng.choice((2, 3, 10, 300)) + body[end:]


def _moved(body: bytes, corpus: Corpus, rng: Random) -> bytes:
    start, end = _stretch(body, rng)
    rest = body[:start] + body[end:]
    place = rng.randint(0, len(rest))
    return rest[:place] + body[start:end] + rest[place:]


def _flipped(body: bytes, corpus: Corpus, rng: Random) -> bytes:
    if not body:
        return body
    place = rng.randrange(len(body))
    return body[:place] + bytes([body[place] ^ (1 << rng.randrange(8))]) + body[place + 1 :]


def _crossed(body: bytes, corpus: Corpus, rng: Random) -> bytes:
    """The beginning of this one, the end of another."""
    other = rng.choice(corpus.seeds).body
    return body[: rng.randint(0, len(body))] + other[rng.randint(0, len(other)) :]


def _cut(body: bytes, corpus: Corpus, rng: Random) -> bytes:
    return body[: rng.randint(0, len(body))]


Changes = Sequence[Callable[[bytes, Corpus, Random], bytes]]

MILD: Changes = (_revalued, _revalued, _revalued, _unit_gone, _unit_repeated, _unit_moved)
WILD: Changes = (_inserted, _replaced, _removed, _repeated, _moved, _flipped, _crossed, _cut)
