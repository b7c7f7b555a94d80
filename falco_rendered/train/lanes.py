"""Which recipe needs what, for how many minutes, and how all of them run on two cores."""

import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import load_file
from torch import nn

from falco_core.bundles.bundle import load_bundle
from falco_core.bundles.catalogue import bundle_folder
from falco_core.bundles.save import add_start, rule_to_begin, save_network
from falco_core.networks.arcface import Recogniser
from falco_core.networks.e4e import Encoder
from falco_core.networks.farl import Farl
from falco_core.networks.heldout import HeldOutRecogniser
from falco_core.networks.probe import Probe
from falco_core.networks.stylegan2 import Generator
from falco_rendered.train import sets
from falco_rendered.train.cache import Cached, RenderSet, joined, render_set
from falco_rendered.train.calibrate import Networks, calibrate
from falco_rendered.train.encoder import encoder_config, train_encoder
from falco_rendered.train.farl import farl_config, train_farl
from falco_rendered.train.generator import generator_config, train_generator
from falco_rendered.train.probe import probe_config, train_probe
from falco_rendered.train.recogniser import (
    heldout_config,
    recogniser_config,
    train_heldout,
    train_recogniser,
)
from falco_rendered.train.start import STEPS_FROM_START, train_start

RECIPES = ("generator", "heldout", "farl", "probe", "recogniser", "encoder", "start")


@dataclass(frozen=True)
class Budget:
    """What `all` may take: minutes per recipe, which recipes run side by side, where, in how large batches.

    Lanes run at the same time, the recipes of a lane one after the other; the encoder follows when all are done, and
    the start when the bundle is written.
    """

    device: str
    minutes: dict[str, float]
    lanes: tuple[tuple[str, ...], ...]
    larger_batches: int = 1
    people: float = 1.0
    """Share of the people of `sets` that are rendered."""


BUDGETS = {
    "cpu": Budget(
        device="cpu",
        minutes={
            "generator": 100,
            "heldout": 22,
            "farl": 36,
            "probe": 12,
            "recogniser": 26,
            "encoder": 75,
            "start": 40,
        },
        lanes=(("generator",), ("recogniser", "farl", "heldout", "probe")),
    ),
    "gpu": Budget(
        device="cuda",
        minutes={
            "generator": 14,
            "heldout": 2.5,
            "farl": 3.5,
            "probe": 1.5,
            "recogniser": 2.5,
            "encoder": 4,
            "start": 3,
        },
        lanes=(("recogniser", "farl", "heldout", "probe", "generator"),),
        larger_batches=8,
    ),
    "trial": Budget(
        device="cpu",
        minutes=dict.fromkeys(RECIPES, 0.03),
        lanes=(("generator",), ("recogniser", "farl", "heldout", "probe")),
        people=0.005,
    ),
}
"""About four hours on two cores of a server of 2026, renders included; about half an hour on one GPU; two minutes to
see that everything runs, for a bundle that is good for nothing.
"""
NAMES = ("renders", *RECIPES, "calibrate", "all")
VERSION = "2.2"
_RENDERED: tuple[RenderSet, ...] = (sets.TEST_PEOPLE, sets.RECOGNISER_PEOPLE, sets.HELDOUT_PEOPLE, sets.PORTRAITS)

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Job:
    """A place to work in, and how: everything a recipe needs to know of its surroundings."""

    work: Path
    budget: str
    threads: int

    @property
    def terms(self) -> Budget:
        """What the budget says."""
        return BUDGETS[self.budget]

    def weights(self, name: str) -> Path:
        """The file of a trained network."""
        return self.work / f"{name}.safetensors"

    def open(self, chosen: RenderSet) -> Cached:
        """A rendered set; what is missing of it is rendered first."""
        people = max(int(chosen.people * self.terms.people), 8)
        return render_set(replace(chosen, people=people), self.work, size=sets.SIZE, device=self.terms.device)


def run(name: str, job: Job, *, minutes: float | None = None, out: Path | None = None) -> None:
    """Run one recipe, or `all`; `minutes` replaces that recipe's budget (for `all`: that of all together)."""
    torch.set_num_threads(job.threads)
    if name == "all":
        _run_all(job, minutes=minutes, out=out)
    elif name == "renders":
        _render_all(job)
    elif name == "calibrate":
        _calibrate(job, out or bundle_folder("mini"))
    elif name == "start":
        _start(job, job.terms.minutes[name] if minutes is None else minutes, out or bundle_folder("mini"))
    else:
        network = _train(name, job, job.terms.minutes[name] if minutes is None else minutes)
        save_network(network, job.weights(name), half=False)


