"""Into how many buckets a dataset is divided: a bucket is a prefix of its photos' sha256."""

from collections.abc import Iterable

SIZES = ((4_000, 1), (250_000, 2))
"""Up to so many photos, so many hexadecimal digits: 16 and 256 buckets. Larger datasets have 4,096."""


def bucket_digits(photos: int) -> int:
    """Digits of the prefix for a dataset of so many photos."""
    return next((digits for limit, digits in SIZES if photos <= limit), 3)


def buckets_of(digests: Iterable[str], digits: int) -> tuple[str, ...]:
    """The buckets that photos with these sha256 are in, in order."""
    return tuple(sorted({digest[:digits] for digest in digests}))
