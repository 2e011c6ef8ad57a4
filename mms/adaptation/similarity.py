"""Structural similarity (SSIM) between a rendition and its original."""

from statistics import fmean

from PIL import Image, ImageMath

BLOCK = 8
# (0.01 x 255)^2 and (0.03 x 255)^2, the constants of the paper.
C1, C2 = 6.5025, 58.5225


def ssim(original: Image.Image, copy: Image.Image) -> float:
    """Return the mean structural similarity of the luminance of two pictures of equal size; 1.0 means identical.

    Wang, Bovik, Sheikh, Simoncelli: "Image Quality Assessment", IEEE Transactions on Image Processing 13(4),
    2004, with adjacent blocks of 8 x 8 pixels instead of a sliding window.
    """
    x, y = original.convert("L").convert("F"), copy.convert("L").convert("F")
    mean_x, mean_y = x.reduce(BLOCK), y.reduce(BLOCK)
    xx, yy, xy = _product(x, x).reduce(BLOCK), _product(y, y).reduce(BLOCK), _product(x, y).reduce(BLOCK)
    similarity: Image.Image = ImageMath.lambda_eval(
        lambda a: (
            (2 * a["mx"] * a["my"] + C1)
            * (2 * (a["xy"] - a["mx"] * a["my"]) + C2)
            / (a["mx"] * a["mx"] + a["my"] * a["my"] + C1)
            / (a["xx"] - a["mx"] * a["mx"] + a["yy"] - a["my"] * a["my"] + C2)
        ),
        mx=mean_x, my=mean_y, xx=xx, yy=yy, xy=xy,
    )  # fmt: skip
    return fmean(memoryview(similarity.tobytes()).cast("f"))


def _product(x: Image.Image, y: Image.Image) -> Image.Image:
    product: Image.Image = ImageMath.lambda_eval(lambda a: a["x"] * a["y"], x=x, y=y)
    return product
