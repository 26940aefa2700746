#!/usr/bin/env python3
"""Times the manifest updater on generated repositories, beside `kubectl kustomize` and ruamel.yaml on the same files.

    Benchmarks/manifests.py [--rounds N] [--files 5000] [--cases all-marked,few-marked,cycle,commit,peers] [--json FILE] [--markdown FILE]

Needs SLIPWAY_BINARY (a release build) and git; kubectl and Python's ruamel.yaml take part where they are there. Each case is run
N times (default 3); the median is what counts, with the lowest and highest beside it.
"""
import argparse, json, os, platform, resource, shutil, signal, statistics, subprocess, sys, tempfile, time

from harness import measure

CASES = ["all-marked", "few-marked", "cycle", "commit", "peers"]

DOCUMENT = """---
# workload {name}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: shop
  labels:
    app.kubernetes.io/name: {name}
spec:
  replicas: 2
  selector:
    matchLabels:
      app: {name}
  template:
    metadata:
      labels:
        app: {name}
    spec:
      containers:
        - name: app
          image: registry.example.com/shop/web:v1.2.3{marker}
          ports:
            - containerPort: 8080
              name: http
          env:
            - name: LOG_LEVEL
              value: "info"   # quiet
          resources:
            limits: {{cpu: 500m, memory: 256Mi}}
"""
MARKER = ' # {"$imagepolicy": "shop:web"}'


def write(folder, count, marked, documents=3):
    """`count` files in folders of 100; every file whose number is below `marked` carries markers."""
    for number in range(count):
        path = f"{folder}/{number // 100:03}"
        if number % 100 == 0:
            os.makedirs(path, exist_ok=True)
        with open(f"{path}/app-{number:05}.yaml", "w") as file:
            for document in range(documents):
                file.write(DOCUMENT.format(name=f"app-{number}-{document}", marker=MARKER if number < marked else ""))


def measured(command, **options):
    """Seconds, processor seconds and the highest resident memory (MB) of one run."""
    run = measure(command, **options)
    return {"seconds": run["seconds"], "mb": round(run["kib"] / 1024, 1), "cpu": run["cpu"]}


def summary(rounds):
    result = {}
    for key in rounds[0]:
        values = [one[key] for one in rounds]
        result[key] = {"median": statistics.median(values), "low": min(values), "high": max(values)}
    return result


def update(binary, count, marked, rounds):
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        write(scratch, count, marked)
        for number in range(rounds):
            # Every round writes another tag, so that each has all to do.
            results.append(
                measured([
                    binary, "update", scratch, "--resolved", f"shop:web=registry.example.com/shop/web:v2.{number}.0",
                    "--output", "json"
                ]))
            done = int(subprocess.check_output(
                ["grep", "-rc", "--include=*.yaml", "-h", f"web:v2.{number}.0", scratch]).split().count(b"3"))
            if done != marked:
                raise SystemExit(f"{done} files were updated, not {marked}")
    return summary(results)


