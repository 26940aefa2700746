#!/usr/bin/env python3
"""Writes the bill of materials of Slipway's image as SPDX 2.3 in JSON.

    sbom.py ROOT VERSION [PACKAGE_RESOLVED]

ROOT is what scripts/rootfs.sh filled: its var/lib/dpkg/status.d names the Debian packages whose files are in the image. The Swift
packages that are linked into the binary come from Package.resolved. The time is SOURCE_DATE_EPOCH, so that the same content gives
the same bytes.
"""

import datetime
import hashlib
import json
import os
import pathlib
import re
import sys


def identifier(*words):
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", "-".join(words))


def fields(path):
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, colon, value = line.partition(": ")
        if colon and not line.startswith(" "):
            found[name] = value
    return found


def package(name, version, kind, locator, **more):
    return {
        "SPDXID": identifier(kind, name),
        "name": name,
        "versionInfo": version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "externalRefs": [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": locator}
        ],
        **more,
    }


def main(root, version, resolved=None):
    root = pathlib.Path(root)
    binary = hashlib.sha256((root / "usr/bin/slipway").read_bytes()).hexdigest()
    slipway = package("slipway", version, "Package", f"pkg:generic/slipway@{version}", licenseDeclared="Apache-2.0")
    slipway["checksums"] = [{"algorithm": "SHA256", "checksumValue": binary}]
    packages = [slipway]
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", slipway["SPDXID"])]
    for path in sorted((root / "var/lib/dpkg/status.d").iterdir()):
        found = fields(path)
        name, number, kind = found["Package"], found["Version"], found["Architecture"]
        locator = f"pkg:deb/debian/{name}@{number}?arch={kind}&distro=debian-12"
        debian = package(name, number, "Debian", locator, supplier=f"Organization: {found.get('Maintainer', 'Debian')}")
        packages.append(debian)
        relations.append((slipway["SPDXID"], "DEPENDS_ON", debian["SPDXID"]))
    if resolved:
        for pin in json.loads(pathlib.Path(resolved).read_text(encoding="utf-8"))["pins"]:
            state = pin["state"]
            number = state.get("version") or state["revision"]
            place = re.sub(r"^https://|\.git$", "", pin["location"])
            swift = package(pin["identity"], number, "Swift", f"pkg:swift/{place}@{number}")
            packages.append(swift)
            relations.append((slipway["SPDXID"], "STATIC_LINK", swift["SPDXID"]))
    moment = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), datetime.timezone.utc)
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"slipway-{version}",
        "documentNamespace": f"https://slipway.dev/spdx/slipway-{version}-{binary[:16]}",
        "creationInfo": {
            "created": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": [f"Tool: slipway-sbom-{version}"],
        },
        "packages": packages,
        "relationships": [
            {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}
            for one, kind, other in relations
        ],
    }
    json.dump(document, sys.stdout, indent=2, sort_keys=True)
    print()


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit("usage: sbom.py ROOT VERSION [PACKAGE_RESOLVED]")
    main(*sys.argv[1:])
