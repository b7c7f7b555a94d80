"""Every recipe runs, goes on after a stop, and ends in a bundle that loads: on a few tiny pictures, for seconds."""

import json
import math
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from falco_core.bundles.bundle import load_bundle
from falco_core.networks.config import (
    EncoderConfig,
    FarlConfig,
    GeneratorConfig,
    HeldOutConfig,
    ProbeConfig,
    RecogniserConfig,
)
from falco_core.networks.stylegan2 import Generator
from falco_rendered.parameters import ATTRIBUTES, LATENT_SIZE, PARAMETERS
from falco_rendered.sensor import blurred
from falco_rendered.train.augment import cover, swap_surroundings
from falco_rendered.train.cache import Cached, RenderSet, joined, render_set
from falco_rendered.train.calibrate import Networks, calibrate
from falco_rendered.train.encoder import train_encoder
from falco_rendered.train.farl import train_farl
from falco_rendered.train.generator import train_generator
from falco_rendered.train.losses import face_error, fine_share, pyramid_loss, sharpness_loss
from falco_rendered.train.mapping import MIDDLE_LAYERS, told_values, write_mapping
from falco_rendered.train.patches import Critic
from falco_rendered.train.probe import balanced_accuracy, balanced_entropy, read_out, train_probe
from falco_rendered.train.recogniser import train_heldout, train_recogniser
from falco_rendered.train.schedule import Training, batches

MOMENT = 0.01  # minutes
GENERATOR = GeneratorConfig(
    resolution=64,
    z_dim=LATENT_SIZE,
    w_dim=192,
    mapping_layers=3,
    mapping_lr_multiplier=1.0,
    normalize_z=False,
    channel_base=256,
    channel_max=16,
)
CHANNELS, UNITS = (8, 8, 16, 16), (1, 1, 1, 1)
RECOGNISER = RecogniserConfig(frame_size=32, input_size=16, channels=CHANNELS, units=UNITS, embedding=16)
ENCODER = EncoderConfig(num_layers=10, w_dim=192, input_size=32, channels=CHANNELS, units=UNITS)
HELDOUT = HeldOutConfig(architecture="resnet10t", frame_size=32, input_size=32, embedding=16)
PROBE = ProbeConfig(architecture="resnet10t", input_size=32, attributes=ATTRIBUTES)
FARL = FarlConfig(image_size=32, patch_size=16, width=16, layers=1, heads=2, embedding=16)


def pictures(chosen: RenderSet, size: int = 64) -> Cached:
    """Smooth pictures that depend on the latents, made in no time."""
    latents = chosen.latents()
    coarse = latents[:, :48].reshape(-1, 3, 4, 4).tanh()
    images = nn.functional.interpolate(coarse, size=(size, size), mode="bilinear")
    pixels = ((images + 1.0) * 127.5).byte().numpy()
    return Cached(pixels, latents, chosen.identities())


@pytest.fixture(scope="module")
def people() -> Cached:
    return pictures(RenderSet("people", people=16, views=2, seed=1))


@pytest.fixture(scope="module")
def test_people() -> Cached:
    return pictures(RenderSet("test", people=12, views=2, seed=2))


def test_all_recipes_end_in_a_bundle_that_loads(people: Cached, test_people: Cached, tmp_path: Path) -> None:
    generator = train_generator(people, test_people, tmp_path, minutes=MOMENT, config=GENERATOR, batch=4)
    recogniser = train_recogniser(people, test_people, tmp_path, minutes=MOMENT, config=RECOGNISER, batch=8)
    heldout = train_heldout(people, test_people, tmp_path, minutes=MOMENT, config=HELDOUT, batch=8)
    farl = train_farl(people, test_people, tmp_path, minutes=MOMENT, config=FARL, batch=8)
    probe = train_probe(people, test_people, tmp_path, minutes=MOMENT, config=PROBE, batch=8)
    encoder = train_encoder(
        people, test_people, tmp_path, generator, recogniser, minutes=MOMENT, config=ENCODER, batch=4
    )
    networks = Networks(generator, encoder, recogniser, heldout, farl, probe)
    figures = calibrate(networks, people, test_people, tmp_path / "bundle", version="0", samples=4)
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle.spec.resolution == 64
    assert json.loads((tmp_path / "bundle" / "figures.json").read_text()) == figures
    assert (tmp_path / "bundle" / "sheet.png").stat().st_size > 0
    codes = bundle.encoder(test_people.batch(torch.arange(2)))
    assert bundle.generator.synthesize(codes).isfinite().all()
    assert bundle.probe is not None
    assert bundle.probe.found(test_people.batch(torch.arange(2))).shape == (2, len(ATTRIBUTES))


