"""Generator of photograph-like pictures: a mountain lake with enough detail to compress like a real photograph."""

import math
from dataclasses import dataclass
from itertools import accumulate, pairwise
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
Point = tuple[float, float]

HORIZON = 0.60  # fraction of the height
STEP = 1 / 256  # distance between two points of a ridge, as a fraction of the width
# Per ridge: mean height above the horizon and relief, as fractions of the height, and nearness from 0 (far) to 1.
RIDGES = ((0.185, 0.20, 0.0), (0.130, 0.14, 0.35), (0.075, 0.08, 0.68), (0.028, 0.035, 0.95))


@dataclass(frozen=True, slots=True)
class Light:
    """Lighting at a time of day: the colours of the sky from top to horizon, sun or moon, clouds, land and water.

    `sun` is the position of sun or moon in fractions of width and height, `disc` its radius in fractions of the width.
    `grain` is the number of clouds horizontally and vertically.
    """

    sky: tuple[Colour, ...]
    sun: Point
    disc: float
    sunlight: Colour
    glow: float
    cloud: Colour
    cover: float
    grain: tuple[int, int]
    far: Colour
    near: Colour
    water: Colour
    stars: int = 0
    lamps: bool = False


EVENING = Light(
    sky=((38, 62, 118), (84, 108, 165), (168, 140, 172), (238, 172, 140), (255, 204, 138), (255, 224, 170)),
    sun=(0.63, 0.335),
    disc=0.045,
    sunlight=(255, 236, 190),
    glow=0.85,
    cloud=(255, 190, 160),
    cover=0.50,
    grain=(2, 7),
    far=(150, 122, 152),
    near=(20, 30, 44),
    water=(34, 52, 84),
)
NIGHT = Light(
    sky=((6, 10, 30), (10, 20, 52), (18, 38, 78), (34, 66, 104), (62, 100, 128)),
    sun=(0.30, 0.17),
    disc=0.035,
    sunlight=(236, 240, 250),
    glow=0.45,
    cloud=(96, 226, 168),
    cover=0.56,
    grain=(9, 1),
    far=(40, 66, 98),
    near=(5, 9, 17),
    water=(6, 14, 34),
    stars=420,
    lamps=True,
)


def generate(size: tuple[int, int], light: Light, seed: int) -> Image.Image:
    """Generate the picture in RGB. The seed determines mountains, clouds and trees."""
    random = Random(seed)  # noqa: S311 - not used for security
    horizon = int(size[1] * HORIZON)
    air = _sky(size, light, random)
    _mountains(air, horizon, light, random)
    picture = _add_water(air, horizon, light, random)
    _shore(picture, light, random)
    return _add_grain(picture, random)


# --- sky ------------------------------------------------------------------------------------------------------


def _sky(size: tuple[int, int], light: Light, random: Random) -> Image.Image:
    sky = _gradient(size, light.sky)
    _stars(sky, light.stars, random)
    sky.paste(light.cloud, mask=_clouds(size, light, random))
    sky.paste(light.sunlight, mask=_glow(size, light))
    x, y, radius = light.sun[0] * size[0], light.sun[1] * size[1], light.disc * size[0]
    disc = Image.new("L", size)
    ImageDraw.Draw(disc).ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    sky.paste(light.sunlight, mask=disc.filter(ImageFilter.GaussianBlur(radius / 24)))
    return sky


def _gradient(size: tuple[int, int], colours: tuple[Colour, ...]) -> Image.Image:
    """Return a vertical gradient of the colours from the top to the horizon, with the last colour below it."""
    column = Image.new("RGB", (1, len(colours)))
    column.putdata(colours)
    horizon = int(size[1] * HORIZON)
    whole = Image.new("RGB", size, colours[-1])
    whole.paste(column.resize((size[0], horizon), Image.Resampling.BICUBIC))
    return whole


def _stars(sky: Image.Image, count: int, random: Random) -> None:
    draw = ImageDraw.Draw(sky)
    for _ in range(count):
        x, y = random.uniform(0, sky.width), sky.height * HORIZON * random.random() ** 1.3
        bright, radius = random.randint(120, 255), sky.width * random.choice((0.0004, 0.0007, 0.0011))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(bright, bright, 255))


def _glow(size: tuple[int, int], light: Light) -> Image.Image:
    """Return the mask of the sun's glow, strongest at the sun."""
    ball = Image.radial_gradient("L").point([int(255 * light.glow * max(0.0, 1 - v / 180) ** 2.4) for v in range(256)])
    side = int(max(size) * 1.1)
    glow = Image.new("L", size)
    glow.paste(
        ball.resize((side, side), Image.Resampling.BICUBIC),
        (int(light.sun[0] * size[0] - side / 2), int(light.sun[1] * size[1] - side / 2)),
    )
    return glow


