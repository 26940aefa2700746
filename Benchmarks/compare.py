#!/usr/bin/env python3
"""Builds the same contexts with Slipway and its peers, side by side in one run, and writes what it saw as JSON and as a table.

    Benchmarks/compare.py [--rounds N] [--cases small,many,...|all] [--tools slipway,...] [--scale N] [--phases] [--layers]
                          [--kaniko-without-cache]
                          [--json FILE] [--markdown FILE]

Every tool pushes to a docker-registry of this run on loopback. A cold build starts with no state at all: neither base nor cache.
The rounds go through the tools in turn, so that what else the machine does meets all of them. Needs root, SLIPWAY_BINARY,
docker-registry, mmdebstrap and buildah. A kaniko executor and BuildKit take part when KANIKO_EXECUTOR, or BUILDKITD and BUILDCTL,
name them (both are built from their sources by `go build -mod=vendor`); kaniko is run in a chroot of its own, and BuildKit's daemon
is there before a build begins.

Cases beside the usual ones, when they are named: `steps` (60 small RUN steps), `stages` (200 stages, each used by the last),
`node-modules` (100,000 files, copied and read by a step), `large` (a context of 5 GB, of which 1 % changes) and `two` (two builds at once).
--tools: only these of slipway, buildah, kaniko and buildkit; slipway is always there.
--scale: the size of `large`, 1.0 by default; 0.1 is 500 MB.

--kaniko-without-cache: kaniko neither asks nor fills its cache, which makes its cold builds faster, and all others slower.
--phases: one more cold build of each case by Slipway, and where its time went. --layers: the memory that a layer of 200 MB and one of
2 GB take.
"""
import argparse, json, os, platform, random, shlex, shutil, statistics, subprocess, sys, tempfile, time

from harness import Registry, measure

CASES = ["small", "many", "big", "fan-out", "wide-root"]
MORE_CASES = ["steps", "stages", "node-modules", "large", "two"]
LARGE_FILE = 5 << 20


def log(text):
    print(text, file=sys.stderr, flush=True)


class Slipway:
    name = "slipway"

    def __init__(self, scratch, registry):
        self.scratch, self.registry, self.count = scratch, registry, 0
        self.binary = os.environ["SLIPWAY_BINARY"]
        self.fresh()

    def fresh(self):
        # A new place each time: removing thousands of files just before would be paid by the next build on ext4.
        self.count += 1
        self.state = f"{self.scratch}/slipway-{self.count}"

    def build(self, context, image, shown="--quiet"):
        return [
            self.binary, "build", shown, "--state-dir", self.state, "--context", context, "--insecure-registry",
            self.registry.host, "--destination", image]


class Buildah:
    name = "buildah"

    def __init__(self, scratch, registry):
        self.scratch, self.registry, self.count = scratch, registry, 0
        self.policy = f"{scratch}/policy.json"
        with open(self.policy, "w") as file:
            file.write('{"default":[{"type":"insecureAcceptAnything"}]}')
        self.fresh()

    def fresh(self):
        self.count += 1
        self.storage = f"{self.scratch}/buildah-{self.count}"

    def build(self, context, image):
        root = f"--root {self.storage} --runroot {self.storage}-run --storage-driver overlay"
        check = f"--tls-verify=false --signature-policy {self.policy}"
        return ["sh", "-ec",
            f"buildah {root} build {check} --isolation chroot --layers -q -t {image} {context}\n"
            f"buildah {root} push -q {check} {image}"]