def test_the_critic_learns_to_tell_blur_from_sharpness_and_says_so_to_the_generator() -> None:
    torch.manual_seed(0)
    critic = Critic(torch.device("cpu"), learning_rate=2e-3)
    sharp = torch.randn(16, 3, 64, 64).clamp(-1, 1)
    blurred = nn.functional.avg_pool2d(sharp, 5, stride=1, padding=2).requires_grad_(True)
    first = float(critic.ask(blurred, sharp).detach())
    for _ in range(30):
        critic.ask(blurred, sharp)
        critic.learn()
    last = critic.ask(blurred, sharp)
    assert float(last.detach()) > first + 0.3
    (gradient,) = torch.autograd.grad(last, [blurred])
    assert gradient.abs().sum() > 0
    before = [weight.clone() for weight in critic.network.parameters()]
    critic.learn()
    critic.learn()
    changed = [weight.clone() for weight in critic.network.parameters()]
    assert any(not torch.equal(a, b) for a, b in zip(before, changed, strict=True))
    critic.learn()
    assert all(torch.equal(a, b) for a, b in zip(changed, critic.network.parameters(), strict=True))


def test_balanced_accuracy_is_a_half_for_a_constant_answer() -> None:
    truth = torch.tensor([[True, True], [False, True], [False, False], [False, True]])
    always = torch.ones(4, 2, dtype=torch.bool)
    torch.testing.assert_close(balanced_accuracy(always, truth), torch.tensor([0.5, 0.5]))
    torch.testing.assert_close(balanced_accuracy(truth, truth), torch.ones(2))
    found = torch.tensor([[True, True], [True, False], [False, False], [False, True]])
    torch.testing.assert_close(balanced_accuracy(found, truth), torch.tensor([(1 + 2 / 3) / 2, (2 / 3 + 1) / 2]))


def test_a_stopped_training_goes_on_where_it_was(people: Cached, test_people: Cached, tmp_path: Path) -> None:
    train_generator(people, test_people, tmp_path, minutes=MOMENT, config=GENERATOR, batch=4)
    first = torch.load(tmp_path / "generator.pt", weights_only=True)
    train_generator(people, test_people, tmp_path, minutes=2 * MOMENT, config=GENERATOR, batch=4)
    second = torch.load(tmp_path / "generator.pt", weights_only=True)
    assert second["number"] > first["number"] > 0
    assert second["used"] > first["used"]


def test_a_finished_training_is_not_repeated(tmp_path: Path) -> None:
    layer = nn.Linear(2, 2)
    parts = {"layer": layer, "optimizer": torch.optim.Adam(layer.parameters())}
    taken = [len(list(Training(tmp_path / "x.pt", parts, minutes=0.001, learning_rate=1e-3).steps())) for _ in range(2)]
    assert taken[0] > 0
    assert taken[1] == 0


def test_a_pass_shows_every_row_once() -> None:
    rows = torch.cat([batches(12, 4, step=step, seed=0) for step in range(3)])
    assert sorted(rows.tolist()) == list(range(12))


