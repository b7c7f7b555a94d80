"""pair: the nearest fakes of each face in the chosen feature space, one for each attempt.

in: data/inversions, data/fakes    out: data/pairs.parquet
"""

import numpy as np

from falco_core.anonymize.neighbours import FakePool
from falco_core.project.folder import Project
from falco_core.project.stages import FAKES as FAKES_FOLDER
from falco_core.project.stages import INVERSIONS as INVERSIONS_FOLDER
from falco_core.project.stages import PAIRS as PAIRS_TABLE
from falco_core.project.stages import stage_named
from falco_core.store.shards import Shards
from falco_core.store.tables import INVERSIONS, PAIRS, read_table, write_table
from tasks.batches import Execute, StageReport

STAGE = stage_named("pair")


def run(project: Project, execute: Execute) -> StageReport:
    """Search all faces in one exact index: fast enough that nothing is kept per face."""
    del execute
    space, metric = project.pairing_space, project.params.pair.metric
    inversions = read_table(project.path(INVERSIONS_FOLDER, "inversions.parquet"), INVERSIONS)
    fakes = Shards(project.path(FAKES_FOLDER, "arrays"))
    pool = FakePool(np.concatenate(list(fakes.chunks(space))), metric)
    chunks = Shards(project.path(INVERSIONS_FOLDER, "arrays")).chunks(space)
    found = [pool.nearest(chunk, project.params.anonymize.attempts) for chunk in chunks]
    nearest = [(row.tolist(), gap.tolist()) for rows, gaps in found for row, gap in zip(rows, gaps, strict=True)]
    table = [
        {"face": inversion["face"], "fakes": fakes, "distances": distances}
        for inversion, (fakes, distances) in zip(inversions, nearest, strict=True)
    ]
    write_table(project.path(PAIRS_TABLE), table, PAIRS)
    return StageReport(STAGE.name, len(table), len(table))