class Kaniko:
    """Rewrites the root that it runs in, so it gets one of its own."""
    name = "kaniko"

    def __init__(self, scratch, registry, caches=True):
        self.scratch, self.registry, self.count, self.runs, self.caches = scratch, registry, 0, 0, caches
        self.binary = os.environ["KANIKO_EXECUTOR"]
        self.fresh()

    def fresh(self):
        self.count += 1
        self.cache = f"kaniko-cache-{self.count}"

    def build(self, context, image):
        # Its root is that of a new container; to make it is not kaniko's work.
        self.runs += 1
        root = f"{self.scratch}/kaniko-root-{self.runs}"
        for folder in ["kaniko", "proc", "dev", "workspace", "etc", "tmp"]:
            os.makedirs(f"{root}/{folder}")
        shutil.copy(self.binary, f"{root}/kaniko/executor")
        for file in ["/etc/hosts", "/etc/resolv.conf"]:
            shutil.copy(file, f"{root}/etc/")
        os.sync()
        cache = f" --cache --cache-copy-layers --cache-repo {self.registry.host}/{self.cache}" if self.caches else ""
        return ["unshare", "-m", "--pid", "--fork", "sh", "-ec",
            f"mount --bind {context} {root}/workspace; mount -t proc proc {root}/proc; mount --rbind /dev {root}/dev\n"
            f"exec chroot {root} /kaniko/executor --force --context dir:///workspace --destination {image} --insecure"
            f" --insecure-pull{cache}"]


class BuildKit:
    name = "buildkit"

    def __init__(self, scratch, registry):
        self.scratch, self.registry, self.count, self.daemon = scratch, registry, 0, None
        self.fresh()

    def fresh(self):
        self.stop()
        self.count += 1
        folder = f"{self.scratch}/buildkit-{self.count}"
        os.makedirs(folder)
        self.address = f"unix://{folder}/socket"
        with open(f"{folder}/buildkitd.toml", "w") as file:
            file.write(f'[registry."{self.registry.host}"]\n  http = true\n')
        self.daemon = subprocess.Popen([
            os.environ["BUILDKITD"], "--root", f"{folder}/root", "--addr", self.address, "--config", f"{folder}/buildkitd.toml",
            "--oci-worker-snapshotter", "overlayfs"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while subprocess.run([os.environ["BUILDCTL"], "--addr", self.address, "debug", "workers"], capture_output=True).returncode:
            if time.monotonic() > deadline:
                raise SystemExit("buildkitd did not start")
            time.sleep(0.1)

    def build(self, context, image):
        return [
            os.environ["BUILDCTL"], "--addr", self.address, "build", "--frontend", "dockerfile.v0", "--local", f"context={context}",
            "--local", f"dockerfile={context}", "--output", f"type=image,name={image},push=true,registry.insecure=true"]

    def peak(self):
        """The daemon's highest memory so far, in KiB."""
        with open(f"/proc/{self.daemon.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:"))

    def stop(self):
        if self.daemon:
            self.daemon.terminate()
            self.daemon.wait()


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())


