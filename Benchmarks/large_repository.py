#!/usr/bin/env python3
"""Times the agent's view of one large repository: the first look, which fetches all of it, and a second one with nothing new.

    Benchmarks/large_repository.py [--commits 50000] [--files 100000] [--ways path,ssh,https] [--before BINARY]
                                   [--json FILE] [--markdown FILE]

Needs SLIPWAY_BINARY (a release build), git, sshd, nginx, fcgiwrap and openssl. The repository is made by git fast-import: its first
commit has all files, in folders of a hundred, and each later one changes one of them. Each look is a `slipway plan`. `--before` names
another binary, which does the same in the same run.
"""
import argparse, json, os, shutil, subprocess, sys, tempfile

from git_servers import Servers
from harness import measure, report

WORKLOAD = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {template: {spec: {containers: [{name: app, image: registry.example.com/acme/web:v1}]}}}
"""


def make(path, options):
    """The bare repository; written to git as it is made."""
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", path], check=True)
    git = subprocess.Popen(["git", "-C", path, "fast-import", "--quiet"], stdin=subprocess.PIPE)

    def commit(number, files):
        lines = [f"commit refs/heads/main\ncommitter a <a@example.com> {1_500_000_000 + number * 60} +0000\ndata 6\nchange\n"]
        lines += [f"M 100644 inline {name}\ndata {len(text)}\n{text}\n" for name, text in files]
        git.stdin.write("".join(lines).encode())

    def file(number, version):
        return f"src/{number // 10_000:03}/{number // 100 % 100:02}/f{number % 100:02}.txt", f"file {number}, version {version}\n"

    commit(0, [("deploy/web.yaml", WORKLOAD)] + [file(number, 0) for number in range(options.files)])
    for number in range(1, options.commits):
        commit(number, [file(number * 7919 % options.files, number)])
    git.stdin.close()
    if git.wait():
        raise SystemExit("git fast-import failed")
    subprocess.run(["git", "-C", path, "repack", "-adq"], check=True)


def look(binary, configuration, servers):
    before = servers.requests()
    result = measure([binary, "plan", "--config", configuration])
    return {
        "seconds": round(result["seconds"], 1), "processor": round(result["cpu"], 1), "mb": round(result["kib"] / 1024),
        "requests": servers.requests() - before}


def run(binary, way, repository, servers, scratch):
    state, configuration = f"{scratch}/state", f"{scratch}/agent.yaml"
    with open(configuration, "w") as file:
        file.write(
            f"stateDirectory: {state}\ngit: {{sshKey: {scratch}/client, knownHosts: {scratch}/known_hosts, caFile: {scratch}/ca.pem}}\n"
            f"repositories: [{{name: large, url: '{servers.url(way, repository)}', branch: main}}]\n")
    first = look(binary, configuration, servers)
    disk = int(subprocess.run(["du", "-sk", state], check=True, stdout=subprocess.PIPE).stdout.split()[0])
    second = look(binary, configuration, servers)
    shutil.rmtree(state)
    return {"first": first, "second": second, "disk": round(disk / 1024)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commits", type=int, default=50_000)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--ways", default="path,ssh,https")
    parser.add_argument("--before")
    parser.add_argument("--json")
    parser.add_argument("--markdown")
    options = parser.parse_args()
    binary = os.environ.get("SLIPWAY_BINARY") or sys.exit("set SLIPWAY_BINARY to a release build of slipway")
    scratch = tempfile.mkdtemp(prefix="slipway-large-")
    os.chmod(scratch, 0o755)
    os.mkdir(f"{scratch}/repositories")
    repository = f"{scratch}/repositories/large.git"
    make(repository, options)
    servers, results = Servers(scratch, f"{scratch}/repositories"), []
    try:
        for way in options.ways.split(","):
            for name, which in [("now", binary), ("before", options.before)]:
                if which:
                    result = {"binary": name, "way": way, **run(which, way, repository, servers, scratch)}
                    print(json.dumps(result), file=sys.stderr, flush=True)
                    results.append(result)
    finally:
        servers.stop()
    shutil.rmtree(scratch, ignore_errors=True)
    lines = [
        "| remote | | first: s | processor s | MB | requests | second: s | MB | requests | mirror, MB |", "|---|---|---|---|---|---|---|---|---|---|"]
    for entry in results:
        first, second = entry["first"], entry["second"]
        counts = [one["requests"] if entry["way"] == "https" else "" for one in (first, second)]
        lines.append(
            f"| {entry['way']} | {entry['binary']} | {first['seconds']} | {first['processor']} | {first['mb']} | {counts[0]} | "
            f"{second['seconds']} | {second['mb']} | {counts[1]} | {entry['disk']} |")
    report(options, results, lines)


main()
