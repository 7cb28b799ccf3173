"""Detection of the format of weight files."""

from pathlib import Path

import pytest

from salix.models.checkpoints import formats
from salix.typing import InputError


def test_format_is_detected_by_content_then_by_suffix(tmp_path: Path) -> None:
    for content, suffix, kind in [
        (b"\x89HDF\r\n\x1a\nrest", "pth", "keras"),
        (b"\x02" + b"\0" * 7 + b"{}", "bin", "safetensors"),
        (b"\x80\x02rest", "pt", "torch"),
        (b"\x80\x02rest", "tar", "torch"),
    ]:
        path = tmp_path / f"net.{suffix}"
        path.write_bytes(content)
        assert formats.kind(path) == kind
    path = tmp_path / "net.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(
        InputError, match=r"net\.png is a picture: name the weight file with --weights"
    ):
        formats.kind(path)
    with pytest.raises(InputError, match="no such file"):
        formats.read(tmp_path / "none.pth")