def test_w_tells_every_parameter_linearly() -> None:
    generator = Generator(GENERATOR)
    write_mapping(generator)
    z = torch.randn(3000, LATENT_SIZE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        w = generator.map(z)[:, :LATENT_SIZE]
    told = told_values(z)[:, :LATENT_SIZE]
    together = ((w - w.mean(0)) * (told - told.mean(0))).mean(0) / (w.std(0) * told.std(0))
    assert together.min() > 0.98
    assert (w.std(0) - 1.0).abs().max() < 0.2


def test_styles_start_around_one() -> None:
    generator = Generator(GENERATOR)
    write_mapping(generator)
    with torch.no_grad():
        styles = generator.layers[0].conv.style(generator.map(torch.randn(500, LATENT_SIZE)))
    assert abs(float(styles.mean()) - 1.0) < 0.1


def test_middle_layers_heed_the_middle_band_alone(people: Cached, test_people: Cached, tmp_path: Path) -> None:
    generator = train_generator(people, test_people, tmp_path, minutes=MOMENT, config=GENERATOR, batch=4)
    others = [index for index, parameter in enumerate(PARAMETERS) if parameter.band != "middle"]
    z = torch.randn(2, LATENT_SIZE)
    redrawn = z.clone()
    redrawn[:, others] = torch.randn(2, len(others))
    codes, middle = generator.broadcast(generator.map(z)), slice(*MIDDLE_LAYERS)
    mixed = codes.clone()
    mixed[:, middle] = generator.broadcast(generator.map(redrawn))[:, middle]
    assert torch.allclose(generator.synthesize(codes), generator.synthesize(mixed), atol=1e-5)


def test_rendering_goes_on_after_a_stop(tmp_path: Path) -> None:
    chosen = RenderSet("few", people=2, views=2, seed=3)
    whole = render_set(chosen, tmp_path, size=32)
    again = render_set(chosen, tmp_path, size=32)
    assert np.array_equal(whole.images, again.images)
    assert not np.array_equal(whole.images[0], whole.images[2])


def test_time_in_which_other_programs_compute_costs_no_steps(tmp_path: Path) -> None:
    layer = nn.Linear(2, 2)
    parts = {"layer": layer, "optimizer": torch.optim.Adam(layer.parameters())}
    training = Training(tmp_path / "x.pt", parts, minutes=0.5 / 60, learning_rate=1e-3)
    started = time.monotonic()
    for step in training.steps():
        if step.number == 0:
            time.sleep(1.0)
            assert step.share == 0.0
            continue
        assert step.share < 0.5, "sleeping counted"
        break
    assert time.monotonic() - started >= 1.0


def test_sets_are_joined_without_mixing_people_up() -> None:
    first, second = (pictures(RenderSet("any", people=3, views=2, seed=seed)) for seed in (1, 2))
    both = joined(first, second)
    assert both.identities.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert torch.equal(both.batch(torch.tensor([7])), second.batch(torch.tensor([1])))
    assert torch.equal(both.latents[7], second.latents[1])


def test_swapped_surroundings_keep_the_face_and_change_what_is_around_it() -> None:
    torch.manual_seed(0)
    images = torch.rand(8, 3, 64, 64) * 2 - 1
    changed = (swap_surroundings(images, share=1.0) - images).abs().mean(dim=1)
    assert changed[:, 28:44, 24:40].max() < 1e-6
    assert (changed[:, :6].mean(dim=(1, 2)) > 0.2).all()
    assert torch.equal(swap_surroundings(images, share=0.0), images)


def test_covers_reach_the_share_asked_for_and_leave_the_nose_alone() -> None:
    torch.manual_seed(0)
    images = torch.zeros(200, 3, 64, 64)
    covered = (cover(images, share=0.3) != 0).any(dim=1)
    assert 0.2 < covered.any(dim=(1, 2)).float().mean() < 0.4
    assert not covered[:, 36:40, 30:34].any()


def test_losses_look_at_the_face_alone() -> None:
    target = torch.zeros(1, 3, 128, 128)
    in_face, in_corner = target.clone(), target.clone()
    in_face[:, :, 70:80, 60:70] = 1.0
    in_corner[:, :, :10, :10] = 1.0
    face, corner = (float(pyramid_loss(generated=each, target=target)) for each in (in_face, in_corner))
    assert face > 20 * corner > 0
    assert face_error(in_corner, target) == 0.0
    assert face_error(torch.ones_like(target), target) == pytest.approx(1.0)


def test_fine_energy_of_a_blurred_picture_is_a_small_share_and_of_itself_the_whole() -> None:
    torch.manual_seed(0)
    picture = torch.rand(2, 3, 64, 64) * 2 - 1
    assert fine_share(picture, picture) == pytest.approx(1.0)
    assert fine_share(picture * 0.5, picture) == pytest.approx(0.25, rel=1e-3)
    assert fine_share(blurred(picture, 3.0), picture) < 0.01
    losses = [float(sharpness_loss(generated=picture * factor, target=picture)[0]) for factor in (0.25, 0.5, 1.0, 2.0)]
    assert losses == pytest.approx([math.log(16) ** 2, math.log(4) ** 2, 0.0, math.log(4) ** 2], rel=1e-3, abs=1e-6)


def test_both_sides_of_a_rare_attribute_weigh_as_much() -> None:
    truth = torch.tensor([[1.0], [0.0], [0.0], [0.0]])
    entropy = balanced_entropy(torch.zeros(4, 1), truth, share=truth.mean(dim=0))[:, 0]
    assert float(entropy[0]) == pytest.approx(float(entropy[1:].sum()))
    assert float(entropy.mean()) == pytest.approx(math.log(2))


def test_a_checkpoint_handed_on_without_its_optimizer_goes_on(tmp_path: Path) -> None:
    layer = nn.Linear(2, 2)
    parts = {"layer": layer, "optimizer": torch.optim.Adam(layer.parameters())}
    list(Training(tmp_path / "x.pt", parts, minutes=0.001, learning_rate=1e-3).steps())
    kept = torch.load(tmp_path / "x.pt", weights_only=True)
    del kept["states"]["optimizer"]
    kept["states"]["layer"] = {name: value.half() for name, value in kept["states"]["layer"].items()}
    torch.save(kept, tmp_path / "x.pt")
    other = nn.Linear(2, 2)
    again = Training(
        tmp_path / "x.pt",
        {"layer": other, "optimizer": torch.optim.Adam(other.parameters())},
        minutes=0.002,
        learning_rate=1e-3,
    )
    torch.testing.assert_close(other.weight, kept["states"]["layer"]["weight"].float())
    assert next(again.steps()).number == kept["number"]


def test_a_read_out_finds_what_lies_on_a_line_and_nothing_else() -> None:
    features = torch.randn(400, 8, generator=torch.Generator().manual_seed(0))
    rare, common = features[:, 0] > 1.3, features[:, 1] + 0.5 * features[:, 2] > 0
    chance = torch.rand(400, generator=torch.Generator().manual_seed(1)) > 0.5
    truth = torch.stack([rare, common, chance], dim=1)
    accuracy = balanced_accuracy(read_out(features[:200], truth[:200], features[200:]), truth[200:])
    assert accuracy[0] > 0.9 and accuracy[1] > 0.9
    assert 0.4 < accuracy[2] < 0.6