def _run_all(job: Job, *, minutes: float | None, out: Path | None) -> None:
    longest = max(sum(job.terms.minutes[name] for name in lane) for lane in job.terms.lanes)
    last = job.terms.minutes["encoder"] + job.terms.minutes["start"]
    scale = 1.0 if minutes is None else minutes / (longest + last)
    _render_all(job)
    with ThreadPoolExecutor(len(job.terms.lanes)) as pool:
        threads = max(job.threads // len(job.terms.lanes), 1)
        for lane in [pool.submit(_run_lane, lane, job, scale, threads) for lane in job.terms.lanes]:
            lane.result()
    _run_lane(("encoder",), job, scale, job.threads)
    folder = out or bundle_folder("mini")
    _calibrate(job, folder)
    _start(job, job.terms.minutes["start"] * scale, folder)


def _run_lane(names: Sequence[str], job: Job, scale: float, threads: int) -> None:
    for name in names:
        if not job.weights(name).exists():
            options = ["--work", str(job.work), "--minutes", str(job.terms.minutes[name] * scale)]
            options += ["--threads", str(threads), "--budget", job.budget]
            subprocess.run([sys.executable, "-m", "falco_rendered.train", name, *options], check=True)


def _render_all(job: Job) -> None:
    if job.terms.device != "cpu":
        for chosen in _RENDERED:
            job.open(chosen)
        return
    with ProcessPoolExecutor(job.threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for rendered in [pool.submit(_render, chosen, job) for chosen in reversed(_RENDERED)]:
            rendered.result()


def _render(chosen: RenderSet, job: Job) -> None:
    job.open(chosen)


def _train(name: str, job: Job, minutes: float) -> nn.Module:
    test, work, larger = job.open(sets.TEST_PEOPLE), job.work, job.terms.larger_batches
    if name == "recogniser":
        people = job.open(sets.RECOGNISER_PEOPLE)
        return train_recogniser(people, test, work, minutes=minutes, batch=64 * larger)
    if name == "heldout":
        return train_heldout(job.open(sets.HELDOUT_PEOPLE), test, work, minutes=minutes, batch=64 * larger)
    portraits = job.open(sets.PORTRAITS)
    if name == "generator":
        return train_generator(portraits, test, work, minutes=minutes, batch=8 * larger)
    if name == "probe":
        return train_probe(_everybody(job), test, work, minutes=minutes, batch=48 * larger)
    if name == "farl":
        return train_farl(_everybody(job), test, work, minutes=minutes, batch=32 * larger)
    generator, recogniser = _trained_generator(job), _trained_recogniser(job)
    return train_encoder(portraits, test, work, generator, recogniser, minutes=minutes, batch=16 * larger)


def _everybody(job: Job) -> Cached:
    """For networks that say nothing of identity: all pictures there are, but those of the test people."""
    return joined(*(job.open(chosen) for chosen in (sets.PORTRAITS, sets.RECOGNISER_PEOPLE, sets.HELDOUT_PEOPLE)))


def _calibrate(job: Job, out: Path) -> None:
    generator = _trained_generator(job)
    networks = Networks(
        generator=generator,
        encoder=_read(Encoder(encoder_config(generator)), job, "encoder"),
        recogniser=_trained_recogniser(job),
        heldout=_read(HeldOutRecogniser(heldout_config()), job, "heldout"),
        farl=_read(Farl(farl_config()), job, "farl"),
        probe=_read(Probe(probe_config()), job, "probe"),
    )
    portraits, test = job.open(sets.PORTRAITS).on("cpu"), job.open(sets.TEST_PEOPLE).on("cpu")
    print(calibrate(networks, portraits, test, out, version=VERSION), flush=True)


def _start(job: Job, minutes: float, folder: Path) -> None:
    bundle = load_bundle(folder, device=job.terms.device)
    rule = rule_to_begin(bundle.spec, folder)
    start = train_start(bundle, job.work, minutes=minutes, batch=8 * job.terms.larger_batches)
    add_start(folder, start, steps=min(STEPS_FROM_START, rule.steps))


def _trained_generator(job: Job) -> Generator:
    return _read(Generator(generator_config()), job, "generator")


def _trained_recogniser(job: Job) -> Recogniser:
    return _read(Recogniser(recogniser_config()), job, "recogniser")


def _read(network: Network, job: Job, name: str) -> Network:
    path = job.weights(name)
    if not path.is_file():
        command = f"python -m falco_rendered.train {name} --work {job.work}"
        raise SystemExit(f"{path} is missing: run `{command}` first")
    network.load_state_dict(load_file(path))
    return network.eval().requires_grad_(False)
