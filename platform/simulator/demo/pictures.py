"""The pictures of the demo, made once: a photograph of 12 megapixels, a logo with transparency, a small photograph."""

from io import BytesIO
from pathlib import Path

from PIL import ExifTags, Image, ImageDraw, ImageFont

from simulator.demo.landscape import EVENING, NIGHT, paint

PHOTOGRAPH = "evening.jpg"
LOGO = "logo.png"
SMALL = "night.jpg"

# The camera was held upright: its sensor lies on its side, and EXIF says to turn the picture by 90 degrees clockwise.
TURN_CLOCKWISE = 6
TEAL, SAND, CORAL = (16, 110, 122, 255), (255, 236, 200, 255), (240, 118, 84, 255)


def make(folder: Path) -> None:
    """Makes those that are missing in the folder; takes some five seconds the first time."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make_one in {PHOTOGRAPH: photograph, LOGO: logo, SMALL: small}.items():
        path = folder / name
        if not path.exists():
            # Renamed into place once complete, so that an interrupted run leaves no half picture behind.
            unfinished = path.with_suffix(".new")
            unfinished.write_bytes(make_one())
            unfinished.rename(path)


def photograph() -> bytes:
    """A JPEG of 4000x3000 pixels and some 2.5 MB, to be turned upright by its EXIF orientation."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = TURN_CLOCKWISE
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Demo", "Painted Lake 12"
    exif[ExifTags.Base.DateTime] = "2026:06:21 21:24:00"
    sensor = paint((3000, 4000), EVENING, seed=7).transpose(Image.Transpose.ROTATE_90)
    return _written(sensor, "JPEG", quality=94, exif=exif)


def small() -> bytes:
    """A JPEG of 640x480 pixels that needs no adaptation on most handsets."""
    return _written(paint((640, 480), NIGHT, seed=3), "JPEG", quality=82)


def logo() -> bytes:
    """A PNG of 900x900 pixels, transparent around the badge."""
    large = Image.new("RGBA", (1800, 1800))
    draw = ImageDraw.Draw(large)
    draw.ellipse((40, 40, 1760, 1760), fill=SAND, outline=TEAL, width=44)
    draw.ellipse((610, 250, 1190, 830), fill=CORAL)
    for number, colour in enumerate((TEAL, (42, 140, 150, 255), (92, 176, 178, 255))):
        _wave(draw, 640 + 120 * number, colour)
    _centred(draw, "LAKESIDE", 1190, 215, TEAL)
    _centred(draw, "20% off in June", 1400, 112, CORAL)
    return _written(large.resize((900, 900), Image.Resampling.LANCZOS), "PNG", optimize=True)


def _wave(draw: ImageDraw.ImageDraw, top: int, colour: tuple[int, int, int, int]) -> None:
    """A band of five arcs across the badge."""
    for left in range(400, 1400, 200):
        draw.arc((left, top, left + 200, top + 130), 180, 360, fill=colour, width=46)


def _centred(draw: ImageDraw.ImageDraw, text: str, middle: int, size: int, colour: tuple[int, int, int, int]) -> None:
    draw.text((900, middle), text, font=ImageFont.load_default(size), fill=colour, anchor="mm", stroke_width=3)


def _written(picture: Image.Image, form: str, **options: object) -> bytes:
    file = BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()
