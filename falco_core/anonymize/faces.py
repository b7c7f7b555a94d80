"""Anonymizing faces with a bundle, as the parameters say."""

from collections.abc import Sequence
from functools import lru_cache

from falco_core.anonymize.attempts import Faces, Solved, anonymize
from falco_core.anonymize.rungs import Plan, Rung
from falco_core.anonymize.solver import Solver
from falco_core.bundles.bundle import Bundle
from falco_core.judges.plausible import Plausibility
from falco_core.judges.recognisers import Judge
from falco_core.photos.codec import png_of
from falco_core.project.params import Params
from falco_core.reasons import Cause
from falco_core.store.rows import Anonymized


def anonymize_faces(bundle: Bundle, params: Params, faces: Faces, gates: Sequence[Sequence[Judge]]) -> list[Solved]:
    """A new face for each face, or what became of the attempts; gates: per face, the judges that must not know it."""

    def solver_of(rung: Rung) -> Solver:
        changed = params.anonymize.model_copy(update={"margin": rung.margin})
        return Solver(bundle, changed, params.solver, layers=rung.layers)

    plan = Plan(
        attempts=params.anonymize.attempts,
        margin=params.anonymize.margin,
        layers=bundle.spec.optimize_layers,
        num_layers=bundle.spec.num_layers,
        # The released code knows the crop alone.
        objective="crop" if params.solver.reproduce_released_code else params.anonymize.objective,
        min_quality=params.compose.min_quality,
    )
    return anonymize(faces, solver_of, gates, _plausibility(str(bundle.device)), plan)


def anonymized_row(result: Solved) -> Anonymized:
    """What is kept of a face."""
    # A face that failed is drawn and counted before it is concealed, unless nothing can be drawn.
    crop = b"" if result.cause == Cause.NOT_FINITE else png_of(result.crop)
    seen = result.seen.to_bytes() if result.cause is None else b""
    return Anonymized(tuple(result.attempts), crop, seen, {"codes": result.code})


@lru_cache(maxsize=1)
def _plausibility(device: str) -> Plausibility:
    return Plausibility(device=device)
