#!/usr/bin/env python3
"""Times the choice among very many tags, and polls of a registry in which nothing changed.

    Benchmarks/poller.py [--rounds N] [--cases select,poll,pull] [--repositories 1000] [--json FILE] [--markdown FILE]

Needs SLIPWAY_BINARY (a release build), git and docker-registry. `select` chooses among 1,000,000 tags, where there is Go also by
the algorithm of Flux's image reflector; `poll` is a cycle of the agent over workloads with an image in each of the repositories,
1,000 tags each, when nothing is new; it counts the registry's requests; `pull` runs a step on an image with one large layer, once of 100 MB and once of 1 GB, beside gzip, which only decompresses it. It needs busybox.
"""
import argparse, json, os, random, shutil, signal, statistics, subprocess, sys, tempfile, time

from harness import Registry, measure

def select(scratch, options, results):
    source = random.Random(1)
    with open(f"{scratch}/versions", "w") as file:
        for number in range(1_000_000):
            file.write(f"v{source.randrange(60)}.{source.randrange(200)}.{number}\n")
    with open(f"{scratch}/builds", "w") as file:
        for number in range(1_000_000):
            file.write(f"main-{source.getrandbits(28):07x}-{1_600_000_000 + number}\n")
    cases = {
        "semver '>=1.0' over 1,000,000 tags": ("versions", ["--semver", ">=1.0"]),
        "filter, extract, numerical over 1,000,000 tags": (
            "builds", ["--filter", "^main-[a-f0-9]+-(?P<ts>[0-9]+)", "--extract", "$ts", "--numerical", "asc"]),
    }
    peer = None
    if shutil.which("go"):
        peer = f"{scratch}/numerical"
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers/numerical.go")
        subprocess.run(["go", "build", "-o", peer, source], check=True, env={**os.environ, "GO111MODULE": "off"})
    for name, (file, flags) in cases.items():
        runs, peers = [], []
        for _ in range(options.rounds):
            with open(f"{scratch}/{file}") as tags:
                runs.append(measure([options.binary, "policy", "select"] + flags, stdin=tags))
            if peer and "--filter" in flags:
                with open(f"{scratch}/{file}") as tags:
                    peers.append(measure([peer, flags[1], flags[3]], stdin=tags))
        results.append(row(name, runs))
        if peers:
            if peers[0]["printed"] != runs[0]["printed"]:
                raise SystemExit("the peer chose another tag")
            results.append(row("the same by Flux v2's algorithm, in Go", peers))


