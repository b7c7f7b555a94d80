"""Why a photo is withheld: one closed list of codes, used in every table and every message."""

from enum import StrEnum


class Reason(StrEnum):
    """A photo with any of these never reaches the release folder."""

    FAILED = "failed"
    EMPTY_FILE = "empty_file"
    UNDECODABLE = "undecodable"
    ANIMATED = "animated"
    TOO_LARGE = "too_large"
    NO_FACE_FOUND = "no_face_found"
    FACE_TOO_SMALL = "face_too_small"
    NOT_FINITE = "not_finite"
    MARGIN_NOT_REACHED = "margin_not_reached"
    LEFTOVER_FACE = "leftover_face"
    STILL_RECOGNISABLE = "still_recognisable"
