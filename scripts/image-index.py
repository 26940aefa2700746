#!/usr/bin/env python3
"""Puts an image index around the image of an OCI layout's tag, so that the tag stands for one image per platform.

    image-index.py LAYOUT TAG OS/ARCHITECTURE...

The manifests are those of the tags TAG, or TAG-OS-ARCHITECTURE where there are several platforms.
"""

import hashlib
import json
import pathlib
import sys

INDEX = "application/vnd.oci.image.index.v1+json"
NAME = "org.opencontainers.image.ref.name"


def main(layout, tag, *platforms):
    layout = pathlib.Path(layout)
    root = json.loads((layout / "index.json").read_text(encoding="utf-8"))
    tagged = {entry.get("annotations", {}).get(NAME): entry for entry in root["manifests"]}
    manifests = []
    for platform in platforms:
        name = tag if len(platforms) == 1 else f"{tag}-{platform.replace('/', '-')}"
        entry = {key: tagged[name][key] for key in ("mediaType", "digest", "size")}
        system, architecture = platform.split("/")
        manifests.append({**entry, "platform": {"os": system, "architecture": architecture}})
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}, separators=(",", ":")).encode()
    digest = hashlib.sha256(index).hexdigest()
    (layout / "blobs/sha256" / digest).write_bytes(index)
    entry = {"mediaType": INDEX, "digest": f"sha256:{digest}", "size": len(index), "annotations": {NAME: tag}}
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}))
    print(f"sha256:{digest}")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit("usage: image-index.py LAYOUT TAG OS/ARCHITECTURE...")
    main(*sys.argv[1:])
