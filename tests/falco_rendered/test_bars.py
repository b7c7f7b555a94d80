from pathlib import Path

import numpy as np
import pytest
import torch

from falco_core.bundles.bundle import load_bundle
from falco_core.bundles.save import save_bundle
from falco_core.errors import BundleError
from falco_core.networks.config import ProbeConfig
from falco_core.networks.probe import Probe
from falco_core.networks.stylegan2 import Generator
from falco_rendered.bars import (
    Extent,
    Figure,
    balanced_pairs,
    fine_energy,
    frechet_distance,
    measure_bars,
    table,
    tone_gap,
    verification_accuracy,
)
from falco_rendered.parameters import ATTRIBUTES, LATENT_SIZE


def test_a_bar_is_met_from_its_own_value_on_and_never_by_no_number() -> None:
    assert Figure("x", 0.7, 0.7, 1).reached and Figure("x", 4.0, 4.0, 1, at_most=True).reached
    assert not Figure("x", 0.69, 0.7, 1).reached and not Figure("x", 4.1, 4.0, 1, at_most=True).reached
    assert not Figure("x", float("nan"), 0.7, 1).reached and not Figure("x", float("nan"), 4.0, 1, at_most=True).reached
    assert [line.split()[0] for line in table([Figure("x", 1, 0, 1), Figure("y", -1, 0, 1)]).splitlines()[1:]] == [
        "ok",
        "BELOW",
    ]


def test_the_frechet_distance_of_known_distributions() -> None:
    one = torch.randn(20_000, 3, generator=torch.Generator().manual_seed(0))
    assert frechet_distance(one, one) == pytest.approx(0.0, abs=1e-9)
    assert frechet_distance(one, one + 2.0) == pytest.approx(12.0, rel=1e-6)
    # sqrt of 9 C is 3 times that of C, so that the trace term is (3 - 1)^2 trace C.
    assert frechet_distance(one, 3.0 * (one - one.mean(0)) + one.mean(0)) == pytest.approx(12.0, rel=0.03)


def test_a_blurred_picture_has_less_fine_energy() -> None:
    pictures = torch.rand(4, 3, 32, 32)
    blurred = torch.nn.functional.avg_pool2d(pictures, 3, stride=1, padding=1)
    assert fine_energy(torch.full((1, 3, 32, 32), 0.3)) == pytest.approx(0.0, abs=1e-12)
    assert fine_energy(blurred) < 0.3 * fine_energy(pictures)
    assert fine_energy(2 * pictures) == pytest.approx(4 * fine_energy(pictures), rel=1e-4)


def test_the_tone_gap_is_that_of_the_third_found_least() -> None:
    tones = np.linspace(0, 1, 300)[np.random.default_rng(0).permutation(300)]
    found = np.ones(300, dtype=bool)
    assert tone_gap(found, tones) == 0.0
    found[np.argsort(tones)[:10]] = False
    assert tone_gap(found, tones) == pytest.approx(0.1)


def test_verification_tells_separable_pairs_apart_and_no_others() -> None:
    draw = torch.Generator().manual_seed(0)
    apart = verification_accuracy(torch.rand(500, generator=draw) + 1.0, torch.rand(500, generator=draw))
    assert apart > 0.99
    alike = verification_accuracy(torch.rand(500, generator=draw), torch.rand(500, generator=draw))
    assert 0.42 < alike < 0.58


def test_pairs_are_balanced_and_of_the_right_people() -> None:
    identities = torch.arange(20).repeat_interleave(4)
    embeddings = torch.nn.functional.one_hot(identities).float()
    own, strangers = balanced_pairs(embeddings, identities)
    assert len(own) == len(strangers) == 20 * 6
    assert own.min() == 1.0 and strangers.max() == 0.0


def test_a_report_measures_every_line_of_a_bundle(tiny_bundle_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no attribute probe"):
        next(measure_bars(tiny_bundle_folder, Extent(2, 2)))
    tiny = load_bundle(tiny_bundle_folder)
    probe = Probe(ProbeConfig(architecture="resnet10t", input_size=32, attributes=ATTRIBUTES))
    save_bundle(
        tmp_path / "bundle",
        name="random",
        version="0",
        licence="MIT",
        source="random weights",
        optimize_layers=tiny.spec.optimize_layers,
        learning_rate=0.03,
        thresholds=tiny.spec.thresholds,
        generator=Generator(tiny.generator.config.model_copy(update={"z_dim": LATENT_SIZE})),
        encoder=tiny.encoder,
        recogniser=tiny.recogniser,
        heldout=tiny.heldout,
        farl=tiny.farl,
        probe=probe,
    )
    figures = list(measure_bars(tmp_path / "bundle", Extent(people=12, pictures=12), say=lambda _: None))
    assert len(figures) == 21
    assert all(np.isfinite(figure.value) for figure in figures)
    faces = {figure.what: figure.value for figure in figures}
    assert faces["MTCNN finds exactly one face: generated, psi 0.7"] == 0.0
    assert faces["all shipped weights"] == pytest.approx(
        sum(path.stat().st_size for path in (tmp_path / "bundle").glob("*.safetensors")) / 1e6
    )
