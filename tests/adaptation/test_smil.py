import pytest

from mms.adaptation.smil import SmilSlide, build_smil, media_location, text_location

BOTH = SmilSlide(5, "slide1.jpg", "slide1.txt")
IMAGE = SmilSlide(8, "slide1.jpg", None)
TEXT = SmilSlide(2.5, None, "slide2.txt")


@pytest.mark.parametrize(
    ("slides", "screen", "document"),
    [
        (
            [BOTH],
            (240, 320),
            (
                b'<smil><head><layout><root-layout width="240" height="320" />'
                b'<region id="Image" left="0" top="0" width="240" height="213" fit="meet" />'
                b'<region id="Text" left="0" top="213" width="240" height="107" fit="scroll" />'
                b'</layout></head><body><par dur="5000ms"><img src="slide1.jpg" region="Image" />'
                b'<text src="slide1.txt" region="Text" /></par></body></smil>'
            ),
        ),
        (
            [BOTH],
            (640, 480),
            (
                b'<smil><head><layout><root-layout width="640" height="480" />'
                b'<region id="Image" left="0" top="0" width="320" height="480" fit="meet" />'
                b'<region id="Text" left="320" top="0" width="320" height="480" fit="scroll" />'
                b'</layout></head><body><par dur="5000ms"><img src="slide1.jpg" region="Image" />'
                b'<text src="slide1.txt" region="Text" /></par></body></smil>'
            ),
        ),
        (
            [IMAGE],
            (240, 320),
            (
                b'<smil><head><layout><root-layout width="240" height="320" />'
                b'<region id="Image" left="0" top="0" width="240" height="320" fit="meet" /></layout></head>'
                b'<body><par dur="8000ms"><img src="slide1.jpg" region="Image" /></par></body></smil>'
            ),
        ),
        (
            [TEXT],
            (176, 144),
            (
                b'<smil><head><layout><root-layout width="176" height="144" />'
                b'<region id="Text" left="0" top="0" width="176" height="144" fit="scroll" /></layout></head>'
                b'<body><par dur="2500ms"><text src="slide2.txt" region="Text" /></par></body></smil>'
            ),
        ),
        (
            [IMAGE, TEXT],
            (128, 128),
            (
                b'<smil><head><layout><root-layout width="128" height="128" />'
                b'<region id="Image" left="0" top="0" width="128" height="85" fit="meet" />'
                b'<region id="Text" left="0" top="85" width="128" height="43" fit="scroll" /></layout></head>'
                b'<body><par dur="8000ms"><img src="slide1.jpg" region="Image" /></par>'
                b'<par dur="2500ms"><text src="slide2.txt" region="Text" /></par></body></smil>'
            ),
        ),
        (
            [SmilSlide(1, 'a&b<"ü">.jpg', None)],
            (128, 96),
            (
                b'<smil><head><layout><root-layout width="128" height="96" />'
                b'<region id="Image" left="0" top="0" width="128" height="96" fit="meet" /></layout></head>'
                b'<body><par dur="1000ms"><img src="a&amp;b&lt;&quot;&#252;&quot;&gt;.jpg" region="Image" />'
                b"</par></body></smil>"
            ),
        ),
    ],
    ids=["portrait", "landscape", "image-only", "text-only", "image-then-text", "escapes"],
)
def test_smil_has_used_regions_and_one_par_per_slide(
    slides: list[SmilSlide], screen: tuple[int, int], document: bytes
) -> None:
    assert build_smil(tuple(slides), *screen) == document


def test_locations_are_built_from_slide_and_type() -> None:
    assert (media_location(1, "image/jpeg"), media_location(2, "image/png"), text_location(8)) == (
        "slide1.jpg",
        "slide2.png",
        "slide8.txt",
    )
