"""Evaluates what somebody sent: pictures in folders, or pictures with a table of labels, whichever it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.attributes import AttributeReader
from pipeline.face_models import FaceModels
from server.evaluation.attributes import labelled_faces, read_attributes
from server.evaluation.attributes_report import attributes_report
from server.evaluation.conditions import Progress, conditions
from server.evaluation.folder import evaluate_folder
from server.evaluation.identification import evaluate_openset
from server.evaluation.labels import EvaluationError, kind_of, read_labels
from server.evaluation.photos import by_person, load_photos
from server.evaluation.report import Report
from server.evaluation.verification import Pair, evaluate_pairs
from server.media.decoding import Decode, Unreadable
from server.people.photos.folder import Photos

TABLE = ".csv"
TABLE_BYTES = 8 * 1024 * 1024
FMR, FPIR = 0.001, 0.01  # as on the command line


class StoredPhotos:
    """Files that were sent one by one and lie in ``folder`` under their numbers; see
    :class:`server.people.photos.folder.Photos`."""

    def __init__(self, folder: Path, paths: list[str]) -> None:
        self._folder = folder
        self.paths = paths

    def read(self, index: int) -> bytes | Unreadable:
        """The bytes of one, or why it has none."""
        try:
            return (self._folder / str(index)).read_bytes()
        except OSError as error:
            return Unreadable("not_a_picture", f"The file cannot be read: {error.strerror}.")


def evaluate_upload(
    models: FaceModels,
    reader: Callable[[], AttributeReader],
    photos: Photos,
    decode: Decode,
    all_distances: bool,
    progress: Progress,
    seed: int = 0,
) -> Report:
    """What can be measured on these photos: a table among them says what, and without one folders are people.

    Raises :class:`server.evaluation.labels.EvaluationError` and
    :class:`server.people.photos.archive.BadArchive`.
    """
    wanted = conditions(None, all_distances, (), False)
    load = load_photos(photos, decode)
    table = _table(photos)
    if table is None:
        return evaluate_folder(models, by_person(photos), load, wanted, FMR, FPIR, seed, progress)
    kind = kind_of(table)
    rows = read_labels(kind, table)
    match kind:
        case "pairs":
            pairs = [Pair(row["first"], row["second"], row["same"] == "1", row["group"]) for row in rows]
            return evaluate_pairs(models, pairs, load, wanted, FMR, seed, progress)
        case "openset":
            return evaluate_openset(models, rows, load, wanted, FPIR, seed, progress)
        case "attributes":
            faces = labelled_faces(rows, None, seed)
            return attributes_report(read_attributes(models, [reader()], faces, load, wanted, seed, progress))


def _table(photos: Photos) -> list[str] | None:
    """The lines of the only table there is."""
    found = [index for index, path in enumerate(photos.paths) if path.lower().endswith(TABLE)]
    if not found:
        return None
    if len(found) > 1:
        raise EvaluationError(f"there are {len(found)} tables; leave the one with the labels")
    data = photos.read(found[0])
    if isinstance(data, Unreadable):
        raise EvaluationError(f"the table cannot be read: {data}")
    if len(data) > TABLE_BYTES:
        raise EvaluationError(f"the table has more than {TABLE_BYTES // 2**20} MB")
    try:
        return data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise EvaluationError("the table is not UTF-8 text; save it as CSV (UTF-8)") from None
