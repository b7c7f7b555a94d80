"""The front door: anonymizes single photos, without a project.

    from falco_core.anonymizer import Anonymizer

    anonymizer = Anonymizer("mini")
    result = anonymizer.photo(Path("street.jpg").read_bytes())
    if result.data is not None:
        Path("anonymized.jpg").write_bytes(result.data)

What happens to a photo is what a project's stages do to it, judges and second look included. A project also compares
each new face with the originals of the whole dataset; here these are the photo's own.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ruamel.yaml.comments import CommentedMap

from falco_core.anonymize.attempts import Faces, Solved
from falco_core.anonymize.faces import anonymize_faces, anonymized_row
from falco_core.anonymize.inversion import Inverted, invert
from falco_core.anonymize.neighbours import FakePool
from falco_core.anonymize.pool import draw_fakes, seed_of
from falco_core.bundles.bundle import Bundle, load_bundle
from falco_core.errors import UnreadablePhoto
from falco_core.faces.aligned import align_photo, crops_of, masks_of, shares_of
from falco_core.faces.composing import Spot, climb_for, composed_row
from falco_core.faces.find import finder_for
from falco_core.faces.treatment import limits_of
from falco_core.judges.finished import near_before_composing, near_originals
from falco_core.judges.gallery import Gallery
from falco_core.judges.kind import kind_among, kinds_of_faces
from falco_core.judges.recognisers import judge_named
from falco_core.judges.roles import KIND_JUDGE, JudgedKind, Roles, acting_judges, deciding, roles_for
from falco_core.judges.seen import Seen
from falco_core.parallel import one_thread
from falco_core.photos.codec import Photo, decode_photo, output_format
from falco_core.project.document import set_value
from falco_core.project.params import Params, parse_params
from falco_core.reasons import Reason
from falco_core.store.rows import AlignedPhoto, Anonymized, Check, ComposedPhoto

Embeddings = Mapping[str, np.ndarray]
"""Per judge, what it sees of every face [F, E]."""


@dataclass(frozen=True)
class AnonymizedPhoto:
    """A photo that may be given away, or why there is none.

    data: the file, without metadata; None: it is withheld for `reason`. format: the file's, that of the original but
    where falco writes another (GIF becomes PNG, HEIC JPEG); empty where it could not be read. checks: what every face
    got, and what the second look saw of it.
    """

    data: bytes | None
    format: str
    reason: Reason | None
    detail: str
    checks: tuple[Check, ...]


class Anonymizer:
    """Anonymizes photos one at a time. Loads the bundle at once, and draws its pool of fakes with the first face."""

    def __init__(
        self, bundle: str | Path = "mini", settings: Mapping[str, Any] | None = None, *, device: str | None = None
    ) -> None:
        """bundle: a name or folder; settings: dotted keys of params.yaml, such as {"anonymize.margin": -0.1}.

        device: cpu or cuda; None: the GPU if there is one. Raises ParamsError and BundleError in one line.
        """
        self._params = _params(settings or {})
        chosen = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._bundle: Bundle = load_bundle(bundle, device=chosen)

    def photo(self, data: bytes) -> AnonymizedPhoto:
        """Anonymize a photo file's bytes. A photo that cannot be read or made safe is withheld with its reason.

        Raises JudgeError if a judge does not work: then nothing it said may be relied on.
        """
        with one_thread():
            return self._photo(data)

    def _photo(self, data: bytes) -> AnonymizedPhoto:
        try:
            photo = decode_photo(data, max_pixels=self._params.align.max_pixels)
        except UnreadablePhoto as error:
            return AnonymizedPhoto(None, "", error.reason, error.detail, ())
        name = hashlib.sha256(data).hexdigest()[:16]
        found = self._aligned(photo, name)
        if found.reason is not None:
            return AnonymizedPhoto(None, output_format(photo.format), found.reason, found.detail, ())
        inverted = invert(self._bundle, crops_of(found), masks_of(found))
        seen = self._seen(photo, found)
        roles, kinds = self._roles(found, seen[KIND_JUDGE])
        gates = [deciding(roles, kind) for kind in kinds]
        new = self._anonymized(found, inverted, seen, gates)
        row = self._composed(photo, name, found, seen, gates, new, roles)
        reason, detail = row.reason, row.detail
        if reason is None and (near := self._near_another(row, roles)):
            reason, detail = Reason.NEAR_ANOTHER_ORIGINAL, near
        return AnonymizedPhoto(
            row.file if reason is None else None, output_format(row.format), reason, detail, row.checks
        )

    def _aligned(self, photo: Photo, name: str) -> AlignedPhoto:
        align = self._params.align
        finder = finder_for(str(self._bundle.device), align.detection_threshold, align.smallest_face)
        return align_photo(photo, finder, limits_of(align), self._bundle.spec.resolution, name=name)

    def _seen(self, photo: Photo, found: AlignedPhoto) -> Embeddings:
        points = [np.asarray(face.landmarks).reshape(5, 2) for face in found.faces]
        names = acting_judges(self._bundle.spec, self._params.judges)
        return {name: judge_named(name, self._bundle).embed(photo.pixels, points) for name in names}

    def _roles(self, found: AlignedPhoto, seen: np.ndarray) -> tuple[Roles, Sequence[JudgedKind]]:
        kinds = kinds_of_faces(seen)
        whole = [kind for kind, face in zip(kinds, found.faces, strict=True) if face.cause is None]
        return roles_for(self._bundle.spec, self._params.judges, kind_among(Counter(whole or kinds))), kinds

    def _anonymized(
        self, found: AlignedPhoto, inverted: Sequence[Inverted], seen: Embeddings, gates: Sequence[tuple[str, ...]]
    ) -> dict[str, Anonymized]:
        """The new face of each face (id) that the generator replaces."""
        chosen = [number for number, face in enumerate(found.faces) if face.cause is None]
        if not chosen:
            return {}
        crops, masks = crops_of(found)[chosen], masks_of(found)[chosen]
        fakes, fake_codes = self._pool.nearest([inverted[number] for number in chosen])
        device = self._bundle.device
        faces = Faces(
            crops=crops,
            masks=masks,
            landmarks=np.stack([shares_of(found.faces[number]) for number in chosen]) * crops.shape[1],
            codes=torch.from_numpy(np.stack([inverted[number].arrays["codes"] for number in chosen])).to(device),
            fidelity=np.array([inverted[number].fidelity for number in chosen]),
            references=[[seen[judge][number] for judge in gates[number]] for number in chosen],
            fakes=fakes,
            fake_codes=torch.from_numpy(fake_codes).to(device),
        )
        judges = [[judge_named(judge, self._bundle) for judge in gates[number]] for number in chosen]
        solved: list[Solved] = anonymize_faces(self._bundle, self._params, faces, judges)
        return {found.faces[n].face: anonymized_row(result) for n, result in zip(chosen, solved, strict=True)}

    def _composed(
        self,
        photo: Photo,
        name: str,
        found: AlignedPhoto,
        seen: Embeddings,
        gates: Sequence[tuple[str, ...]],
        new: Mapping[str, Anonymized],
        roles: Roles,
    ) -> ComposedPhoto:
        climb, masks = climb_for(self._bundle, self._params, roles), masks_of(found)
        near = near_before_composing(
            [Gallery(judge, seen[judge.name]) for judge in climb.look.gate],
            [{face: Seen.from_bytes(row.seen) for face, row in new.items()}],
        )
        places = [
            Spot.of(face, gates[number], new.get(face.face), near).place(
                tuple(seen[judge.name][number] for judge in climb.look.judges),
                new.get(face.face),
                masks[number],
            )
            for number, face in enumerate(found.faces)
        ]
        return composed_row(climb.compose(photo, places, name=name), climb.look, photo_format=photo.format)

    def _near_another(self, row: ComposedPhoto, roles: Roles) -> str:
        """Which new face is nearer to an original of this photo than strangers ever are; empty if none is."""
        seen = Seen.from_bytes(row.seen)
        for judge in (judge_named(name, self._bundle) for name in roles.gate):
            for _, detail in near_originals(Gallery(judge, seen.of("original", judge.name)), row.checks, seen):
                return detail
        return ""

    @cached_property
    def _pool(self) -> "_Pool":
        return _Pool(self._bundle, self._params)


class _Pool:
    """The pool of fakes in memory."""

    def __init__(self, bundle: Bundle, params: Params) -> None:
        self._space, self._count = params.pair.space, params.anonymize.attempts
        seeds = [seed_of(params.sample.seed, number) for number in range(params.sample.count)]
        drawn = draw_fakes(bundle, seeds, params.sample.truncation)
        self._codes = np.stack([fake["codes"] for fake in drawn])
        self._index = FakePool(np.stack([fake[self._space] for fake in drawn]), params.pair.metric)

    def nearest(self, faces: Sequence[Inverted]) -> tuple[np.ndarray, np.ndarray]:
        """Numbers [N, K] and codes [N, K, L, D] of the fakes to be tried, nearest first."""
        features = np.stack([face.arrays[self._space] for face in faces])
        numbers, _ = self._index.nearest(features, self._count)
        return numbers, self._codes[numbers]


def _params(settings: Mapping[str, Any]) -> Params:
    document = CommentedMap({"input": CommentedMap({"photos": "."})})
    for key, value in settings.items():
        set_value(document, key.split("."), value, key)
    return parse_params(document, source="settings")
