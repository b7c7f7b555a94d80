"""The mark: released files say, in the words of the press, that they hold computer-made faces.

IPTC's digital source type in XMP, as image platforms and archives read it, and nothing else: no date, no tool, no name.
"""

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""A camera's picture with parts that a trained model made (IPTC NewsCodes, digital source type)."""
MARK = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    f'Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}"/>'
    '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
).encode()
"""The whole XMP packet, the same in every file: it says nothing of the photo that carries it."""


def mark(wanted: bool) -> bytes:
    """The packet that a released file carries: the mark, or nothing (`release.mark`)."""
    return MARK if wanted else b""
