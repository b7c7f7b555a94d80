"""The middle of all rendered faces as dlib's recogniser sees them: `python -m falco_rendered.kind_centre`.

Prints the constant of falco_core/judges/kind.py. To be made anew when the renderer's faces have changed.
"""

import base64

import numpy as np

from falco_core.judges.dlib_judge import DlibJudge
from falco_core.photos.tensors import to_pixels
from falco_rendered.dataset import People
from falco_rendered.renderer import render_aligned
from falco_rendered.sensor import photograph

PEOPLE = People(count=200, views=1, seed=9001)
WIDTH = 100


def rendered_embeddings(people: People, *, size: int = 128) -> np.ndarray:
    """dlib's embeddings [N, 128] of people rendered at `size` px, from their exact landmarks."""
    judge, found, latents = DlibJudge(), [], people.latents()
    for row in range(len(latents)):
        render = render_aligned(latents[row : row + 1], size=size)
        picture = to_pixels(photograph(render.images, seed=people.seed, first=row))[0]
        found.append(judge.embed(picture, [render.landmarks[0].double().numpy()]))
    return np.concatenate(found)


def main() -> None:
    """Print the centre as lines of base64 (float16)."""
    centre = rendered_embeddings(PEOPLE).mean(axis=0).astype("<f2")
    text = base64.b64encode(centre.tobytes()).decode()
    for start in range(0, len(text), WIDTH):
        print(f'    "{text[start : start + WIDTH]}"')


if __name__ == "__main__":
    main()
