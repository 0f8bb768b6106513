from __future__ import annotations

import io
import stat
import struct
import zipfile

import pytest

from server.media.decoding import FILE_BYTES, Unreadable
from server.people.photos import archive
from server.people.photos.archive import BadArchive, PhotoArchive, person_names


def zipped(files: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as out:
        for path, data in files.items():
            out.writestr(path, data)
    return file


def contents(file: io.BytesIO, files: int = 50) -> dict[str, bytes | Unreadable]:
    opened = PhotoArchive(file, files)
    return {path: opened.read(index) for index, path in enumerate(opened.paths)}


def refusal(file: io.BytesIO) -> Unreadable:
    (found,) = contents(file).values()
    assert isinstance(found, Unreadable)
    return found


def test_files_come_out_and_what_systems_leave_behind_does_not() -> None:
    file = zipped({"Ada/1.jpg": b"one", "Ada/.DS_Store": b"x", "__MACOSX/Ada/._1.jpg": b"x", "Bob/Thumbs.db": b"x"})
    with zipfile.ZipFile(file, "a") as out:
        out.mkdir("Cleo")
        out.writestr("Bob/2.png", b"two", zipfile.ZIP_STORED)
    assert contents(file) == {"Ada/1.jpg": b"one", "Bob/2.png": b"two"}


def test_a_mac_writes_names_without_saying_how() -> None:
    file = zipped({"Zoe/1.jpg": b"one"})
    data = file.getvalue().replace(b"Zoe/1.jpg", "Zoë/1.jp".encode())
    assert list(contents(io.BytesIO(data))) == ["Zoë/1.jp"]


@pytest.mark.parametrize(
    "path", ["../../etc/Ada.jpg", "/etc/Ada.jpg", "..\\Ada.jpg", "C:\\Ada\\1.jpg", "a/../../b.jpg"]
)
def test_a_path_that_leads_out_is_refused(path: str) -> None:
    assert "leads out" in str(refusal(zipped({path: b"x"})))


def test_a_link_is_refused() -> None:
    info = zipfile.ZipInfo("Ada/1.jpg")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as out:
        out.writestr(info, "/etc/passwd")
    assert "link" in str(refusal(file))


def test_an_encrypted_file_is_refused() -> None:
    data = bytearray(zipped({"Ada/1.jpg": b"x"}).getvalue())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    assert "encrypted" in str(refusal(io.BytesIO(bytes(data))))


def test_a_zip_in_a_zip_is_refused() -> None:
    assert "inside a ZIP" in str(refusal(zipped({"Ada/1.zip": zipped({"x": b"x"}).getvalue()})))


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packing_whose_output_cannot_be_bounded_is_refused(kind: int) -> None:
    assert "unusual" in str(refusal(zipped({"Ada/1.bmp": bytes(10_000)}, kind)))


def test_bombs_are_not_unpacked() -> None:
    ratio = refusal(zipped({"Ada/1.bmp": bytes(20 * 2**20)}))
    assert (ratio.verdict, "tightly" in str(ratio)) == ("too_large", True)
    size = refusal(zipped({"Ada/1.bmp": bytes(FILE_BYTES + 1)}))
    assert (size.verdict, "MB" in str(size)) == ("too_large", True)


def test_a_size_that_is_a_lie_gives_no_more_than_it_says() -> None:
    data = bytearray(zipped({"Ada/1.bmp": bytes(2**20) * 8}).getvalue())
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, 100)
    assert "damaged" in str(refusal(io.BytesIO(bytes(data))))


def test_the_total_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "TOTAL_BYTES", 1000)
    with pytest.raises(BadArchive, match="more than"):
        contents(zipped({f"Ada/{n}.jpg": bytes(300) for n in range(5)}))


def test_too_many_files_are_refused_before_the_directory_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    many = zipped({f"Ada/{n}.jpg": b"" for n in range(500)})
    with pytest.raises(BadArchive, match="more than 400 files"):
        PhotoArchive(many, 400)
    monkeypatch.setattr(zipfile, "ZipFile", None)
    with pytest.raises(BadArchive, match="more than 10 files"):
        PhotoArchive(many, 10)


@pytest.mark.parametrize(
    "data",
    [b"PK\x03\x04 nothing", b"PK\x05\x06" + bytes(18), zipped({"a.jpg": b"x"}).getvalue()[:40]],
    ids=["nothing", "empty", "cut"],
)
def test_what_is_no_zip_or_an_empty_one_is_refused(data: bytes) -> None:
    with pytest.raises(BadArchive):
        PhotoArchive(io.BytesIO(data), 10)


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["Ada/1.jpg", "Bob/1.jpg"], ["Ada", "Bob"]),
        (["people/Ada/1.jpg", "people/Bob.jpg"], ["Ada", "Bob"]),
        (["Ada.jpg", "Bob Ω.png"], ["Ada", "Bob Ω"]),
        (["Ada/1.jpg", "Ada/2.jpg"], ["Ada", "Ada"]),
        (["Ada\\1.jpg"], ["Ada"]),
        (["x/y/Ada/1.jpg"], ["Ada"]),
        ([], []),
    ],
)
def test_whose_photo_it_is_follows_from_its_folder(files: list[str], names: list[str]) -> None:
    assert person_names(files) == names


def test_a_name_given_is_of_photos_without_folders_or_all_in_one() -> None:
    assert person_names(["a.jpg", "Grace/b.jpg", "Mary/c.jpg"], "Ada") == ["Ada", "Grace", "Mary"]
    assert person_names(["holiday/a.jpg", "holiday/b.jpg"], "Ada") == ["Ada", "Ada"]
    assert person_names(["all/Grace/b.jpg", "all/Mary/c.jpg"], "Ada") == ["Grace", "Mary"]
    assert person_names(["a.jpg"], "Ada") == ["Ada"]
