"""Names of the file formats that are not opened, by their first bytes."""

from collections.abc import Container

CONVERT = "convert it to PNG or JPEG"
PROGRAM = "it is a program, which Ghostscript would run"
DRAWING = "it is a drawing, not pixels"

# First bytes (from the offset), name, and the reason or what to do.
SIGNATURES = (
    (0, b"%!PS", "PostScript", PROGRAM),
    (0, b"\xc5\xd0\xd3\xc6", "PostScript", PROGRAM),
    (0, b"%PDF", "PDF", DRAWING),
    (0, b"<svg", "SVG", DRAWING),
    (0, b"\xd7\xcd\xc6\x9a", "WMF", DRAWING),
    (40, b" EMF", "EMF", DRAWING),
    (4, b"ftypcrx", "Canon raw", "it is data of a sensor"),
    (4, b"ftypqt", "QuickTime", "it is a video; extract its frames"),
    (4, b"ftypisom", "MP4", "it is a video; extract its frames"),
    (4, b"ftypmp4", "MP4", "it is a video; extract its frames"),
    (4, b"ftypavi", "AVIF", "this Pillow has no decoder of it; install a newer one"),
    *(
        (4, b"ftyp" + brand, "HEIC", "install pillow-heif to have it read")
        for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
    ),
    (0, b"\xff\x0a", "JPEG XL", "Pillow has no decoder of it"),
    (4, b"JXL \r\n", "JPEG XL", "Pillow has no decoder of it"),
    (0, b"v/1\x01", "OpenEXR", "its light has no fixed range"),
    (0, b"gimp xcf", "GIMP's XCF", "it is layers, not one image"),
    (128, b"DICM", "DICOM", "its values have no fixed range"),
    (0, b"\x93NUMPY", "NumPy array", "give arrays to salix.sweep in Python"),
    (0, b"PK\x03\x04", "ZIP archive", "unpack it"),
    (0, b"\x1f\x8b", "gzip", "unpack it"),
)
TEXTS = (
    (b"<!doctype html", "this is a web page: the download of the image failed"),
    (b"<html", "this is a web page: the download of the image failed"),
    (b"version https://git-lfs", "this is a pointer of Git LFS: fetch the file by git lfs pull"),
)


def describe_foreign(content: bytes, *, opened: Container[str]) -> str:
    """Return the reason why no decoder of the formats `opened` accepts a file.

    No byte is interpreted beyond comparisons: formats of Pillow that are not opened are known by
    its plugins' own tests of the first 16 bytes.
    """
    from PIL import Image

    text = content[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for start, reason in TEXTS:
        if text.startswith(start):
            return reason
    if text.startswith(b"<?xml") and b"<svg" in text:
        return f"SVG is not opened: {DRAWING}; {CONVERT}"
    for offset, signature, name, reason in SIGNATURES:
        if name in opened:
            continue
        if content.startswith(signature, offset) or (offset == 0 and text.startswith(signature)):
            return f"{name} is not opened: {reason}; {CONVERT}"
    Image.init()
    for name, (_, accepts) in Image.OPEN.items():
        try:
            if accepts is None or accepts(content[:16]) is not True:
                continue
        except Exception:  # tests of plugins read beyond the end of a short file
            continue
        if name in opened:
            return f"{name} that is damaged, or of a kind that Pillow does not decode; {CONVERT}"
        return f"{name} is not opened: {CONVERT}"
    return "not an image of a known format"
