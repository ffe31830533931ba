#!/usr/bin/env python3
"""Writes the hand-made part of tests/fuzz/corpus/pickle_fuzz: small valid files and hostile ones. Needs only numpy and joblib."""
import bz2
import io
import os
import pathlib
import pickle
import struct
import sys
import zlib

import joblib
import numpy as np

OUT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "corpus/pickle_fuzz")


class Call:
    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


def dumped(value, compress=0):
    out = io.BytesIO()
    joblib.dump(value, out, compress=compress)
    return out.getvalue()


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    record = np.array([(1, 2.5), (3, -4.0)], dtype=[("a", "<i4"), ("b", ">f8")])
    plain = {"ints": [0, 1, 255, 70000, -5, 2**40, -(2**70)], "text": "é", "bytes": b"\x00\xff", "none": None, "set": {1}, "f": 1.5}
    arrays = {"c": np.arange(6.0).reshape(2, 3), "f": np.asfortranarray(np.arange(6, dtype=">i4").reshape(2, 3)),
              "u": np.array(["a", "bcé"]), "o": np.array(["x", 1, None], dtype=object), "r": record, "s": np.float32(1.5),
              "b": np.array([True, False]), "h": np.array([1, 2], dtype="f2"), "z": np.zeros((0, 3))}
    files = {"plain-p%d" % p: pickle.dumps(plain, protocol=p) for p in range(6)}
    files.update({"arrays-p%d" % p: pickle.dumps(arrays, protocol=p) for p in range(6)})
    files["joblib"] = dumped(arrays)
    for name in ("zlib", "gzip", "bz2", "xz", "lzma"):
        files["joblib-" + name] = dumped(arrays, (name, 9))
    files["cut"] = dumped(arrays)[:300]
    files["random-state"] = pickle.dumps(np.random.RandomState(0))[:4000]
    files["os-system"] = pickle.dumps(Call(os.system, "touch /tmp/hacked"), protocol=2)
    files["eval"] = pickle.dumps(Call(eval, "1"), protocol=4)
    files["deep-marks"] = b"\x80\x02" + b"(" * 50000
    files["deep-tuples"] = b"\x80\x02N" + b"\x85" * 50000 + b"."
    files["huge-text"] = b"\x80\x04\x8d" + struct.pack("<Q", 2**63) + b"x."
    files["huge-memo"] = b"\x80\x02Nr\xff\xff\xff\xff."
    files["cycle"] = b"\x80\x02]q\x00h\x00a."
    files["dup-bomb"] = b"\x80\x02]" + b"2a" * 3000 + b"."
    files["zip-bomb"] = zlib.compress(b"\x80\x02" + b"N0" * 40_000_000, 9)
    files["bz2-bomb"] = bz2.compress(b"\x00" * 200_000_000, 9)
    files["stack-underflow"] = b"\x80\x02R."
    files["bad-array"] = pickle.dumps(np.arange(4.0), protocol=2).replace(b"K\x04\x85", b"K\x05\x85")
    files["html"] = b"<!DOCTYPE html>"
    for name, content in files.items():
        (OUT / name).write_bytes(content)
    print(len(files), "files,", sum(map(len, files.values())), "bytes")


if __name__ == "__main__":
    main()