def git(*words):
    subprocess.run(["git", "-c", "user.name=b", "-c", "user.email=b@example.com", "-c", "gc.auto=0", *words], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


POLICY = """apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {{name: web, namespace: shop}}
spec: {{image: registry.example.com/shop/web}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {{name: web, namespace: shop}}
spec:
  imageRepositoryRef: {{name: web}}
  policy: {{semver: {{range: '{range}'}}}}
"""


class Repository:
    """A bare repository with a work tree of somebody who pushes to it, and an image repository as a layout."""

    def __init__(self, scratch, count, marked, documents=1, versions=4):
        self.scratch, self.bare, self.work = scratch, f"{scratch}/r.git", f"{scratch}/work"
        git("init", "-q", "--bare", "-b", "main", self.bare)
        git("init", "-q", "-b", "main", self.work)
        write(f"{self.work}/apps", count, marked, documents)
        with open(f"{self.work}/policy.yaml", "w") as file:
            file.write(POLICY.format(range="~1.2"))
        git("-C", self.work, "remote", "add", "origin", self.bare)
        self.push("first")
        self.images = f"{scratch}/images/shop/web"
        os.makedirs(os.path.dirname(self.images))
        subprocess.run(["umoci", "init", "--layout", self.images], check=True)
        for tag in ["v1.2.3"] + [f"v{number}.0.0" for number in range(2, versions + 1)]:
            subprocess.run(["umoci", "new", "--image", f"{self.images}:{tag}"], check=True)
            subprocess.run(["umoci", "config", "--image", f"{self.images}:{tag}", "--config.label", f"t={tag}"], check=True)

    def push(self, message):
        git("-C", self.work, "add", "-A")
        git("-C", self.work, "commit", "-q", "-m", message)
        git("-C", self.work, "push", "-q", "origin", "HEAD:main")

    def configuration(self):
        path = f"{self.scratch}/agent.yaml"
        with open(path, "w") as file:
            file.write(
                f"stateDirectory: {self.scratch}/state\ninterval: 1s\n"
                f"registries: [{{host: registry.example.com, map: ['oci:{self.scratch}/images']}}]\n"
                f"repositories: [{{name: r, url: '{self.bare}', branch: main}}]\n")
        return path


def cycles(binary, count, rounds):
    """The agent's own figures for cycles with nothing new, and for cycles with one changed file."""
    with tempfile.TemporaryDirectory() as scratch:
        repository = Repository(scratch, count, 0)
        agent = subprocess.Popen([binary, "agent", "--config", repository.configuration()], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        status = f"{scratch}/state/status-r.json"

        def report(after, revision=None):
            deadline = time.monotonic() + 120
            while time.monotonic() < deadline:
                try:
                    if os.stat(status).st_mtime_ns > after:
                        found = json.load(open(status))
                        if found.get("failures"):
                            raise SystemExit(f"the cycle failed: {found['failures']}")
                        if revision in (None, found.get("revision")):
                            return os.stat(status).st_mtime_ns, {
                                "seconds": sum(step["seconds"] for step in found["steps"])}
                except (FileNotFoundError, json.JSONDecodeError):
                    pass
                time.sleep(0.02)
            raise SystemExit("the agent made no cycle")

        try:
            seen, first = report(0)
            unchanged, changed = [], []
            for number in range(rounds):
                seen, one = report(seen)
                unchanged.append(one)
            for number in range(rounds):
                with open(f"{repository.work}/apps/000/app-00007.yaml", "a") as file:
                    file.write(f"# {number}\n")
                repository.push(f"change {number}")
                head = subprocess.check_output(["git", "-C", repository.work, "rev-parse", "HEAD"], text=True).strip()
                seen, one = report(seen, head)
                changed.append(one)
            return {"first": summary([first]), "unchanged": summary(unchanged), "changed": summary(changed)}
        finally:
            agent.send_signal(signal.SIGTERM)
            agent.wait()


def commits(binary, edits, rounds):
    """The phases rewrite and commit of a cycle with so many edited files."""
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        # Every round goes on to the next version: a marker never goes back.
        repository = Repository(scratch, edits * 2, edits, versions=rounds + 1)
        config = repository.configuration()
        for number in range(rounds):
            git("-C", repository.work, "pull", "-q", "--rebase", "origin", "main")
            with open(f"{repository.work}/policy.yaml", "w") as file:
                file.write(POLICY.format(range=f"~{number + 2}"))
            repository.push("range")
            out = subprocess.run([binary, "sync", "--config", config, "--output", "json"], check=True, capture_output=True)
            report = json.loads(out.stdout)[0]
            if len(report["updates"]) != edits:
                raise SystemExit(f"{len(report['updates'])} updates, not {edits}")
            phases = {}
            for step in report["steps"]:
                phases[step["phase"]] = phases.get(step["phase"], 0) + step["seconds"]
            results.append({"rewrite": phases["rewrite"], "commit": phases["commit"]})
    return summary(results)


RUAMEL = """
import sys, glob
from ruamel.yaml import YAML
yaml = YAML()
yaml.preserve_quotes = True
for path in sorted(glob.glob(sys.argv[1] + '/*/*.yaml')):
    with open(path) as file: documents = list(yaml.load_all(file))
    for document in documents:
        for container in document['spec']['template']['spec']['containers']: container['image'] = sys.argv[2]
    with open(path, 'w') as file: yaml.dump_all(documents, file)
"""


def peers(binary, count, rounds):
    """The same job for all: another image in every document of `count` files."""
    results = {}
    with tempfile.TemporaryDirectory() as scratch:
        write(f"{scratch}/a", count, count)
        results["slipway update"] = summary([
            measured([binary, "update", f"{scratch}/a", "--resolved", f"shop:web=registry.example.com/shop/web:v2.{n}.0"])
            for n in range(rounds)
        ])
        try:
            import ruamel.yaml  # noqa: F401
            results["ruamel.yaml"] = summary([
                measured([sys.executable, "-c", RUAMEL, f"{scratch}/a", f"registry.example.com/shop/web:v3.{n}.0"])
                for n in range(rounds)
            ])
        except ImportError:
            print("without ruamel.yaml: it is not installed", file=sys.stderr)
        if shutil.which("kubectl"):
            names = []
            for folder, _, files in os.walk(f"{scratch}/a"):
                names += [os.path.relpath(f"{folder}/{name}", f"{scratch}/a") for name in files]
            with open(f"{scratch}/a/kustomization.yaml", "w") as file:
                file.write("resources:\n" + "".join(f"- {name}\n" for name in sorted(names)))
                file.write("images:\n- {name: registry.example.com/shop/web, newTag: v9}\n")
            results["kubectl kustomize (prints, writes nothing back)"] = summary([
                measured(["kubectl", "kustomize", f"{scratch}/a"]) for _ in range(rounds)
            ])
        else:
            print("without kubectl: it is not installed", file=sys.stderr)
    return results


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "")
    memory = next(int(line.split()[1]) // 1024 for line in open("/proc/meminfo") if line.startswith("MemTotal"))
    return f"{os.cpu_count()} × {model}, {memory} MB, Linux {platform.release()}"


def cell(value, unit):
    text = lambda number: f"{number * 1000:.0f} ms" if unit == "s" and number < 1 else f"{number:.2f} s" if unit == "s" else f"{number:.0f} MB"
    return f"{text(value['median'])} ({text(value['low'])} – {text(value['high'])})"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--json")
    parser.add_argument("--markdown")
    options = parser.parse_args()
    binary = os.path.abspath(os.environ["SLIPWAY_BINARY"])
    cases = options.cases.split(",")
    result = {"machine": machine(), "load": os.getloadavg()[0], "rounds": options.rounds, "files": options.files}
    rows = []

    def add(what, figures, target=""):
        time_ = figures.get("seconds") or figures
        rows.append((what, cell(time_, "s"), cell(figures["mb"], "MB") if "mb" in figures else "", target))

    if "all-marked" in cases:
        result["all-marked"] = update(binary, options.files, options.files, options.rounds)
        add(f"`slipway update`: {options.files} files × 3 documents, all marked", result["all-marked"], "< 1 s, < 100 MB")
    if "few-marked" in cases:
        result["few-marked"] = update(binary, options.files, options.files // 10, options.rounds)
        add(f"`slipway update`: {options.files} files × 3 documents, {options.files // 10} marked", result["few-marked"])
    if "cycle" in cases:
        result["cycle"] = cycles(binary, options.files * 2, options.rounds)
        add(f"first cycle over {options.files * 2} manifests, repository cloned", result["cycle"]["first"])
        add(f"cycle over {options.files * 2} manifests, nothing new", result["cycle"]["unchanged"], "< 50 ms")
        add(f"cycle over {options.files * 2} manifests, one file changed", result["cycle"]["changed"], "< 60 ms")
    if "commit" in cases:
        result["commit"] = commits(binary, options.files // 10, options.rounds)
        add(f"{options.files // 10} edits computed and proved", result["commit"]["rewrite"])
        add(f"commit of {options.files // 10} edits", result["commit"]["commit"], "< 500 ms")
    if "peers" in cases:
        result["peers"] = peers(binary, options.files // 5, options.rounds)
        for name, figures in result["peers"].items():
            add(f"{name}: {options.files // 5} files × 3 documents", figures)
    text = "| what | time: median (lowest – highest) | memory | target |\n|---|---|---|---|\n"
    text += "".join("| " + " | ".join(row) + " |\n" for row in rows)
    print(json.dumps(result))
    print(text, file=sys.stderr)
    if options.json:
        json.dump(result, open(options.json, "w"), indent=1)
    if options.markdown:
        with open(options.markdown, "w") as file:
            file.write(
                "# Manifests: speed\n\nMade by `Benchmarks/manifests.py`; what each row does is said there.\n\n"
                f"Machine: {result['machine']}; {options.rounds} rounds; load average at the start {result['load']:.1f}.\n\n" + text)


if __name__ == "__main__":
    main()
