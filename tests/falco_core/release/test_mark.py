import io
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from falco_core.photos.codec import Photo, encode_photo
from falco_core.release.mark import MARK, mark

PIXELS = np.random.default_rng(1).integers(0, 256, (30, 40, 3)).astype(np.uint8)
PROPERTY = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"
COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"


@pytest.mark.parametrize("photo_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "GIF", "HEIF"])
def test_readers_of_xmp_find_the_mark(photo_format: str) -> None:
    with Image.open(io.BytesIO(encode_photo(Photo(PIXELS, photo_format), xmp=mark(True)))) as image:
        packet = image.info["xmp"]
    tree = ElementTree.fromstring(packet if isinstance(packet, bytes) else packet.encode())
    said = [(name, value) for element in tree.iter() for name, value in element.attrib.items() if value]
    assert said == [(PROPERTY, COMPOSITE)], "the mark, and nothing else"
    assert not [element.text for element in tree.iter() if element.text]


def test_a_photo_without_the_mark_has_no_xmp() -> None:
    assert mark(False) == b""
    assert b"xmp" not in encode_photo(Photo(PIXELS, "JPEG"), xmp=mark(False))
    assert MARK.count(b"\n") == 0
