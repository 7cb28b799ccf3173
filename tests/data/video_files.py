"""Short videos of noise whose mean grey level is 20 times the position of a frame."""

import numpy as np

CODECS = {"mp4": "mpeg4", "mov": "mpeg4", "avi": "mpeg4", "mkv": "mpeg4", "webm": "libvpx-vp9"}


def write_video(path, frames=12, rate=10, size=(32, 48), codec=None):
    """Write a video."""
    import av

    noise = np.random.default_rng(0)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec or CODECS[path.suffix[1:]], rate=rate)
        stream.height, stream.width = size
        stream.pix_fmt, stream.bit_rate = "yuv420p", 2_000_000
        for i in range(frames):
            pixels = (20 * i % 240 + noise.integers(0, 16, (*size, 3)) - 8).clip(0, 255)
            pixels = pixels.astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


def grey_of(pixels):
    """Return the position that the grey level of a frame stands for."""
    return round(float(np.asarray(pixels).mean()) / 20)
