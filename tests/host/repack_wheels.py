"""repack_wheels.py DIST-PACKAGES FOLDER NAME[=NEEDED,NEEDED]...

Makes wheels of pure Python packages that a distribution has installed, for a
pip that has no index. What each needs is told: distributions leave it out.
"""

import base64
import hashlib
import sys
import zipfile
from importlib.metadata import Distribution, distributions
from pathlib import Path


def normalized(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")


def find(folder: Path, name: str) -> Distribution:
    for found in distributions(path=[str(folder)]):
        if normalized(found.metadata["Name"]) == name:
            return found
    raise SystemExit(f"{folder} has no {name}")


def sources(folder: Path, name: str):
    package = folder / name
    if not package.is_dir():
        return [folder / f"{name}.py"]
    return sorted(p for p in package.rglob("*")
                  if p.is_file() and p.suffix != ".pyc")


def metadata_of(found, needs) -> str:
    lines = ["Metadata-Version: 2.1",
             f"Name: {found.metadata['Name']}", f"Version: {found.version}"]
    lines += [f"Requires-Dist: {need}" for need in needs]
    return "\n".join(lines) + "\n"


def record_line(path: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
    return f"{path},sha256={digest.rstrip(b'=').decode()},{len(data)}\n"


def repack(folder: Path, target: Path, name: str, needs):
    found = find(folder, name)
    info = f"{name}-{found.version}.dist-info"
    files = {str(path.relative_to(folder)): path.read_bytes()
             for path in sources(folder, name)}
    files[f"{info}/METADATA"] = metadata_of(found, needs).encode()
    files[f"{info}/WHEEL"] = (b"Wheel-Version: 1.0\nGenerator: repack\n"
                              b"Root-Is-Purelib: true\nTag: py3-none-any\n")
    scripts = found.read_text("entry_points.txt")
    if scripts:
        files[f"{info}/entry_points.txt"] = scripts.encode()
    record = "".join(record_line(*file) for file in files.items())
    files[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\n").encode()
    wheel = target / f"{name}-{found.version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    print(wheel.name)


for wanted in sys.argv[3:]:
    package, _, needed = wanted.partition("=")
    repack(Path(sys.argv[1]), Path(sys.argv[2]), package,
           needed.split(",") if needed else [])
