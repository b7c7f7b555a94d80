"""Why a photo is withheld, and why a face is concealed: closed lists of codes, used in every table and message."""

import errno
from datetime import UTC, datetime
from enum import StrEnum


class Reason(StrEnum):
    """A photo with any of these never reaches the release folder."""

    FAILED = "failed"
    EMPTY_FILE = "empty_file"
    UNDECODABLE = "undecodable"
    ANIMATED = "animated"
    SEVERAL_PAGES = "several_pages"
    """A TIFF file that holds more than a picture and smaller copies of it."""
    TOO_LARGE = "too_large"
    NO_FACE_FOUND = "no_face_found"
    FACE_NOT_REPLACED = "face_not_replaced"
    """`compose.otherwise: withhold`, and a face that would have been concealed."""
    LEFTOVER_FACE = "leftover_face"
    STILL_RECOGNISABLE = "still_recognisable"
    NEAR_ANOTHER_ORIGINAL = "near_another_original"
    """A new face turned out to be somebody of the dataset in the finished photo alone."""
    NOT_WHAT_WAS_DRAWN = "not_what_was_drawn"
    """The encoded file shows something else than what was put together."""
    DRAWN_BY_TRANSPARENCY = "drawn_by_transparency"
    """The alpha channel shows a face that cannot be taken out of it."""
    CARRIES_MORE = "carries_more"
    """The finished file holds more than its picture and the mark (`release.audit`)."""


class Cause(StrEnum):
    """A face with any of these is concealed instead of replaced."""

    TOO_SMALL = "too_small"
    CUT = "cut_by_the_border"
    TURNED_AWAY = "turned_away"
    COVERED = "covered"
    DOUBTFUL = "doubtful"
    """Perhaps no face at all, or one whose landmarks cannot be trusted."""
    NOT_FINITE = "not_finite"
    MARGIN_NOT_REACHED = "margin_not_reached"
    STILL_RECOGNISABLE = "still_recognisable"
    UNCHANGED = "unchanged"
    """The new picture shows what the old one did."""
    NEAR_ANOTHER_ORIGINAL = "near_another_original"
    """The new face is nearer to an original of the dataset than strangers are: to another photo of its own, perhaps."""
    IMPLAUSIBLE = "implausible"
    """Every new face came out broken: nobody is recognised in it, but nobody would take it for a face either."""
    MISSED_AT_FIRST = "missed_at_first"
    """Only the second look saw it."""


class Treatment(StrEnum):
    """What a face got."""

    REPLACED = "replaced"
    CONCEALED = "concealed"
    """By a mosaic."""
    BLANKED = "blanked"
    """By one colour: a mosaic was still recognised."""


_NO_MEMORY = ("allocate", "bad_alloc", "out of memory", "insufficient memory")
"""How PyTorch, OpenCV and onnxruntime say it: as plain RuntimeErrors, on a CPU."""
_NOT_THE_PHOTOS = frozenset(
    {errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EMFILE, errno.ENFILE}
)


def wants_memory(error: Exception) -> bool:
    """Whether an allocation failed, in whatever words."""
    said = str(error).lower()
    return _is_memory_error(error) or (not isinstance(error, OSError) and any(words in said for words in _NO_MEMORY))


def _is_memory_error(error: Exception) -> bool:
    # PyTorch's own class is told by its name: this module is imported before anything heavy is.
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


def failure_of(error: Exception) -> str:
    """What broke on one photo, in one line.

    Too little memory, a full disk or too many open files are no fault of the photo's and are raised again.
    """
    if _is_memory_error(error) or (isinstance(error, OSError) and error.errno in _NOT_THE_PHOTOS):
        raise error
    if wants_memory(error):
        raise MemoryError(f"too little memory: {' '.join(str(error).split())[:160]}") from error
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    # The time makes a second failure another one, so that whoever reads of it (and DVC) sees that it was tried again.
    return " ".join(f"{type(error).__name__}: {error} ({when})".split())
