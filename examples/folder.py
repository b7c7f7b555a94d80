"""Anonymize a folder of photos without a project: nothing is kept, nothing is compared across photos.

python examples/folder.py photos/ anonymized/
"""

import sys
from pathlib import Path

from falco_core.anonymizer import Anonymizer
from falco_core.photos.codec import output_name
from falco_core.photos.folder import list_photos


def main(source: str, target: str) -> None:
    """Write what may be given away, with the folders of the source; say what is withheld."""
    anonymizer = Anonymizer("mini")
    for name in list_photos(Path(source))[0]:
        result = anonymizer.photo(Path(source, name).read_bytes())
        if result.data is None:
            print(f"withheld: {name}: {result.reason}")
            continue
        path = Path(target, output_name(str(name), result.format))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(result.data)


if __name__ == "__main__":
    main(*sys.argv[1:])
