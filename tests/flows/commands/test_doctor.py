from falco_core.bundles import BundleEntry
from flows.commands import doctor
from flows.commands.doctor import examine


def test_the_doctor_finds_everything_in_a_sound_installation() -> None:
    findings = {finding.subject: finding for finding in examine()}
    assert all(finding.ok for finding in findings.values() if finding.needed), findings
    assert {
        "python",
        "torch",
        "prefect",
        "dvc",
        "device",
        "face finder",
        "judge dlib",
        "judge sface",
        "bundle mini",
    } <= set(findings)


def test_the_doctor_says_what_is_missing_and_how_to_get_it(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(doctor, "PACKAGES", ("no-such-package",))
    damaged = BundleEntry("mini", False, "encoder.safetensors is missing: install the bundle again")
    monkeypatch.setattr(doctor, "list_bundles", lambda: [damaged])
    findings = {finding.subject: finding for finding in examine()}
    assert not findings["no-such-package"].ok
    assert "pip install" in findings["no-such-package"].detail
    assert not findings["bundle mini"].ok
    assert "install the bundle again" in findings["bundle mini"].detail
