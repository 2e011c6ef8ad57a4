"""Pictures of the demo, generated once: a 12-megapixel photograph, a logo with transparency, a small photograph."""

from io import BytesIO
from pathlib import Path

from PIL import ExifTags, Image, ImageDraw, ImageFont

from simulator.demo.picture_generator import EVENING, NIGHT, generate

PHOTOGRAPH = "evening.jpg"
LOGO = "logo.png"
SMALL_PHOTOGRAPH = "night.jpg"

# EXIF orientation of a camera held upright: the picture must be rotated by 90 degrees clockwise.
TURN_CLOCKWISE = 6
TEAL, SAND, CORAL = (16, 110, 122, 255), (255, 236, 200, 255), (240, 118, 84, 255)


def generate_missing(folder: Path) -> None:
    """Generate the pictures that are missing in the folder. The first run takes about five seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, create in {PHOTOGRAPH: photograph, LOGO: logo, SMALL_PHOTOGRAPH: small_photograph}.items():
        path = folder / name
        if not path.exists():
            # Rename the complete file, so that an interrupted run leaves no truncated picture.
            partial = path.with_suffix(".new")
            partial.write_bytes(create())
            partial.rename(path)


def photograph() -> bytes:
    """Return a JPEG of 4000x3000 pixels and about 2.5 MB, whose EXIF orientation requires a rotation."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = TURN_CLOCKWISE
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Demo", "Painted Lake 12"
    exif[ExifTags.Base.DateTime] = "2026:06:21 21:24:00"
    sensor = generate((3000, 4000), EVENING, seed=7).transpose(Image.Transpose.ROTATE_90)
    return _encode(sensor, "JPEG", quality=94, exif=exif)


def small_photograph() -> bytes:
    """Return a JPEG of 640x480 pixels that needs no adaptation for most handsets."""
    return _encode(generate((640, 480), NIGHT, seed=3), "JPEG", quality=82)


def logo() -> bytes:
    """Return a PNG of 900x900 pixels, transparent around the badge."""
    large = Image.new("RGBA", (1800, 1800))
    draw = ImageDraw.Draw(large)
    draw.ellipse((40, 40, 1760, 1760), fill=SAND, outline=TEAL, width=44)
    draw.ellipse((610, 250, 1190, 830), fill=CORAL)
    for number, colour in enumerate((TEAL, (42, 140, 150, 255), (92, 176, 178, 255))):
        _draw_wave(draw, 640 + 120 * number, colour)
    _draw_centred(draw, "LAKESIDE", 1190, 215, TEAL)
    _draw_centred(draw, "20% off in June", 1400, 112, CORAL)
    return _encode(large.resize((900, 900), Image.Resampling.LANCZOS), "PNG", optimize=True)


def _draw_wave(draw: ImageDraw.ImageDraw, top: int, colour: tuple[int, int, int, int]) -> None:
    """Draw a band of five arcs across the badge."""
    for left in range(400, 1400, 200):
        draw.arc((left, top, left + 200, top + 130), 180, 360, fill=colour, width=46)


def _draw_centred(
    draw: ImageDraw.ImageDraw, text: str, middle: int, size: int, colour: tuple[int, int, int, int]
) -> None:
    draw.text((900, middle), text, font=ImageFont.load_default(size), fill=colour, anchor="mm", stroke_width=3)


def _encode(picture: Image.Image, form: str, **options: object) -> bytes:
    file = BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()
