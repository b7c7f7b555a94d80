"""Anonymize one photo.

python examples/one_photo.py street.jpg anonymized.jpg
"""

import sys
from pathlib import Path

from falco_core.anonymizer import Anonymizer


def main(source: str, target: str) -> None:
    """Write the anonymized photo, or say why there is none."""
    result = Anonymizer("mini").photo(Path(source).read_bytes())
    if result.data is None:
        sys.exit(f"{source} is withheld: {result.reason} ({result.detail})")
    Path(target).write_bytes(result.data)
    for check in result.checks:
        print(check.face, check.treatment, check.cause or "")


if __name__ == "__main__":
    main(*sys.argv[1:])
