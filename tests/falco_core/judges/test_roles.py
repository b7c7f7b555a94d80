from pathlib import Path

import pytest
import yaml

from falco_core.bundles import bundle_folder, load_spec
from falco_core.bundles.spec import BundleSpec
from falco_core.errors import BundleError, JudgeError, ParamsError
from falco_core.judges.roles import JudgedKind, Roles, deciding, roles_for
from falco_core.networks.heldout import FACENET
from falco_core.project.params import JudgesParams, parse_params


@pytest.fixture(scope="module")
def mini() -> BundleSpec:
    return load_spec("mini")


@pytest.fixture(scope="module")
def facenet(mini: BundleSpec) -> BundleSpec:
    """A bundle that says nothing of judges, with FaceNet held out, as `falco models convert` makes them."""
    document = mini.model_dump(mode="json", exclude={"judges"})
    document["networks"]["heldout"]["config"] |= {"architecture": FACENET, "embedding": 512}
    return BundleSpec.model_validate(document)


@pytest.mark.parametrize(
    ("found", "gate", "audit"),
    [
        ("real", ("dlib", "sface"), ()),
        ("rendered", ("rendered_heldout",), ()),
        ("unsure", ("dlib", "sface", "rendered_heldout"), ()),
    ],
)
def test_mini_judges_with_who_knows_the_people(
    mini: BundleSpec, found: JudgedKind, gate: tuple[str, ...], audit: tuple[str, ...]
) -> None:
    roles = roles_for(mini, JudgesParams(), found)
    assert (roles.objective, roles.gate, roles.audit) == ("recogniser", gate, audit)
    assert any("no auditor" in notice for notice in roles.notices) == (not audit)


def test_a_converted_bundle_gates_with_facenet_and_audits_with_dlib(facenet: BundleSpec) -> None:
    roles = roles_for(facenet, JudgesParams(), "real")
    assert (roles.gate, roles.audit, roles.notices) == (("facenet_vggface2",), ("dlib", "sface"), ())
    assert [roles.role_of(name) for name in roles.all] == ["objective", "gate", "audit", "audit"]


def test_a_gate_that_does_not_know_the_people_says_so(facenet: BundleSpec) -> None:
    roles = roles_for(facenet, JudgesParams(), "rendered")
    assert roles.gate == ("facenet_vggface2",)
    assert "no judge of the gate (facenet_vggface2) knows rendered people: its numbers prove little" in roles.notices
    assert roles.audit == ()
    assert (
        "no judge of the gate (facenet_vggface2) knows rendered people"
        in roles_for(facenet, JudgesParams(), "unsure").notices
    )


def test_the_user_overrules_kind_and_judges(mini: BundleSpec) -> None:
    assert roles_for(mini, JudgesParams(kind="real"), "rendered").gate == ("dlib", "sface")
    chosen = roles_for(mini, JudgesParams(gate=("rendered_heldout",), audit=("dlib",)), "real")
    assert (chosen.gate, chosen.audit) == (("rendered_heldout",), ("dlib",))
    assert any("no judge of the gate (rendered_heldout) knows real people" in notice for notice in chosen.notices)
    unknowing = roles_for(mini, JudgesParams(audit=("rendered_heldout",)), "real")
    assert any("auditor rendered_heldout does not know real" in notice for notice in unknowing.notices)


def test_a_judge_taken_for_the_gate_leaves_the_bundles_audit(facenet: BundleSpec) -> None:
    roles = roles_for(facenet, JudgesParams(gate=("dlib",)), "real")
    assert (roles.gate, roles.audit) == (("dlib",), ("sface",))


def test_an_auditor_that_gates_is_refused(mini: BundleSpec) -> None:
    with pytest.raises(JudgeError, match="gate and audit"):
        roles_for(mini, JudgesParams(audit=("dlib",)), "real")
    with pytest.raises(JudgeError, match="recogniser is optimized against"):
        Roles("recogniser", ("recogniser",), ())


@pytest.mark.parametrize(
    "judges",
    [
        {"gate": ["recogniser"]},
        {"gate": []},
        {"gate": ["dlib"], "audit": ["dlib"]},
        {"gate": ["dlib", "dlib"]},
        {"gate": ["dlib"], "audit": ["arcface"]},
    ],
)
def test_wrong_judges_are_one_line_in_params_and_bundles(tmp_path: Path, judges: dict[str, list[str]]) -> None:
    with pytest.raises(ParamsError, match="judges") as wrong:
        parse_params({"input": {"photos": "x"}, "judges": judges}, source="params.yaml")
    assert "\n" not in str(wrong.value)
    document = yaml.safe_load((bundle_folder("mini") / "bundle.yaml").read_text())
    (tmp_path / "bundle.yaml").write_text(yaml.safe_dump({**document, "judges": judges}))
    with pytest.raises(BundleError, match="judges") as refused:
        load_spec(tmp_path)
    assert "\n" not in str(refused.value)


def test_a_bundle_names_its_own_judges(mini: BundleSpec) -> None:
    spec = BundleSpec.model_validate(
        {**mini.model_dump(mode="json"), "judges": {"gate": ["rendered_heldout"], "audit": ["dlib"]}}
    )
    assert roles_for(spec, JudgesParams(), "real").audit == ("dlib",)


@pytest.mark.parametrize(
    ("people", "face", "decide"),
    [
        ("unsure", "real", ("dlib",)),
        ("unsure", "rendered", ("rendered_heldout",)),
        ("unsure", "unsure", ("dlib", "rendered_heldout")),
        # One stray face does not change who judges a dataset of one kind.
        ("real", "rendered", ("dlib", "rendered_heldout")),
    ],
)
def test_among_both_kinds_of_people_a_face_is_judged_by_those_that_know_it(
    people: JudgedKind, face: JudgedKind, decide: tuple[str, ...]
) -> None:
    roles = Roles("recogniser", ("dlib", "rendered_heldout"), (), people)
    assert deciding(roles, face) == decide
