#!/usr/bin/env python3
"""Times cycles over a registry that is far away: what counts is how many requests are made, and how many of them at once.

    Benchmarks/latency.py [--latency 100] [--cases look,workloads,builds] [--json FILE] [--markdown FILE]

Needs SLIPWAY_BINARY (a release build) and git. `look` plans over 40 images that were never seen, twice; `workloads` over 2,000 workloads
with 300 images of 40 tags, half of them by time; `builds` synchronizes 200 builds of one `.slipway.yaml`: first all of them, then nothing
new, then one changed file. For figures before and after a change, run it once for each binary, right after each other.
"""
import argparse, json, os, shutil, subprocess, sys, tempfile, time

from harness import report
from slow_registry import SlowRegistry


class World:
    """A repository, an agent's configuration for it, and the registry."""

    def __init__(self, scratch, options):
        self.scratch, self.options = scratch, options
        self.registry = SlowRegistry(options.latency / 1000)
        self.work = f"{scratch}/work"
        os.makedirs(self.work)
        self.git("init", "-q", "-b", "main")

    def git(self, *words):
        subprocess.run(
            ["git", "-C", self.work, "-c", "user.name=t", "-c", "user.email=t@example.com", *words], check=True,
            stdout=subprocess.DEVNULL)

    def write(self, path, text):
        path = f"{self.work}/{path}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)

    def commit(self):
        self.git("add", ".")
        self.git("commit", "-qm", "a change")
        if os.path.exists(f"{self.scratch}/r.git"):
            self.git("push", "-q", f"{self.scratch}/r.git", "main")
            return
        subprocess.run(["git", "clone", "-q", "--bare", self.work, f"{self.scratch}/r.git"], check=True)
        with open(f"{self.scratch}/agent.yaml", "w") as file:
            file.write(
                f"stateDirectory: {self.scratch}/state\nregistries: [{{host: '{self.registry.host}', insecure: true}}]\n"
                f"repositories: [{{name: r, url: '{self.scratch}/r.git', branch: main}}]\n")

    def run(self, what, *words):
        self.registry.reset()
        start = time.monotonic()
        done = subprocess.run(
            [self.options.binary, *words, "--config", f"{self.scratch}/agent.yaml"], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        seconds = time.monotonic() - start
        if done.returncode not in [0, 3]:
            raise SystemExit(done.stdout.decode()[-4000:])
        entry = {
            "what": what, "seconds": round(seconds, 2), "requests": self.registry.requests,
            "mostAtOnce": self.registry.most_running, "byKind": self.registry.by_kind}
        print(json.dumps(entry), file=sys.stderr, flush=True)
        return entry


def deployment(name, image, policy):
    return (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n"
        f"  name: {name}\n  annotations:\n    fluxcd.io/automated: \"true\"\n    fluxcd.io/tag.app: {policy}\n"
        f"spec:\n  template:\n    spec:\n      containers:\n        - name: app\n          image: {image}\n")


def look(world):
    """Policies by name: a list for each image, and a look at the image that is chosen."""
    for number in range(40):
        for version in range(5):
            world.registry.add(f"look/app-{number}", f"1.{version}.0", "2024-01-01T00:00:00Z", {"n": f"{number} {version}"})
        world.write(
            f"apps/app-{number}.yaml", deployment(f"app-{number}", f"{world.registry.host}/look/app-{number}:1.0.0", "semver:~1"))
    world.commit()
    yield world.run("40 images that were never seen: `plan`", "plan")
    yield world.run("the same `plan` again", "plan")


def workloads(world):
    """Policies of which every second goes by time: all images that a filter lets pass have to be read."""
    for number in range(300):
        for build in range(40):
            world.registry.add(
                f"many/app-{number}", f"{'main' if build % 2 else 'next'}-{build}", f"2024-01-{build // 2 + 1:02}T00:00:{build:02}Z",
                {"n": f"{number} {build}"})
    for number in range(2000):
        app = number % 300
        image = f"{world.registry.host}/many/app-{app}:main-1"
        policy = "glob:main-*" if app % 2 else "regexp:^main-"
        if app % 2 == 0:
            policy = "alphabetical:asc"
            image = image.replace("main-1", "main-1")
        world.write(f"apps/{number // 100}/app-{number}.yaml", deployment(f"app-{number}", image, policy))
    world.commit()
    yield world.run("2,000 workloads over 300 images, half by time: the first `plan`", "plan")
    yield world.run("the same `plan` again", "plan")


def builds(world):
    base = f"{world.registry.host}/base/os:1"
    world.registry.add("base/os", "1", "2024-01-01T00:00:00Z")
    text = "builds:\n"
    for number in range(200):
        text += (
            f"  - name: app-{number}\n    context: app-{number}\n"
            f"    destinations: [{world.registry.host}/shop/app-{number}]\n    tags: [\"v{{build.number}}\"]\n")
        world.write(f"app-{number}/Dockerfile", f"FROM {base}\nCOPY . /app/\n")
        world.write(f"app-{number}/data", f"{number}\n")
    world.write(".slipway.yaml", text)
    world.commit()
    yield world.run("200 builds: the first `sync`", "sync")
    yield world.run("nothing new", "sync")
    world.write("app-100/data", "changed\n")
    world.commit()
    yield world.run("one file of one build changed", "sync")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", type=int, default=100, help="milliseconds")
    parser.add_argument("--cases", default="look,workloads,builds")
    parser.add_argument("--json")
    parser.add_argument("--markdown")
    options = parser.parse_args()
    options.binary = os.environ.get("SLIPWAY_BINARY") or sys.exit("set SLIPWAY_BINARY to a release build of slipway")
    results = []
    for case in options.cases.split(","):
        scratch = tempfile.mkdtemp(prefix="slipway-latency-")
        world = World(scratch, options)
        try:
            results += {"look": look, "workloads": workloads, "builds": builds}[case](world)
        finally:
            world.registry.stop()
            shutil.rmtree(scratch, ignore_errors=True)
    lines = ["| what | seconds | requests | most at once |", "|---|---|---|---|"]
    lines += [f"| {row['what']} | {row['seconds']:.1f} | {row['requests']} | {row['mostAtOnce']} |" for row in results]
    report(options, results, lines)


main()
