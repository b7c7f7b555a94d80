"""`falco models`: which bundles there are, and how the published checkpoints become one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Annotated

import typer

from falco_core.bundles import list_bundles
from falco_core.bundles.catalogue import bundles_home, falco_home
from falco_core.bundles.official.registry import Registry, UpstreamFile, load_registry
from falco_core.errors import BundleError, FetchError

if TYPE_CHECKING:
    from falco_core.bundles.official.download import Progress

app = typer.Typer(no_args_is_help=True, help="Model bundles: list, fetch, convert, verify.")

RegistryFile = Annotated[
    Path | None,
    typer.Option(
        "--registry", envvar="FALCO_REGISTRY", help="YAML file whose entries replace or add to the registry's"
    ),
]
File = Annotated[Path | None, typer.Option(show_default=False)]


@app.command("list")
def list_models(registry: RegistryFile = None) -> None:
    """Show the bundles that are here, those that can be fetched, and every upstream file."""
    known = load_registry(registry)
    entries = list_bundles()
    print("Bundles")
    for entry in entries:
        print(f"  {entry.name:12} {'ready' if entry.ready else 'BROKEN':9} {entry.detail}")
    for name, recipe in known.bundles.items():
        if name not in [entry.name for entry in entries]:
            print(f"  {name:12} {'not here':9} {recipe.about}: falco models fetch {name}")
    print("\nUpstream files")
    for key, upstream in known.files.items():
        print("\n".join(_described(key, upstream)))


@app.command()
def fetch(
    bundle: Annotated[str, typer.Argument(help="A bundle of the registry, such as ffhq1024")],
    accept_licence: Annotated[bool, typer.Option("--accept-licence", help="You have read and accept them")] = False,
    to: Annotated[Path | None, typer.Option(help="Bundle folder; default: where `--bundle NAME` finds it")] = None,
    registry: RegistryFile = None,
) -> None:
    """Download a bundle's upstream files (resumable, checked by sha256) and convert them."""
    from falco_core.bundles.official.convert import About, OfficialFiles, convert_bundle

    known = load_registry(registry)
    if bundle not in known.bundles:
        raise FetchError(f"no bundle {bundle!r} in the registry: choose from {', '.join(known.bundles)}")
    wanted = [known.files[key] for key in known.bundles[bundle].files]
    folder = to or bundles_home() / bundle
    if folder.exists():
        raise BundleError(f"{folder} exists: `falco models verify {bundle}` checks it; remove it to fetch it again")
    for upstream in wanted:
        print(f"{upstream.file}: {upstream.licence} ({upstream.licence_url})")
    if not accept_licence:
        raise FetchError("read these licences; if you accept them, run the command again with --accept-licence")
    downloads = falco_home() / f"downloads-{bundle}"
    files = _obtain_all(wanted, downloads, folder)
    licence = "; ".join(dict.fromkeys(f"{upstream.network}: {upstream.licence}" for upstream in wanted))
    convert_bundle(OfficialFiles(**files), folder, About(bundle, licence=licence))
    rmtree(downloads)
    print(f"bundle: {folder}")


@app.command()
def convert(
    to: Annotated[Path, typer.Option(help="Bundle folder to make")],
    encoder: File = None,
    recogniser: File = None,
    farl: File = None,
    heldout: File = None,
    generator: File = None,
    clip: File = None,
    dino: File = None,
    name: Annotated[str | None, typer.Option(help="The bundle's name; default: the folder's")] = None,
) -> None:
    """Make a bundle from published checkpoint files; no download, no network.

    --encoder e4e_ffhq_encode.pt, --recogniser model_ir_se50.pth, --farl FaRL-Base-Patch16-LAIONFace20M-ep64.pth,
    --heldout 20180402-114759-vggface2.pt are needed. --generator (genforce's or rosinality's StyleGAN2): without it
    the decoder in e4e's file is taken. --clip and --dino add pairing spaces.
    """
    from falco_core.bundles.official.convert import About, OfficialFiles, convert_bundle

    given = {"encoder": encoder, "recogniser": recogniser, "farl": farl, "heldout": heldout}
    if missing := [network for network, path in given.items() if path is None]:
        raise BundleError(f"--{missing[0]} FILE is missing: `falco models list` says which file it is")
    files = {network: path for network, path in given.items() if path is not None}
    about = About(name or to.name, licence=_licence({**files, "generator": generator, "clip": clip, "dino": dino}))
    convert_bundle(OfficialFiles(**files, generator=generator, clip=clip, dino=dino), to, about)
    print(f"bundle: {to}")


@app.command()
def verify(
    bundles: Annotated[list[str] | None, typer.Argument(help="Names or folders; default: all that are here")] = None,
) -> None:
    """Check a bundle's digests, keys, shapes and numbers, and pass one picture through all of its networks."""
    from falco_core.bundles.verify import verify_bundle

    well = True
    for bundle in bundles or [entry.name for entry in list_bundles()]:
        for check in verify_bundle(bundle):
            well = well and check.ok
            print(f"{'ok    ' if check.ok else 'BROKEN'} {bundle} {check.subject}: {check.detail}")
    if not well:
        raise typer.Exit(1)


def _described(key: str, upstream: UpstreamFile) -> Iterator[str]:
    yield f"  {key}: --{upstream.network} {upstream.file}; licence: {upstream.licence}"
    for source in upstream.sources:
        size = f"{source.size / 1e6:.0f} MB" if source.size else "size unknown"
        digest = f"sha256 {source.sha256}" if source.sha256 else "no sha256 published: download it by hand"
        yield f"    {source.url} ({size}, {digest})"


def _obtain_all(wanted: list[UpstreamFile], downloads: Path, folder: Path) -> dict[str, Path]:
    """Every file by its network; raises FetchError that says what to do by hand, if some cannot be had."""
    from falco_core.bundles.official.download import obtain

    files: dict[str, Path] = {}
    failed: list[tuple[UpstreamFile, FetchError]] = []
    for upstream in wanted:
        try:
            with _progress_bar(upstream.file) as progress:
                files[upstream.network] = obtain(upstream, downloads, progress=progress)
        except FetchError as error:
            failed.append((upstream, error))
    if failed:
        options = [f"--{network} {path}" for network, path in files.items()]
        options += [f"--{upstream.network} {upstream.file}" for upstream, _ in failed]
        by_hand = f"falco models convert {' '.join(options)} --to {folder}"
        reasons = "; ".join(str(error) for _, error in failed)
        raise FetchError(f"{reasons}. When you have the rest: {by_hand}")
    return files


@contextmanager
def _progress_bar(name: str) -> Iterator["Progress"]:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _licence(files: dict[str, Path | None]) -> str:
    """The licences of the files that the registry knows by name."""
    registry: Registry = load_registry()
    licences: dict[tuple[str, str], str] = {}
    for upstream in registry.files.values():
        licences[upstream.network, upstream.file] = upstream.licence
    named = {network: licences.get((network, path.name)) for network, path in files.items() if path is not None}
    return "; ".join(f"{network}: {licence or 'see its source'}" for network, licence in named.items())
