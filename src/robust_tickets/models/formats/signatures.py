"""Files that are not weights of PyTorch, told by their first bytes, and what to do with each."""

TEXT: tuple[tuple[tuple[bytes, ...], str], ...] = (
    (
        (b"<!doctype", b"<html", b"<head", b'<?xml version="1.0" encoding="utf-8"?><!doctype'),
        "is a web page, not weights; the download link led to a page",
    ),
    ((b"version https://git-lfs",), "is a Git LFS pointer, not weights; run `git lfs pull`"),
    ((b"<?xml",), "is an XML file, not weights; it may come from a failed download or be OpenVINO's .xml"),
    ((b"{", b"["), "is JSON, not weights; the weights are in a file next to it"),
)
"""Beginnings of text, in lower case and without leading white space."""

BINARY: tuple[tuple[int, bytes, str], ...] = (
    (0, b"GGUF", "is a quantised GGUF file for llama.cpp; get the model's .safetensors"),
    (
        0,
        b"\x89HDF\r\n\x1a\n",
        "is an HDF5 file, as written by Keras and TensorFlow; convert its weights to PyTorch first, or find "
        "them in timm",
    ),
    (0, b"\x89RTK", "is a runtime file, which cannot be trained; give the weights it was made from"),
    (4, b"TFL3", "is a TensorFlow Lite model; get the PyTorch weights it was made from"),
    (0, b"\x93NUMPY", "is a numpy array, not a state dict; save tensors by name with torch.save or safetensors"),
    (0, b"\x1f\x8b", "is compressed with gzip; unpack it and give what is in it"),
    (0, b"BZh", "is compressed with bzip2; unpack it and give what is in it"),
    (0, b"\xfd7zXZ", "is compressed with xz; unpack it and give what is in it"),
    (0, b"\x28\xb5\x2f\xfd", "is compressed with zstd; unpack it and give what is in it"),
    (0, b"7z\xbc\xaf\x27\x1c", "is a 7-Zip archive; unpack it and give what is in it"),
    (0, b"Rar!", "is a RAR archive; unpack it and give what is in it"),
    (0, b"sys_info\0", "is in PyTorch's format from before 2017; load and save it with PyTorch 2.5 first"),
    (257, b"ustar", "is a tar archive; unpack it and give what is in it"),
    (0, b"\x89PNG", "is an image, not weights"),
    (0, b"\xff\xd8\xff", "is an image, not weights"),
    (0, b"%PDF", "is a PDF, not weights"),
)
"""Offset, bytes, what it is."""

SUFFIXES = {
    ".onnx": "is an ONNX model, which cannot be trained; give the PyTorch weights it was exported from",
    ".pb": "is a TensorFlow graph; get the model's PyTorch weights",
    ".h5": "is a Keras file; convert its weights to PyTorch first",
    ".msgpack": "contains Flax weights; convert them to PyTorch first",
    ".npz": "is a numpy archive; save tensors by name with torch.save or safetensors",
}
"""Of files whose first bytes say little."""


def stranger(start: bytes, name: str) -> str | None:
    """Return what a file is that holds no weights of PyTorch, and what to do; None if it is not known.

    Args:
        start: its first bytes, up to 512.
        name: its name; the suffix decides where the bytes do not.
    """
    text = start.lstrip().lower()
    for beginnings, what in TEXT:
        if text.startswith(beginnings):
            return what
    for offset, magic, what in BINARY:
        if start[offset:].startswith(magic):
            return what
    return next((what for suffix, what in SUFFIXES.items() if name.lower().endswith(suffix)), None)