def _clouds(size: tuple[int, int], light: Light, random: Random) -> Image.Image:
    """Return the mask of the clouds, thinner towards the top and the horizon."""
    noise = _noise(size, light.grain, 6, random)
    floor = int(255 * (1 - light.cover))
    banks = noise.point([min(215, max(0, (v - floor) * 4)) for v in range(256)])
    bell = Image.new("L", (1, 64))
    bell.putdata([int(255 * math.sin(math.pi * min(1.0, row / 64 / HORIZON)) ** 1.5) for row in range(64)])
    return ImageChops.multiply(banks, bell.resize(size, Image.Resampling.BICUBIC))


def _noise(size: tuple[int, int], cells: tuple[int, int], octaves: int, random: Random) -> Image.Image:
    """Return fractal noise around 128: each octave has twice the frequency and half the strength of the previous."""
    noise = _random_grey(cells, random).resize(size, Image.Resampling.BICUBIC)
    for octave in range(1, octaves):
        finer = _random_grey((cells[0] << octave, cells[1] << octave), random)
        noise = Image.blend(noise, finer.resize(size, Image.Resampling.BICUBIC), 0.5 / (1 + 0.25 * octave))
    return noise


def _random_grey(size: tuple[int, int], random: Random) -> Image.Image:
    return Image.frombytes("L", size, random.randbytes(size[0] * size[1]))


# --- land -----------------------------------------------------------------------------------------------------


def _mountains(picture: Image.Image, horizon: int, light: Light, random: Random) -> None:
    """Draw the ridges from far to near, the far ones paler and the near ones with trees."""
    for base, relief, nearness in RIDGES:
        ridge = _ridge(picture.size, horizon - base * picture.height, relief * picture.height, random)
        mask = Image.new("L", picture.size)
        draw = ImageDraw.Draw(mask)
        draw.polygon([*ridge, (picture.width, picture.height), (0, picture.height)], fill=255)
        if nearness > 0.5:
            _forest(draw, ridge, picture.width * 0.011 * nearness, random)
        picture.paste(_slope(picture.size, _mix(light.far, light.near, nearness), light, random), mask=mask)


def _ridge(size: tuple[int, int], height: float, relief: float, random: Random) -> list[Point]:
    """Return a line across the picture from left to right, generated by midpoint displacement."""
    heights = [random.uniform(-0.5, 0.5), random.uniform(-0.5, 0.5)]
    spread = 1.0
    while len(heights) * STEP < 1:
        middles = [(a + b) / 2 + random.uniform(-spread, spread) / 2 for a, b in pairwise(heights)]
        heights = [point for pair in zip(heights, [*middles, 0.0], strict=True) for point in pair][:-1]
        spread *= 0.5
    return [(size[0] * i / (len(heights) - 1), height - relief * rise) for i, rise in enumerate(heights)]


def _slope(size: tuple[int, int], colour: Colour, light: Light, random: Random) -> Image.Image:
    """Return a textured slope of this colour, paler towards the foot, where the haze is."""
    rough = _noise(size, (12, 18), 6, random).point([max(0, min(90, 128 - v)) for v in range(256)])
    slope = Image.new("RGB", size, colour)
    slope.paste(_mix(colour, (0, 0, 0), 0.6), mask=rough)
    haze = Image.new("L", (1, 32))
    haze.putdata([int(max(0.0, min(1.0, (row / 32 - HORIZON + 0.2) * 4)) * 80) for row in range(32)])
    slope.paste(_mix(light.sky[-1], colour, 0.35), mask=haze.resize(size, Image.Resampling.BICUBIC))
    return slope


def _forest(draw: ImageDraw.ImageDraw, ridge: list[Point], tallest: float, random: Random) -> None:
    for (x, y), (next_x, _) in pairwise(ridge):
        for _ in range(3):
            height = tallest * random.uniform(0.45, 1.0)
            _pine(draw, random.uniform(x, next_x), y + height * 0.15, height, 255)


def _pine(draw: ImageDraw.ImageDraw, x: float, foot: float, height: float, fill: int | Colour) -> None:
    """Draw a conifer of five tiers with its foot at (x, foot)."""
    for tier in range(5):
        top, bottom = foot - height * (1 - 0.15 * tier), foot - height * (0.68 - 0.15 * tier)
        half = height * (0.07 + 0.045 * tier)
        draw.polygon([(x, top), (x - half, bottom), (x + half, bottom)], fill=fill)


