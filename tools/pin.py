#!/usr/bin/env python3
"""Pins PyPI requirements with hashes: tools/pin.py OUT.txt NAME==VERSION... (resolves with pip, for this Python and platform).

Writes every package of the resolution with the sha256 of the file that pip chose, in the form that
`pip install --require-hashes -r OUT.txt` wants.
"""
import json
import subprocess
import sys
import tempfile

out, wanted = sys.argv[1], sys.argv[2:]
with tempfile.NamedTemporaryFile(suffix=".json") as report:
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--dry-run", "--ignore-installed",
                    "--report", report.name, *wanted], check=True)
    resolution = json.load(open(report.name))["install"]
rows = sorted((item["metadata"]["name"].lower(), item["metadata"]["version"],
               item["download_info"]["archive_info"]["hashes"]["sha256"]) for item in resolution)
with open(out, "w") as f:
    f.write(f"# Made by: tools/pin.py {out} {' '.join(wanted)}\n")
    for name, version, digest in rows:
        f.write(f"{name}=={version} --hash=sha256:{digest}\n")
print(f"{out}: {len(rows)} packages")
