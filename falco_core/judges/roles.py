"""Who gets which role: the objective never judges, the gate must know the people in the photos, an auditor only counts.

The rule: of the judges that the bundle names (or params.yaml instead), those act that know the kind of people. In
doubt about the kind all of the gate's act: a face that either of them recognises does not go out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from falco_core.bundles.spec import BundleSpec, JudgeName, JudgesSpec, judges_conflict
from falco_core.errors import JudgeError
from falco_core.networks.heldout import FACENET
from falco_core.project.params import JudgesParams

OBJECTIVE = "recogniser"
"""The network that is optimized against, in every bundle."""

KIND_JUDGE = "dlib"
"""Its embeddings tell real people from rendered ones, whoever judges (`judges.kind`)."""

JudgedKind = Literal["real", "rendered", "unsure"]

KNOWS: dict[JudgeName, Literal["real", "rendered"]] = {
    "dlib": "real",
    "sface": "real",
    "facenet_vggface2": "real",
    "rendered_heldout": "rendered",
}
"""The kind of people each judge was trained on."""

OF_FACENET = JudgesSpec(gate=("facenet_vggface2",), audit=("dlib", "sface"))
OF_RENDERED = JudgesSpec(gate=("dlib", "sface", "rendered_heldout"))
"""What bundles have that name no judges, by their held-out network."""


@dataclass(frozen=True)
class Roles:
    """Names of judges by role, and what is to be said about them."""

    objective: str
    gate: tuple[str, ...]
    audit: tuple[str, ...]
    people: JudgedKind = "unsure"
    notices: tuple[str, ...] = ()
    """Sentences for the run's summary and the report: no auditor, judges that do not know these people."""

    def __post_init__(self) -> None:
        if self.objective in (*self.gate, *self.audit):
            raise JudgeError(f"{self.objective} is optimized against: it cannot judge")
        if not self.gate:
            raise JudgeError("no judge in the gate: name one in judges.gate")
        if problem := judges_conflict(self.gate, self.audit):
            raise JudgeError(f"judges: {problem}")

    def role_of(self, judge: str) -> Literal["objective", "gate", "audit"]:
        """The role of a judge that has one; raises KeyError."""
        if judge == self.objective:
            return "objective"
        if judge in self.gate:
            return "gate"
        if judge in self.audit:
            return "audit"
        raise KeyError(judge)

    @property
    def all(self) -> tuple[str, ...]:
        """Every judge that embeds faces, the objective first."""
        return (self.objective, *self.gate, *self.audit)


def roles_for(spec: BundleSpec, params: JudgesParams, found: JudgedKind) -> Roles:
    """The roles for photos of `found` people (falco_core.judges.kind), which `judges.kind` overrules.

    Judges that params.yaml names act whoever is in the photos; where that leaves one in the gate and the audit, it
    leaves the audit of the bundle's. Raises JudgeError in one line.
    """
    kind: JudgedKind = found if params.kind == "auto" else params.kind
    declared = declared_judges(spec)
    gate = params.gate or _fitting(declared.gate, kind) or declared.gate
    audit = params.audit
    if audit is None:
        audit = tuple(name for name in _fitting(declared.audit, kind) if name not in gate)
    elif problem := judges_conflict(gate, audit):
        raise JudgeError(f"judges.audit: {problem}")
    return Roles(OBJECTIVE, gate, audit, kind, tuple(_notices(gate, audit, kind)))


def deciding(roles: Roles, kind: JudgedKind) -> tuple[str, ...]:
    """Which of the gate's judges decide on a face of a person of `kind`.

    Where the photos show both kinds of people, those that know this one; in doubt, all.
    """
    if roles.people != "unsure" or kind == "unsure":
        return roles.gate
    knowing = [name for name, people in KNOWS.items() if people == kind]
    return tuple(name for name in roles.gate if name in knowing) or roles.gate


def acting_judges(spec: BundleSpec, params: JudgesParams) -> tuple[str, ...]:
    """Every judge that may act with these parameters, whoever is in the photos; what tells the kind of people, too."""
    declared = declared_judges(spec)
    named = (*declared.gate, *declared.audit, *(params.gate or ()), *(params.audit or ()))
    return tuple(dict.fromkeys((OBJECTIVE, KIND_JUDGE, *named)))


def declared_judges(spec: BundleSpec) -> JudgesSpec:
    """What bundle.yaml says, or what goes with the bundle's held-out network."""
    if spec.judges is not None:
        return spec.judges
    return OF_FACENET if spec.networks.heldout.config.architecture == FACENET else OF_RENDERED


def _fitting(names: Sequence[JudgeName], kind: JudgedKind) -> tuple[JudgeName, ...]:
    return tuple(name for name in names if kind in ("unsure", KNOWS[name]))


def _notices(gate: Sequence[JudgeName], audit: Sequence[JudgeName], kind: JudgedKind) -> list[str]:
    found = []
    if kind == "unsure":
        missing = [people for people in ("real", "rendered") if people not in {KNOWS[name] for name in gate}]
        found.append(
            "the photos show both kinds of people, or neither clearly: each face is judged by who knows such people"
        )
        found += [f"no judge of the gate ({', '.join(gate)}) knows {people} people" for people in missing]
    elif kind not in {KNOWS[name] for name in gate}:
        found.append(f"no judge of the gate ({', '.join(gate)}) knows {kind} people: its numbers prove little")
    strangers = [name for name in audit if kind not in ("unsure", KNOWS[name])]
    found += [f"the auditor {name} does not know {kind} people: its numbers prove little" for name in strangers]
    if not audit:
        found.append("no auditor: no recogniser that knows these people is left to count what the gate let through")
    return found
