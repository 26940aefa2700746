#!/usr/bin/env python3
"""Writes Tests/OCITests/Golden/references.tsv: names of images and what they mean, or "-" where they mean nothing.

The expectation comes from the regular expressions of the grammar as github.com/distribution/reference v0.6 documents it,
and from its rules for short names; not from Slipway's reader, which works without regular expressions.
"""
import random
import re
import sys

ALNUM = r"[a-z0-9]+"
SEPARATOR = r"(?:[._]|__|[-]+)"
COMPONENT = rf"{ALNUM}(?:{SEPARATOR}{ALNUM})*"
DOMAIN_COMPONENT = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
DOMAIN_NAME = rf"{DOMAIN_COMPONENT}(?:\.{DOMAIN_COMPONENT})*"
HOST = rf"(?:{DOMAIN_NAME}|\[(?:[a-fA-F0-9:]+)\])"
DOMAIN = rf"{HOST}(?::[0-9]+)?"
PATH = rf"{COMPONENT}(?:/{COMPONENT})*"
TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
REFERENCE = re.compile(rf"(?:({DOMAIN})/)?({PATH})(?::({TAG}))?(?:@({DIGEST}))?", re.ASCII)
LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}


def meaning(text):
    if re.fullmatch(r"[a-f0-9]{64}", text):
        return None
    first, slash, rest = text.partition("/")
    if not slash:
        domain, remote = "docker.io", "library/" + text
    else:
        if first == "localhost" or any(c in first for c in ".:") or first.lower() != first:
            domain, remote = ("docker.io" if first == "index.docker.io" else first), rest
        else:
            domain, remote = "docker.io", text
        if domain == "docker.io" and "/" not in remote:
            remote = "library/" + remote
    name = remote.partition(":")[0]
    if name.lower() != name:
        return None
    full = f"{domain}/{remote}"
    match = REFERENCE.fullmatch(full)
    if not match or match.group(1) is None or len(match.group(2)) > 255:
        return None
    digest = match.group(4)
    if digest:
        algorithm, _, encoded = digest.partition(":")
        if LENGTHS.get(algorithm) != len(encoded) or not re.fullmatch("[a-f0-9]+", encoded):
            return None
    return full


def cases(random):
    pick = random.choice
    hexadecimal = lambda count, digits="0123456789abcdef": "".join(pick(digits) for _ in range(count))
    words = ["a", "app", "nginx", "x1", "0", "library", "v2", "foo-bar", "foo--bar", "a_b", "a__b", "a.b", "localhost"]
    bad_words = ["", "A", "aB", "-a", "a-", "_a", "a_", ".a", "a.", "a..b", "a___b", "a._b", "a.-b", "ä", "a b", "a+b", "@"]
    hosts = ["docker.io", "index.docker.io", "ghcr.io", "localhost", "localhost:5000", "127.0.0.1:5000", "[::1]", "[::1]:443",
             "[2001:db8::1]:5000", "UPPER", "Mixed.example", "host:80", "a.b-c.d", "xn--n3h.com", "a:1", "docker.io:443", "http:80",
             "1.2.3.4", "registry-1.docker.io", "0", "EXAMPLE.com:99999"]
    bad_hosts = ["host:", ":80", "host:x", "-a.com", "a-.com", "a..com", ".com", "com.", "[::1", "::1]", "[]", "[g::]", "[::1]x",
                 "[::1]:", "a_b.com", "ho st.com", "host:80:80", "https:", "a.b@c", "[fe80::1%eth0]", "%", "host.com:-1"]
    tags = ["latest", "v1", "1.2.3", "_x", "V1.0-rc.1", "a" * 128, "0", "A_b.c-d"]
    bad_tags = ["", "-x", ".x", "a" * 129, "a b", "a:b", "a/b", "a+b", "ä", "a@"]
    for _ in range(1150):
        bad = random.random() < 0.45
        where = pick(["host", "word", "tag", "digest"]) if bad else None
        text = ""
        if random.random() < 0.6 or where == "host":
            text = pick(bad_hosts if where == "host" else hosts) + "/"
        count = pick([1, 1, 1, 2, 2, 3, 5])
        parts = [pick(words) for _ in range(count)]
        if where == "word":
            parts[random.randrange(count)] = pick(bad_words)
        text += "/".join(parts)
        if random.random() < 0.5 or where == "tag":
            text += ":" + pick(bad_tags if where == "tag" else tags)
        if random.random() < 0.3 or where == "digest":
            good = pick(list(LENGTHS.items()))
            digest = f"{good[0]}:{hexadecimal(good[1])}"
            if where == "digest":
                digest = pick([
                    f"sha256:{hexadecimal(63)}", f"sha256:{hexadecimal(65)}", f"sha256:{hexadecimal(64, 'ABCDEF')}",
                    f"sha512:{hexadecimal(64)}", f"md5:{hexadecimal(32)}", f"SHA256:{hexadecimal(64)}", f"sha256+b64:{hexadecimal(64)}",
                    f"sha256{hexadecimal(64)}", "sha256:", ":", "", f"{digest}@{digest}", f"{digest}:tag", f"sha256:{hexadecimal(63)}g",
                    f"blake3:{hexadecimal(64)}", f" {digest}", f"sha1:{hexadecimal(40)}",
                ])
            text += "@" + digest
        yield text
    # Small changes of what is right.
    for _ in range(350):
        text = pick(["docker.io/library/nginx:1.25", "localhost:5000/team/app:v1", "nginx", "a/b:c", f"app@sha256:{hexadecimal(64)}",
                     "[::1]:5000/x:y", "Host/app", f"ghcr.io/a/b:t@sha256:{hexadecimal(64)}"])
        position = random.randrange(len(text) + 1)
        character = pick(list(":/@._-aZ0[] ~%\\\"'#?&=+\u00e9"))
        text = pick([text[:position] + character + text[position:], text[:position] + text[position + 1:],
                     text[:position] + character + text[position + 1:]])
        yield text
    for length in [246, 247, 248, 255, 256]:
        yield "a" * length
        yield "ghcr.io/" + "a" * length
    yield from ["http:latest", "https:latest", "http:80/a", "http://a/b", "https://a.b/c:d", "docker://nginx", "oci", "localhost",
                "localhost/localhost", "docker.io", "index.docker.io", "docker.io/docker.io", "..", ".", "/", "//", ":", "@", "a@", "a:"]


def main():
    random_source = random.Random(20201123)
    seen = set()
    with open(sys.argv[1], "w", encoding="utf-8", newline="\n") as file:
        for text in cases(random_source):
            if text and text not in seen:
                seen.add(text)
                file.write(f"{text}\t{meaning(text) or '-'}\n")


main()
