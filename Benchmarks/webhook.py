#!/usr/bin/env python3
"""Times the way from a pushed image to the commit that rolls it out: by a webhook at an interval of an hour, by one beside the polls of all
repositories, and by polling.

    Benchmarks/webhook.py [--repositories 1000] [--rounds 20] [--interval 30] [--json FILE] [--markdown FILE]

Needs SLIPWAY_BINARY (a release build) and git. All repositories are local ones with one annotated workload each, whose images are in a
registry in memory. Each round pushes an image of another repository; polls are waited for, so that they are rounds of up to `--interval`.
"""
import argparse, json, os, random, shutil, statistics, subprocess, sys, tempfile, time, urllib.request

from fleet import Agent
from harness import free_port, report
from slow_registry import SlowRegistry

WORKLOAD = """apiVersion: apps/v1
kind: Deployment
metadata: {{name: w, namespace: s, annotations: {{fluxcd.io/automated: "true", fluxcd.io/tag.app: "semver:*"}}}}
spec: {{template: {{spec: {{containers: [{{name: app, image: {image}:1.0.0}}]}}}}}}
"""


def repositories(folder, registry, count):
    for number in range(count):
        path, text = f"{folder}/r{number}.git", WORKLOAD.format(image=f"{registry.host}/acme/r{number}")
        stream = (
            "commit refs/heads/main\ncommitter a <a@example.com> 1700000000 +0000\ndata 6\nchange\n"
            f"M 100644 inline deploy/w.yaml\ndata {len(text)}\n{text}\n")
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", path], check=True)
        subprocess.run(["git", "-C", path, "fast-import", "--quiet"], input=stream.encode(), check=True)
        registry.add(f"acme/r{number}", "1.0.0", "2024-01-01T00:00:00Z", {"n": f"{number} 0"})


def head(path):
    with open(f"{path}/refs/heads/main") as file:
        return file.read()


def measure(binary, folder, registry, options, interval, rounds, tells):
    """Seconds of each round."""
    port = free_port()
    with open(f"{folder}/secret", "w") as file:
        file.write("a secret of the benchmark")
    with open(f"{folder}/agent.yaml", "w") as file:
        file.write(
            f"stateDirectory: {folder}/state\ninterval: {interval}\nlisten: 127.0.0.1:{port}\n"
            f"registries: [{{host: '{registry.host}', insecure: true}}]\n"
            f"webhooks: {{receivers: [{{type: generic, secretFile: '{folder}/secret'}}]}}\nrepositories:\n")
        for number in range(options.repositories):
            file.write(f"  - {{name: r{number}, url: '{folder}/r{number}.git', branch: main}}\n")
    agent, times = Agent(binary, folder, port), []
    try:
        agent.until("slipway_cycles_total{", options.repositories)
        for _ in range(rounds):
            number = random.randrange(options.repositories)
            path, image = f"{folder}/r{number}.git", f"{registry.host}/acme/r{number}"
            before, version = head(path), f"1.{time.time_ns() // 1000}.0"
            registry.add(f"acme/r{number}", version, "2024-01-02T00:00:00Z", {"n": version})
            start = time.monotonic()
            if tells:
                body = json.dumps({"image": f"{image}:{version}"}).encode()
                request = urllib.request.Request(
                    f"http://127.0.0.1:{port}/webhooks/generic", data=body,
                    headers={"Authorization": "Bearer a secret of the benchmark"})
                with urllib.request.urlopen(request, timeout=5) as answer:
                    assert answer.status == 202, answer.status
            while head(path) == before:
                if time.monotonic() - start > 600:
                    raise SystemExit(f"no commit of r{number}; see {folder}/log")
                time.sleep(0.005)
            times.append(time.monotonic() - start)
    finally:
        agent.stop()
    return times


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--repositories", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--interval", type=int, default=30)
    parser.add_argument("--json")
    parser.add_argument("--markdown")
    options = parser.parse_args()
    binary = os.environ.get("SLIPWAY_BINARY") or sys.exit("set SLIPWAY_BINARY to a release build of slipway")
    random.seed(1)
    results = []
    for what, interval, tells in [
        ("webhook", "1h", True), ("webhook beside polls", f"{options.interval}s", True), ("poll", f"{options.interval}s", False)
    ]:
        scratch, registry = tempfile.mkdtemp(prefix="slipway-webhook-"), SlowRegistry(0)
        repositories(scratch, registry, options.repositories)
        times = measure(binary, scratch, registry, options, interval, options.rounds, tells)
        registry.stop()
        shutil.rmtree(scratch, ignore_errors=True)
        entry = {
            "what": what, "interval": interval, "repositories": options.repositories, "median": round(statistics.median(times), 3),
            "longest": round(max(times), 3)}
        print(json.dumps(entry), file=sys.stderr, flush=True)
        results.append(entry)
    lines = ["| | interval | repositories | median: s | longest: s |", "|---|---|---|---|---|"]
    lines += [f"| {e['what']} | {e['interval']} | {e['repositories']} | {e['median']} | {e['longest']} |" for e in results]
    report(options, results, lines)


if __name__ == "__main__":
    main()
