"""Presentation of a message: SMIL as in the OMA MMS Conformance Document, with references resolved to parts."""

import re
from dataclasses import dataclass

from lxml import etree

from simulator import soap
from simulator.mime import Malformed, Part

DEFAULT_SECONDS = 5.0
KINDS = {"img": "image/", "text": "text/", "audio": "audio/", "video": "video/", "ref": ""}
_CLOCK = re.compile(r"(?:(\d+):)?(\d\d):(\d\d(?:\.\d+)?)|(\d+(?:\.\d+)?)(h|min|s|ms)?")
_UNITS = {"h": 3600.0, "min": 60.0, "s": 1.0, "ms": 0.001}


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle, in fractions of the layout's width and height."""

    name: str
    left: float
    top: float
    width: float
    height: float
    fit: str


@dataclass(frozen=True, slots=True)
class Item:
    """A part on a slide; `part` is its index among the message's parts, from 0."""

    part: int
    mime_type: str
    region: str | None


@dataclass(frozen=True, slots=True)
class Slide:
    seconds: float
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Presentation:
    """Layout and slides of a message. Width and height are in pixels, 0 if the message leaves them to the handset."""

    width: int
    height: int
    regions: tuple[Region, ...]
    slides: tuple[Slide, ...]


def parse(parts: tuple[Part, ...]) -> Presentation:
    """Return the presentation that the first part describes, or else a single slide of all parts.

    Raises Malformed.
    """
    if not parts or parts[0].mime_type != "application/smil":
        items = tuple(Item(number, part.mime_type, None) for number, part in enumerate(parts))
        return Presentation(0, 0, (), (Slide(DEFAULT_SECONDS, items),) if items else ())
    try:
        smil = soap.parse(parts[0].content)
    except ValueError as error:
        raise Malformed(f"SMIL: {error}") from error
    width, height, regions = _layout(smil)
    slides = tuple(_slide(par, parts, {region.name for region in regions}) for par in smil.findall(".//{*}par"))
    if not slides:
        raise Malformed("SMIL: no slide (par)")
    return Presentation(width, height, regions, slides)


def parse_clock_value(clock_value: str) -> float:
    """Return a SMIL 2.0 clock value in seconds. Raises Malformed."""
    match = _CLOCK.fullmatch(clock_value.strip())
    if match is None:
        raise Malformed(f"SMIL: {clock_value!r} is not a clock value")
    hours, minutes, rest, count, unit = match.groups()
    if count:
        return float(count) * _UNITS[unit or "s"]
    return int(hours or 0) * 3600 + int(minutes) * 60 + float(rest)


def _layout(smil: etree._Element) -> tuple[int, int, tuple[Region, ...]]:
    root = smil.find(".//{*}root-layout")
    width, height = (0, 0) if root is None else (_pixels(root.get("width")), _pixels(root.get("height")))
    regions = tuple(_region(region, width, height) for region in smil.findall(".//{*}region"))
    return width, height, regions


def _region(region: etree._Element, width: int, height: int) -> Region:
    name = region.get("id")
    if not name:
        raise Malformed("SMIL: a region has no id")
    return Region(
        name=name,
        left=_fraction(region.get("left", "0"), width),
        top=_fraction(region.get("top", "0"), height),
        width=_fraction(region.get("width", "100%"), width),
        height=_fraction(region.get("height", "100%"), height),
        fit=region.get("fit", "hidden"),
    )


def _pixels(length: str | None) -> int:
    """Return a length in pixels, or 0 for a percentage of the screen, which is left to the handset."""
    match = re.fullmatch(r"(\d+)(px)?|\d+%", (length or "0").strip())
    if match is None:
        raise Malformed(f"SMIL: {length!r} is not a length")
    return int(match.group(1) or 0)


def _fraction(length: str, whole: int) -> float:
    if length.strip().endswith("%"):
        try:
            return float(length.strip().removesuffix("%")) / 100
        except ValueError as error:
            raise Malformed(f"SMIL: {length!r} is not a length") from error
    pixels = _pixels(length)
    if pixels and not whole:
        raise Malformed(f"SMIL: a region of {length} in a layout without a size in pixels")
    return pixels / whole if whole else 0.0


def _slide(par: etree._Element, parts: tuple[Part, ...], regions: set[str]) -> Slide:
    media = [child for child in par.iterchildren(etree.Element) if etree.QName(child).localname in KINDS]
    duration = par.get("dur")
    return Slide(
        seconds=parse_clock_value(duration) if duration else DEFAULT_SECONDS,
        items=tuple(_item(element, parts, regions) for element in media),
    )


def _item(element: etree._Element, parts: tuple[Part, ...], regions: set[str]) -> Item:
    src, region, kind = element.get("src", ""), element.get("region"), etree.QName(element).localname
    names = [{part.location, f"cid:{part.content_id}"} for part in parts]
    number = next((number for number, known in enumerate(names) if src in known), None) if src else None
    if number is None:
        raise Malformed(f"SMIL: src {src!r} names no part")
    if region is not None and region not in regions:
        raise Malformed(f"SMIL: region {region!r} is not in the layout")
    if not parts[number].mime_type.startswith(KINDS[kind]):
        raise Malformed(f"SMIL: {kind} {src!r} is {parts[number].mime_type}")
    return Item(number, parts[number].mime_type, region)