def _mix(one: Colour, other: Colour, share: float) -> Colour:
    """Blend two colours; `share` is the share of the other one."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


# --- water and shore ------------------------------------------------------------------------------------------


def _add_water(air: Image.Image, horizon: int, light: Light, random: Random) -> Image.Image:
    """Return the picture with the lake below the horizon: the upper part mirrored, tinted and rippled."""
    width, depth = air.width, air.height - horizon
    mirrored = air.crop((0, 0, width, horizon)).transpose(Image.Transpose.FLIP_TOP_BOTTOM).resize((width, depth))
    deep = Image.linear_gradient("L").point([60 + int(v * 0.55) for v in range(256)]).resize((width, depth))
    mirrored.paste(light.water, mask=deep)
    picture = air.copy()
    picture.paste(_ripple(mirrored, random), (0, horizon))
    _glitter(picture, horizon, light, random)
    return picture


def _ripple(water: Image.Image, random: Random) -> Image.Image:
    """Displace each row slightly, by waves that grow towards the viewer."""
    width, height = water.size
    phases = accumulate(0.55 / (1 + 9 * row / height) + random.uniform(-0.02, 0.02) for row in range(height))
    rippled = water.copy()
    for row, phase in enumerate(phases):
        near = 0.15 + row / height
        wave = math.sin(phase * 3) + 0.6 * math.sin(phase * 7.3 + 1)
        source = min(height - 1, max(0, row + round(wave * near * height * 0.014)))
        aside = round(math.sin(phase * 5.1) * near * width * 0.006)
        rippled.paste(ImageChops.offset(water.crop((0, source, width, source + 1)), aside, 0), (0, row))
    return rippled


def _glitter(picture: Image.Image, horizon: int, light: Light, random: Random) -> None:
    """Draw the sun's reflection: flat sparks below it, larger and denser towards the viewer."""
    mask = Image.new("L", picture.size)
    draw = ImageDraw.Draw(mask)
    for _ in range(900):
        near = random.random() ** 1.6
        y = horizon + near * (picture.height - horizon) * 0.95
        x = light.sun[0] * picture.width + random.gauss(0, 0.018 + 0.06 * near) * picture.width
        half, thin = picture.width * (0.003 + 0.014 * near) * random.random(), picture.height * (0.0003 + 0.0011 * near)
        draw.ellipse((x - half, y - thin, x + half, y + thin), fill=int(230 * light.glow * random.uniform(0.3, 1)))
    picture.paste(light.sunlight, mask=mask)


def _shore(picture: Image.Image, light: Light, random: Random) -> None:
    """Draw the near bank, dark against the water: grass, trees on the left, and a lit hut at night."""
    width, height = picture.size
    draw = ImageDraw.Draw(picture)
    dark = _mix(light.near, (0, 0, 0), 0.45)
    level = _ridge(picture.size, height * 0.92, height * 0.012, random)
    bank = [(x, y + x / width * height * 0.05) for x, y in level]
    draw.polygon([*bank, (width, height), (0, height)], fill=dark)
    _grass(draw, bank, height, dark, random)
    for x, tall in ((0.09, 0.50), (0.225, 0.33), (0.0, 0.36), (0.31, 0.17)):
        _tree(draw, x * width, height * 0.96, tall * height, dark, random)
    if light.lamps:
        _hut(draw, width * 0.78, height * 0.97, width * 0.12, dark)


def _grass(draw: ImageDraw.ImageDraw, bank: list[Point], height: float, colour: Colour, random: Random) -> None:
    for _ in range(2_500):
        x, y = random.choice(bank)
        x += random.uniform(-0.003, 0.003) * height
        lean, blade = random.gauss(0, 0.004) * height, height * random.uniform(0.006, 0.024)
        draw.polygon([(x, y + blade), (x + height * 0.0012, y + blade), (x + lean, y - blade)], fill=colour)


def _tree(draw: ImageDraw.ImageDraw, x: float, foot: float, height: float, colour: Colour, random: Random) -> None:
    """Draw a nearby conifer: a trunk with drooping branches on both sides."""
    draw.polygon([(x - height * 0.012, foot), (x + height * 0.012, foot), (x, foot - height)], fill=colour)
    for number in range(130):
        down = number / 130
        reach = height * (0.015 + 0.19 * down**0.85) * random.uniform(0.55, 1.1) * (1 if number % 2 else -1)
        y, droop = foot - height * (0.99 - 0.9 * down), height * 0.025 * random.uniform(0.5, 1.5)
        thick = height * (0.006 + 0.018 * down)
        tip, below = (x + reach, y + droop), (x + reach * 0.5, y + thick)
        draw.polygon([(x, y - thick), tip, below, (x, y + thick)], fill=colour)


def _hut(draw: ImageDraw.ImageDraw, x: float, foot: float, side: float, colour: Colour) -> None:
    eaves, ridge = foot - side * 0.48, foot - side * 0.95
    draw.rectangle((x, eaves, x + side, foot), fill=colour)
    draw.polygon([(x - side * 0.12, eaves), (x + side * 0.5, ridge), (x + side * 1.12, eaves)], fill=colour)
    for left in (0.18, 0.58):
        window = (x + side * left, foot - side * 0.34, x + side * (left + 0.24), foot - side * 0.1)
        draw.rectangle(window, fill=(255, 200, 110))


def _add_grain(picture: Image.Image, random: Random) -> Image.Image:
    """Return the picture with sensor noise in its brightness."""
    noise = _random_grey(picture.size, random).filter(ImageFilter.BoxBlur(1))
    grain = noise.point([106 + v * 44 // 255 for v in range(256)])
    return ImageChops.overlay(picture, Image.merge("RGB", (grain, grain, grain)))