def half_random(size, seed):
    """Blocks that cannot be compressed and blocks that can, in turn."""
    source = random.Random(seed)
    pieces, block = [], 64 << 10
    line = b"The quick brown fox jumps over the lazy dog, and does so again, %d times.\n"
    for number in range(size // block):
        if number % 2:
            pieces.append(source.randbytes(block))
        else:
            text = b"".join(line % (number * 7919 + index) for index in range(block // 70))
            pieces.append(text[:block].ljust(block, b"."))
    return b"".join(pieces)


def more_contexts(folder, base, cases, scale):
    """Those that are made only for who names them: they take minutes, or gigabytes."""
    if "steps" in cases:
        write(f"{folder}/steps/file", "content\n")
        steps = "".join(f"RUN echo {number} > /srv/{number}\n" for number in range(60))
        write(f"{folder}/steps/Dockerfile", f"FROM {base}\nCOPY file /srv/file\n{steps}")
    if "stages" in cases:
        write(f"{folder}/stages/file", "content\n")
        stages = "".join(f"FROM {base} AS s{n}\nCOPY file /r{n}\n" for n in range(199))
        copies = "".join(f"COPY --from=s{n} /r{n} /r/\n" for n in range(199))
        write(f"{folder}/stages/Dockerfile", f"{stages}FROM {base}\n{copies}")
    if "node-modules" in cases:
        for number in range(100_000):
            write(f"{folder}/node-modules/node_modules/p{number // 50}/lib/f{number}.js", f"exports.f = () => {number};\n" * (number % 30))
        write(f"{folder}/node-modules/main.js", "require('p1');\n")
        write(f"{folder}/node-modules/Dockerfile",
              f"FROM {base}\nCOPY node_modules /app/node_modules\nCOPY main.js /app/\n"
              "RUN cat /app/node_modules/*/lib/*1.js | md5sum > /app/sum\n")
    if "large" in cases:
        for number in range(max(1, int(1000 * scale))):
            write(f"{folder}/large/data/d{number // 100}/f{number}", half_random(LARGE_FILE, number))
        write(f"{folder}/large/Dockerfile", f"FROM {base}\nCOPY data /srv/data\nRUN ls -R /srv/data > /srv/list\n")
    if "two" in cases:
        for name in ["a", "b"]:
            for number in range(2_000):
                write(f"{folder}/two/{name}/files/f{number}", f"content of {name} {number}\n" * (number % 40))
            write(f"{folder}/two/{name}/Dockerfile",
                  f"FROM {base}\nCOPY files /srv/files\nRUN cat /srv/files/* | md5sum > /srv/sum\n")


def changes(case, context, scale):
    """The files that change for the third build of a case."""
    names = {"small": ["file"], "many": ["files/d0/f1"], "big": ["data"], "node-modules": ["node_modules/p7/lib/f351.js"]}.get(case, [])
    if case == "large":
        names = [f"data/d{number // 100}/f{number}" for number in range(0, max(1, int(1000 * scale)), 100)]
    return [f"{context}/{name}" for name in names]


def command(tool, case, context, image):
    """`two` is two builds that run at once."""
    if case != "two":
        return tool.build(context, image)
    both = [shlex.join(tool.build(f"{context}/{name}", f"{image}-{name}")) for name in ["a", "b"]]
    return ["sh", "-c", f"{both[0]} & first=$!; {both[1]} & second=$!; wait $first && wait $second"]


def contexts(scratch, base, cases):
    folder = f"{scratch}/contexts"
    if "small" in cases:
        write(f"{folder}/small/file", "content\n")
        write(f"{folder}/small/Dockerfile", f"FROM {base}\nCOPY file /srv/file\nRUN cat /srv/file > /srv/copy\n")
    if "many" in cases:
        for number in range(20_000):
            write(f"{folder}/many/files/d{number // 500}/f{number}", f"content of {number}\n" * (number % 40))
        write(f"{folder}/many/Dockerfile",
              f"FROM {base}\nCOPY files /srv/files\nRUN for i in 0 1 2 3 4 5 6 7 8 9; do echo x >> /srv/files/d$i/new; done\n"
              "RUN echo a > /srv/a\nRUN echo b > /srv/b\nRUN echo c > /srv/c\n")
    if "big" in cases:
        write(f"{folder}/big/data", half_random(300 << 20, 1))
        write(f"{folder}/big/Dockerfile", f"FROM {base}\nCOPY data /srv/data\nRUN head -c 104857600 /srv/data > /srv/part\n")
    if "fan-out" in cases:
        write(f"{folder}/fan-out/file", "content\n")
        work = "RUN i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo {0} > /{0}"
        stages = "".join(f"FROM {base} AS s{n}\nCOPY file /file\n{work.format(f'r{n}')}\n" for n in range(4))
        copies = "".join(f"COPY --from=s{n} /r{n} /r{n}\n" for n in range(4))
        write(f"{folder}/fan-out/Dockerfile", f"{stages}FROM {base}\n{copies}")
    if "wide-root" in cases:
        write(f"{folder}/wide-root/Dockerfile", f"FROM {base}-wide\nRUN echo x > /srv/x\n")
    return folder


def bases(scratch, registry, is_wide):
    """Debian, and the same with 100,000 more files where that is wanted."""
    name = f"{registry.host}/base/debian:1"
    root = f"{scratch}/debian"
    subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", "bookworm", root], check=True)
    write(f"{scratch}/base.Dockerfile", "FROM scratch\nCOPY . /\nCMD [\"sh\"]\n")
    write(f"{scratch}/base.Dockerfile.dockerignore", "dev/*\n")
    push = lambda image: subprocess.run([
        os.environ["SLIPWAY_BINARY"], "build", "--quiet", "--state-dir", f"{scratch}/base-state", "--context", root, "--dockerfile",
        f"{scratch}/base.Dockerfile", "--insecure-registry", registry.host, "--destination", image], check=True, stdout=subprocess.DEVNULL)
    push(name)
    if not is_wide:
        return name
    for number in range(100_000):
        write(f"{root}/usr/share/wide/d{number // 1000}/f{number}", f"{number}\n")
    push(name + "-wide")
    return name


def table(results, tools, rounds):
    lines = ["| case | " + " | ".join(f"{tool}: s (MB)" for tool in tools) + " | "
             + " | ".join(f"{tool} / slipway" for tool in tools[1:]) + " |",
             "|---" * (len(tools) * 2) + "|"]
    for case in dict.fromkeys(entry["case"] for entry in results):
        cells, medians = [], {}
        for tool in tools:
            runs = [entry for entry in results if entry["case"] == case and entry["tool"] == tool]
            if not runs:
                cells.append("–")
                continue
            medians[tool] = statistics.median(run["seconds"] for run in runs)
            cells.append(f"{medians[tool]:.2f} ({max(run['kib'] for run in runs) // 1024})")
        ratios = [f"{medians[tool] / medians['slipway']:.1f}" if tool in medians else "–" for tool in tools[1:]]
        lines.append(f"| {case} | " + " | ".join(cells + ratios) + " |")
    lines.append("")
    lines.append(f"Median wall seconds of {rounds} rounds, the push included; in brackets the highest memory of one process, "
                 "for BuildKit of its daemon since it began.")
    return "\n".join(lines) + "\n"


def shown(steps):
    """Each step's seconds, or of many those of each kind together."""
    if len(steps) <= 12:
        return ", ".join(f"{name} {seconds:.2f}" for name, seconds in steps)
    kinds = {}
    for name, seconds in steps:
        kinds.setdefault(name, []).append(seconds)
    return ", ".join(
        f"{len(all)} × {name} {min(all):.2f} to {max(all):.2f}, median {statistics.median(all):.2f}" for name, all in kinds.items())


def phases(slipway, folder, cases):
    """Where the time of a cold build goes, by its own events."""
    lines = ["| case | plan | base ready after | steps | last upload and manifest | all |", "|---|---|---|---|---|---|"]
    for case in cases:
        slipway.fresh()
        os.sync()
        image = f"{slipway.registry.host}/phases/{case}:1"
        start = time.monotonic()
        build = subprocess.Popen(
            slipway.build(f"{folder}/{case}", image, "--progress=json"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True)
        first = base = end = None
        steps, begun = [], {}
        for line in build.stderr:
            now, event = time.monotonic() - start, json.loads(line)
            if event["event"] == "step":
                first = now if first is None else first
                begun[event["stage"]] = event["text"].split()[0]
            elif event["event"] == "base":
                base = now
            elif event["event"] == "finished":
                end = now
                steps.append((begun[event["stage"]], event["seconds"]))
        if build.wait():
            raise SystemExit(f"failed: {case}")
        whole = time.monotonic() - start
        base = f"{base:.2f}" if base else "–"
        lines.append(f"| {case} | {first:.2f} | {base} | {shown(steps)} | {whole - end:.2f} | {whole:.2f} |")
        log(lines[-1])
    return "\n".join(lines) + "\n"


def layers(slipway, scratch):
    """The memory that layers of very different sizes take."""
    lines = ["| layers of | s | MB |", "|---|---|---|"]
    # Room for what is large: what the builds before left is not needed any more.
    for name in os.listdir(scratch):
        if name.startswith(("slipway-", "buildah-", "kaniko-root-")):
            shutil.rmtree(f"{scratch}/{name}", ignore_errors=True)
    for size in [200, 2000]:
        context = f"{scratch}/layer-{size}"
        piece = half_random(100 << 20, size)
        os.makedirs(context)
        with open(f"{context}/data", "wb") as file:
            for _ in range(size // 100):
                file.write(piece)
        write(f"{context}/Dockerfile", f"FROM {slipway.registry.host}/base/debian:1\nCOPY data /srv/data\nRUN cp /srv/data /srv/copy\n")
        slipway.fresh()
        os.sync()
        run = measure(slipway.build(context, f"{slipway.registry.host}/layers/l{size}:1"))
        lines.append(f"| {size} MB, twice | {run['seconds']:.1f} | {run['kib'] / 1024:.1f} |")
        log(lines[-1])
        shutil.rmtree(context)
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--tools", default="slipway,buildah,kaniko,buildkit")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--kaniko-without-cache", action="store_true")
    parser.add_argument("--phases", action="store_true")
    parser.add_argument("--layers", action="store_true")
    parser.add_argument("--json")
    parser.add_argument("--markdown")
    options = parser.parse_args()
    if "SLIPWAY_BINARY" not in os.environ or os.geteuid() != 0:
        raise SystemExit("run as root with SLIPWAY_BINARY naming a release build of slipway")
    cases = CASES + MORE_CASES if options.cases == "all" else options.cases.split(",")
    unknown = [case for case in cases if case not in CASES + MORE_CASES]
    if unknown:
        raise SystemExit(f"there is no case {', '.join(unknown)}; there are {', '.join(CASES + MORE_CASES)}")
    scratch = tempfile.mkdtemp(prefix="slipway-bench-")
    registry = Registry(scratch)
    results, tools, more = [], [], []
    try:
        log("preparing base images and contexts")
        base = bases(scratch, registry, is_wide="wide-root" in cases)
        folder = contexts(scratch, base, cases)
        more_contexts(folder, base, cases, options.scale)
        wanted = options.tools.split(",")
        tools = [Slipway(scratch, registry)]
        if "buildah" in wanted:
            tools.append(Buildah(scratch, registry))
        if "kaniko" in wanted and os.environ.get("KANIKO_EXECUTOR"):
            tools.append(Kaniko(scratch, registry, caches=not options.kaniko_without_cache))
        if "buildkit" in wanted and os.environ.get("BUILDKITD") and os.environ.get("BUILDCTL"):
            tools.append(BuildKit(scratch, registry))
        for case in cases:
            for round in range(options.rounds):
                for tool in tools:
                    tool.fresh()
                    image = f"{registry.host}/{tool.name}/{case}-{round}:1"
                    context = f"{folder}/{case}"
                    changed = changes(case, context, options.scale)
                    plan = [(case, []), (f"{case}, unchanged", [])]
                    if changed:
                        plan.append((f"{case}, {'1 %' if case == 'large' else 'one file'} changed", changed))
                    for name, files in plan:
                        for file in files:
                            with open(file, "r+b" if os.path.getsize(file) else "wb") as handle:
                                handle.write(random.randbytes(8))
                        # Writing what was prepared is nobody's work but ours.
                        os.sync()
                        try:
                            run = measure(command(tool, case, context, image))
                        except SystemExit:
                            # A peer that cannot build a case has a dash in its row.
                            if tool.name == "slipway":
                                raise
                            log(f"{name:28} {tool.name:9} failed")
                            break
                        del run["printed"]
                        if hasattr(tool, "peak"):
                            run["kib"] = max(run["kib"], tool.peak())
                        results.append({"case": name, "tool": tool.name, "round": round, **run})
                        log(f"{name:28} {tool.name:9} {run['seconds']:7.2f} s  {run['kib'] // 1024:5} MB  cpu {run['cpu']:.2f} s")
        if options.phases:
            more.append(phases(tools[0], folder, [case for case in cases if case != "two"]))
        if options.layers:
            more.append(layers(tools[0], scratch))
    finally:
        for tool in tools:
            if hasattr(tool, "stop"):
                tool.stop()
        registry.stop()
        shutil.rmtree(scratch, ignore_errors=True)
    text = "\n".join([table(results, [tool.name for tool in tools], options.rounds)] + more)
    machine = {"processors": os.cpu_count(), "kernel": platform.release(), "machine": platform.machine()}
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"machine": machine, "results": results}, file, indent=1)
    if options.markdown:
        with open(options.markdown, "w") as file:
            file.write(text)
    print(text)


main()
