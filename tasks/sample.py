"""sample: a pool of generated faces with their W+ codes and features.

in: the bundle    out: data/fakes (Fake, by number)
"""

from collections.abc import Iterator

from falco_core.anonymize.pool import PER_BUCKET, draw_fakes, fake_bucket, fake_id, seed_of
from falco_core.project.folder import Project
from falco_core.project.stages import FAKES, stage_named
from falco_core.project.work import Entry
from falco_core.store.bucket import Kept
from falco_core.store.rows import Fake
from tasks.batches import Execute, KeyedStage, StageReport

STAGE = stage_named("sample")
POOL = ("sample.count", "sample.seed")
"""Choose which fakes there are, not what one of them looks like."""


def run(project: Project, execute: Execute) -> StageReport:
    """Generate the fakes that are not kept yet, then write the artifact."""
    params, keys = project.params.sample, project.keys(STAGE, without=POOL)

    def plan(bucket: str) -> Iterator[Entry[Fake]]:
        first = int(bucket) * PER_BUCKET
        for number in range(first, min(first + PER_BUCKET, params.count)):
            seed = seed_of(params.seed, number)
            yield Entry(fake_id(number), keys.of(seed), Fake(number, seed))

    buckets = sorted({fake_bucket(number) for number in range(0, params.count, PER_BUCKET)})
    done = KEYED.run(project, execute, buckets, plan, size=lambda: project.batch_size(params.batch_size))
    return StageReport(STAGE.name, done.total, done.computed)


def sample_batch(project: Project, entries: list[Entry[Fake]]) -> None:
    """Compute and keep fakes."""
    drawn = draw_fakes(project.bundle(), [entry.job.seed for entry in entries], project.params.sample.truncation)
    items = [
        Kept(entry.id, entry.key, Fake(entry.job.number, entry.job.seed, arrays))
        for entry, arrays in zip(entries, drawn, strict=True)
    ]
    project.kept(STAGE, Fake, ()).add(items)


KEYED = KeyedStage(STAGE, FAKES, Fake, sample_batch)
