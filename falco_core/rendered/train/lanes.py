"""Which recipe needs what, for how many minutes, and how all of them run on two cores."""

import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import load_file
from torch import nn

from falco_core.bundles.catalogue import bundle_folder
from falco_core.bundles.save import save_network
from falco_core.networks.arcface import Recogniser
from falco_core.networks.e4e import Encoder
from falco_core.networks.farl import Farl
from falco_core.networks.heldout import HeldOutRecogniser
from falco_core.networks.probe import Probe
from falco_core.networks.stylegan2 import Generator
from falco_core.rendered.train import sets
from falco_core.rendered.train.cache import Cached, RenderSet, render_set
from falco_core.rendered.train.calibrate import Networks, calibrate
from falco_core.rendered.train.encoder import encoder_config, train_encoder
from falco_core.rendered.train.farl import farl_config, train_farl
from falco_core.rendered.train.generator import generator_config, train_generator
from falco_core.rendered.train.probe import probe_config, train_probe
from falco_core.rendered.train.recogniser import (
    heldout_config,
    recogniser_config,
    train_heldout,
    train_recogniser,
)

MINUTES = {"generator": 32.0, "heldout": 8.0, "farl": 10.0, "probe": 8.0, "recogniser": 14.0, "encoder": 12.0}
"""Budgets on one core of a server of 2026 (the encoder: two)."""
LANES = (("generator",), ("recogniser", "farl", "heldout", "probe"))
"""Run side by side, one thread each; encoder and calibration follow when both are done."""
NAMES = ("renders", *MINUTES, "calibrate", "all")
VERSION = "1"
_RENDERED: tuple[RenderSet, ...] = (sets.TEST_PEOPLE, sets.RECOGNISER_PEOPLE, sets.HELDOUT_PEOPLE, sets.PORTRAITS)

Network = TypeVar("Network", bound=nn.Module)


def run(name: str, work: Path, *, minutes: float | None, threads: int, out: Path | None = None) -> None:
    """Run one recipe, or `all`; `minutes` is that recipe's budget (for `all`: the sum over both lanes' longest)."""
    torch.set_num_threads(threads)
    if name == "all":
        _run_all(work, minutes=minutes, threads=threads, out=out)
    elif name == "renders":
        _render_all(work, processes=threads)
    elif name == "calibrate":
        _calibrate(work, out or bundle_folder("mini"))
    else:
        network = _train(name, work, MINUTES[name] if minutes is None else minutes)
        save_network(network, _weights(work, name), half=False)


def _run_all(work: Path, *, minutes: float | None, threads: int, out: Path | None) -> None:
    scale = 1.0 if minutes is None else minutes / (MINUTES["generator"] + MINUTES["encoder"])
    _render_all(work, processes=threads)
    with ThreadPoolExecutor(len(LANES)) as pool:
        for lane in [pool.submit(_run_lane, lane, work, scale, max(threads // 2, 1)) for lane in LANES]:
            lane.result()
    _run_lane(("encoder",), work, scale, threads)
    _calibrate(work, out or bundle_folder("mini"))


def _run_lane(names: Sequence[str], work: Path, scale: float, threads: int) -> None:
    for name in names:
        if not _weights(work, name).exists():
            options = ["--work", str(work), "--minutes", str(MINUTES[name] * scale), "--threads", str(threads)]
            subprocess.run([sys.executable, "-m", "falco_core.rendered.train", name, *options], check=True)


def _render_all(work: Path, *, processes: int) -> None:
    with ProcessPoolExecutor(processes, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for job in [pool.submit(_render, chosen, work) for chosen in reversed(_RENDERED)]:
            job.result()


def _render(chosen: RenderSet, work: Path) -> None:
    render_set(chosen, work, size=sets.SIZE)


def _open(chosen: RenderSet, work: Path) -> Cached:
    return render_set(chosen, work, size=sets.SIZE)


def _train(name: str, work: Path, minutes: float) -> nn.Module:
    test = _open(sets.TEST_PEOPLE, work)
    if name == "recogniser":
        return train_recogniser(_open(sets.RECOGNISER_PEOPLE, work), test, work, minutes=minutes)
    if name == "heldout":
        return train_heldout(_open(sets.HELDOUT_PEOPLE, work), test, work, minutes=minutes)
    portraits = _open(sets.PORTRAITS, work)
    if name == "generator":
        return train_generator(portraits, test, work, minutes=minutes)
    if name == "probe":
        return train_probe(portraits, test, work, minutes=minutes)
    if name == "farl":
        return train_farl(portraits, test, work, minutes=minutes)
    generator, recogniser = _trained_generator(work), _trained_recogniser(work)
    return train_encoder(portraits, test, work, generator, recogniser, minutes=minutes)


def _calibrate(work: Path, out: Path) -> None:
    generator = _trained_generator(work)
    networks = Networks(
        generator=generator,
        encoder=_read(Encoder(encoder_config(generator)), work, "encoder"),
        recogniser=_trained_recogniser(work),
        heldout=_read(HeldOutRecogniser(heldout_config()), work, "heldout"),
        farl=_read(Farl(farl_config()), work, "farl"),
        probe=_read(Probe(probe_config()), work, "probe"),
    )
    portraits, test = _open(sets.PORTRAITS, work), _open(sets.TEST_PEOPLE, work)
    print(calibrate(networks, portraits, test, out, version=VERSION), flush=True)


def _trained_generator(work: Path) -> Generator:
    return _read(Generator(generator_config()), work, "generator")


def _trained_recogniser(work: Path) -> Recogniser:
    return _read(Recogniser(recogniser_config()), work, "recogniser")


def _read(network: Network, work: Path, name: str) -> Network:
    path = _weights(work, name)
    if not path.is_file():
        raise SystemExit(f"{path} is missing: run `python -m falco_core.rendered.train {name} --work {work}` first")
    network.load_state_dict(load_file(path))
    return network.eval().requires_grad_(False)


def _weights(work: Path, name: str) -> Path:
    return work / f"{name}.safetensors"
