"""Does a judge judge? A network with damaged weights calls everyone a stranger, and would release everything."""

import numpy as np

from falco_core.errors import JudgeError
from falco_core.judges.recognisers import Judge
from falco_core.judges.similarity import similarity

SAME = 0.98
"""Least similarity of a face's embedding to its stored one: the same pixels, up to rounding on another device."""
EQUAL = 0.999
"""Similarity of pictures that a judge cannot tell apart."""


def check_judge(judge: Judge, pixels: np.ndarray, landmarks: list[np.ndarray], references: np.ndarray) -> None:
    """Try `judge` on faces whose answer is known; raises JudgeError in one sentence.

    pixels: an original photo uint8 [H, W, 3]; landmarks: its faces' [5, 2] each, at least one; references: float
    [F, E], what is stored of these faces. Looked at: that embeddings are numbers of natural length, that each face
    still is who it was stored as, that another picture in its place is someone else.
    """
    if len(landmarks) == 0 or len(references) != len(landmarks):
        raise JudgeError(f"judge {judge.name}: {len(landmarks)} faces and {len(references)} references to check it on")
    check_embeddings(judge, references, "a stored original")
    found = judge.embed(pixels, landmarks)
    check_embeddings(judge, found, "an original's face")
    again = float(similarity(judge.measure, found, references).min())
    if not again >= SAME:
        raise JudgeError(
            f"judge {judge.name}: an original embedded again is only {again:.2f} like its stored embedding, not 1: "
            "one of the two is damaged, or another network's"
        )
    other = judge.embed(other_picture(pixels), landmarks)
    check_embeddings(judge, other, "another picture")
    likest = float(similarity(judge.measure, found, other).max())
    if not likest < EQUAL:
        raise JudgeError(f"judge {judge.name}: a face and another picture come out equal: its weights are damaged")


def check_embeddings(judge: Judge, embeddings: np.ndarray, what: str) -> None:
    """Raise JudgeError unless embeddings [F, E] are finite and as long as the judge's are; `what` they are of."""
    lengths = np.linalg.norm(np.asarray(embeddings, dtype=np.float64), axis=1)
    least, largest = judge.norms
    for length in lengths:
        if not np.isfinite(length):
            raise JudgeError(f"judge {judge.name}: the embedding of {what} is not finite")
        if not least <= length <= largest:
            raise JudgeError(
                f"judge {judge.name}: the embedding of {what} has length {length:.3f}, not {least} to {largest}"
            )


def other_picture(pixels: np.ndarray) -> np.ndarray:
    """Nobody's face in the place of every face, uint8 as `pixels`: the negative, upside down, red and blue swapped.

    Made from the photo, so that a single face in a dataset is enough to try a judge on.
    """
    return np.ascontiguousarray(255 - pixels[::-1, :, ::-1])
