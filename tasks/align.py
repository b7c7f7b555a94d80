"""align: find every face of every photo, decide which of them the generator replaces, and crop them.

in: photos
out: data/photos.parquet (PhotoFile), data/passed_over.parquet (PassedOver), data/faces (AlignedPhoto, by photo)
"""

from collections import defaultdict

from falco_core.errors import ProjectError, UnreadablePhoto
from falco_core.faces.aligned import align_photo
from falco_core.faces.find import finder_for
from falco_core.faces.treatment import limits_of
from falco_core.parallel import side_by_side
from falco_core.photos.codec import decode_photo
from falco_core.photos.digests import photo_files, read_photo
from falco_core.photos.folder import PHOTO_SUFFIXES, PassedOver, list_photos
from falco_core.project.buckets import bucket_digits, buckets_of
from falco_core.project.failures import check_failed_share
from falco_core.project.folder import Project, best_device
from falco_core.project.stages import FACES, PASSED_OVER, PHOTO_FILES, stage_named
from falco_core.project.work import Entry
from falco_core.reasons import Reason, failure_of
from falco_core.store.artifact import write_table
from falco_core.store.bucket import Kept
from falco_core.store.rows import AlignedPhoto, PhotoFile
from tasks.batches import Execute, KeyedStage, StageReport

STAGE = stage_named("align")
BATCH = 8
DIGESTS = ".falco/digests.parquet"


def run(project: Project, execute: Execute) -> StageReport:
    """Find and crop what is not kept yet, then write the artifacts."""
    photos, others = list_photos(project.photos)
    if not photos:
        raise ProjectError(f"no photos under {project.photos}: looked for {', '.join(sorted(PHOTO_SUFFIXES))}")
    files = photo_files(project.photos, [str(photo) for photo in photos], project.path(DIGESTS))
    write_table(project.path(PHOTO_FILES), files, PhotoFile)
    write_table(project.path(PASSED_OVER), others, PassedOver)
    keys, digits = project.keys(STAGE), bucket_digits(len(files))
    planned: dict[str, dict[str, Entry[PhotoFile]]] = defaultdict(dict)
    for file in files:
        if file.sha256:  # identical photos are one item
            planned[file.sha256[:digits]].setdefault(file.sha256, Entry(file.sha256, keys.of(file.sha256), file))
    buckets = buckets_of((file.sha256 for file in files if file.sha256), digits)
    done = KEYED.run(project, execute, buckets, lambda bucket: planned[bucket].values(), size=lambda: BATCH)
    check_failed_share(project, STAGE, (item.row for item in project.artifact(FACES, AlignedPhoto).all()))
    notes = (f"{len(others)} other files in the photo folder were passed over",) if others else ()
    return StageReport(STAGE.name, done.total, done.computed, notes)


def align_batch(project: Project, entries: list[Entry[PhotoFile]]) -> None:
    """Compute and keep photos."""
    params = project.params.align
    finder = finder_for(best_device(), params.detection_threshold, params.smallest_face)

    def item(entry: Entry[PhotoFile]) -> Kept[AlignedPhoto]:
        data = read_photo(project.photos, entry.job.photo, entry.job.sha256)
        try:
            photo = decode_photo(data, max_pixels=params.max_pixels)
            row = align_photo(photo, finder, limits_of(params), project.spec.resolution, name=entry.id[:16])
        except UnreadablePhoto as error:
            row = AlignedPhoto(0, 0, error.reason, error.detail)
        except Exception as error:
            row = AlignedPhoto(0, 0, Reason.FAILED, failure_of(error))
        return Kept(entry.id, entry.key, row, final=row.reason != Reason.FAILED)

    project.kept(STAGE, AlignedPhoto, ()).add(side_by_side(item, entries))


KEYED = KeyedStage(STAGE, FACES, AlignedPhoto, align_batch)