def poll(scratch, registry, options, results):
    """Every repository's tags are the same directory: the registry does not mind, and the disk holds one."""
    tags = f"{scratch}/tags"
    digest = "sha256:" + "0" * 64
    for number in range(1_000):
        folder = f"{tags}/v1.{number // 100}.{number % 100}/current"
        os.makedirs(folder)
        with open(f"{folder}/link", "w") as file:
            file.write(digest)
    root = f"{registry.root}/docker/registry/v2/repositories"
    work = f"{scratch}/work"
    os.makedirs(f"{work}/apps")
    for number in range(options.repositories):
        folder = f"{root}/shop/app-{number}/_manifests"
        os.makedirs(folder)
        os.symlink(tags, f"{folder}/tags")
        image = f"{registry.host}/shop/app-{number}:v1.9.99"
        with open(f"{work}/apps/app-{number}.yaml", "w") as file:
            file.write(
                "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n"
                f"  name: app-{number}\n  annotations:\n    fluxcd.io/automated: \"true\"\n"
                "    fluxcd.io/tag.app: semver:~1\nspec:\n  template:\n    spec:\n      containers:\n"
                f"        - name: app\n          image: {image}\n")
    git = lambda *words: subprocess.run(
        ["git", "-C", work, "-c", "user.name=t", "-c", "user.email=t@example.com", *words], check=True,
        stdout=subprocess.DEVNULL)
    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-qm", "apps")
    subprocess.run(["git", "clone", "-q", "--bare", work, f"{scratch}/apps.git"], check=True)
    config = f"{scratch}/agent.yaml"
    with open(config, "w") as file:
        file.write(
            f"stateDirectory: {scratch}/state\ninterval: 5s\n"
            f"registries: [{{host: '{registry.host}', insecure: true}}]\n"
            f"repositories: [{{name: r, url: '{scratch}/apps.git', branch: main}}]\n")
    agent = subprocess.Popen([options.binary, "agent", "--config", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    status = f"{scratch}/state/status-r.json"

    def cycle(after):
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if os.path.exists(status) and os.stat(status).st_mtime_ns > after:
                return os.stat(status).st_mtime_ns
            time.sleep(0.01)
        raise SystemExit("the agent made no cycle")

    def processor():
        """Seconds of the agent so far."""
        with open(f"/proc/{agent.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    try:
        seen = cycle(cycle(0))
        runs, counts = [], []
        for _ in range(options.rounds):
            used, before = processor(), registry.requests()
            seen = cycle(seen)
            with open(status) as file:
                seconds = sum(step["seconds"] for step in json.load(file)["steps"])
            with open(f"/proc/{agent.pid}/status") as file:
                resident = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
            runs.append({"seconds": seconds, "cpu": processor() - used, "kib": resident, "printed": ""})
            counts.append((registry.requests() - before) / options.repositories)
    finally:
        agent.send_signal(signal.SIGTERM)
        agent.wait()
    entry = row(f"the agent's poll of {options.repositories} unchanged repositories of 1,000 tags", runs)
    entry["requests"] = max(counts)
    entry["cpuMilliseconds"] = round(entry["cpu"] / options.repositories * 1000, 3)
    folder = f"{scratch}/state/inventory"
    entry["inventoryBytes"] = sum(
        os.path.getsize(os.path.join(path, name)) for path, _, names in os.walk(folder) for name in names)
    results.append(entry)


def pull(scratch, registry, options, results):
    """A base image is pulled, verified and unpacked for a step that does nothing; gzip only decompresses the same layer into a file."""
    for size in [100, 1_000]:
        context = f"{scratch}/pull-{size}"
        os.makedirs(context)
        source = random.Random(size)
        line = b"The quick brown fox jumps over the lazy dog, and does so again.\n" * 1024
        with open(f"{context}/data", "wb") as file:
            for number in range(size * 16):
                file.write(source.randbytes(64 << 10) if number % 2 else line)
        shutil.copy(shutil.which("busybox"), f"{context}/busybox")
        with open(f"{context}/Dockerfile", "w") as file:
            file.write("FROM scratch\nCOPY busybox /bin/busybox\nCOPY data /data\n")
        image = f"{registry.host}/base/large:{size}"
        common = ["--insecure-registry", registry.host, "--quiet"]
        measure([
            options.binary, "build", "--context", context, "--state-dir", f"{scratch}/push-{size}", "--destination", image]
            + common)
        os.remove(f"{context}/data")
        with open(f"{context}/Dockerfile", "w") as file:
            file.write(f'FROM {image}\nRUN ["/bin/busybox", "true"]\n')
        runs, peers = [], []
        blobs = f"{registry.root}/docker/registry/v2/blobs/sha256"
        layer = max(
            (os.path.join(path, name) for path, _, names in os.walk(blobs) for name in names), key=os.path.getsize)
        for number in range(options.rounds):
            runs.append(measure([
                options.binary, "build", "--context", context, "--state-dir", f"{scratch}/pull-state-{size}-{number}",
                "--no-push"] + common))
            peers.append(measure(["sh", "-c", f"gzip -dc {layer} > {scratch}/plain"]))
            os.remove(f"{scratch}/plain")
        results.append(row(f"an image with a layer of {size} MB pulled, verified and unpacked for a step", runs))
        results.append(row("gzip -dc of that layer into a file", peers))


def row(name, runs):
    entry = {"what": name, "printed": runs[-1]["printed"]}
    for key in ["seconds", "cpu"]:
        entry[key] = round(statistics.median(run[key] for run in runs), 3)
    entry["mb"] = round(statistics.median(run["kib"] for run in runs) / 1024, 1)
    print(json.dumps(entry), file=sys.stderr, flush=True)
    return entry


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cases", default="select,poll,pull")
    parser.add_argument("--repositories", type=int, default=1_000)
    parser.add_argument("--json")
    parser.add_argument("--markdown")
    options = parser.parse_args()
    options.binary = os.environ.get("SLIPWAY_BINARY") or sys.exit("set SLIPWAY_BINARY to a release build of slipway")
    scratch = tempfile.mkdtemp(prefix="slipway-poller-")
    results, registry = [], Registry(scratch, counts=True)
    try:
        for case in options.cases.split(","):
            if case == "select":
                select(scratch, options, results)
            else:
                {"poll": poll, "pull": pull}[case](scratch, registry, options, results)
    finally:
        registry.stop()
        shutil.rmtree(scratch, ignore_errors=True)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(results, file, indent=1)
    lines = ["| what | seconds | processor seconds | MB | |", "|---|---|---|---|---|"]
    for entry in results:
        more = ""
        if "requests" in entry:
            more = (f"{entry['requests']:.3f} requests and {entry['cpuMilliseconds']} ms of processor time for each repository; "
                    f"{entry['inventoryBytes'] / 1e6:.1f} MB of inventory")
        lines.append(f"| {entry['what']} | {entry['seconds']:.2f} | {entry['cpu']:.2f} | {entry['mb']:.0f} | {more} |")
    text = "\n".join(lines) + "\n"
    if options.markdown:
        with open(options.markdown, "w") as file:
            file.write(text)
    print(text)


main()
