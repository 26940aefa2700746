#!/usr/bin/env python3
"""Times an agent over many repositories: from nothing until all are built and committed, then what it costs while nothing happens.

    Benchmarks/fleet.py [--repositories 100,300] [--manifests 20] [--commits 1] [--interval 10] [--seconds 20] [--before BINARY]
                        [--json FILE] [--markdown FILE]

Needs SLIPWAY_BINARY (a release build) and git. Each repository is a local one with one build of a file, and workloads that run
its image and are annotated; images go into OCI layouts. `--before` names another binary, which does the same in the same run.
"""
import argparse, json, os, shutil, signal, subprocess, sys, tempfile, time, urllib.request

from harness import free_port, report

WORKLOAD = """apiVersion: apps/v1
kind: Deployment
metadata: {{name: w{file}, namespace: s, annotations: {{fluxcd.io/automated: "true"}}}}
spec: {{template: {{spec: {{containers: [{{name: app, image: registry.example.com/acme/r{number}:v0}}]}}}}}}
"""
BUILDS = """builds:
  - {{name: r{number}, context: app, destinations: [registry.example.com/acme/r{number}], tags: ["v{{build.number}}"]}}
"""


def repositories(folder, count, options):
    """Bare repositories, whose last commit has all that is built; `--commits` puts a history below it, each of them of two files."""
    for number in range(count):
        path = f"{folder}/r{number}.git"
        files = {".slipway.yaml": BUILDS.format(number=number), "app/Dockerfile": "FROM scratch\nCOPY x /x\n", "app/x": str(number)}
        for file in range(options.manifests):
            files[f"deploy/d{file}.yaml"] = WORKLOAD.format(file=file, number=number)
        stream = ""
        for commit in range(options.commits):
            stream += f"commit refs/heads/main\ncommitter a <a@example.com> {1_700_000_000 + commit} +0000\ndata 6\nchange\n"
            old = {f"old/{commit % 50}": f"{number} {commit}", "deploy/d0.yaml": f"# {commit}\n"}
            for name, text in (files if commit + 1 == options.commits else old).items():
                stream += f"M 100644 inline {name}\ndata {len(text)}\n{text}\n"
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", path], check=True)
        subprocess.run(["git", "-C", path, "fast-import", "--quiet"], input=stream.encode(), check=True)


class Agent:
    def __init__(self, binary, folder, port):
        self.port = port
        self.log = open(f"{folder}/log", "a")
        self.process = subprocess.Popen(
            [binary, "agent", "--config", f"{folder}/agent.yaml"], stdout=subprocess.DEVNULL, stderr=self.log)

    def metrics(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
                return answer.read().decode().splitlines()
        except OSError:
            return []

    def counted(self, name):
        return {line.rpartition(" ")[0] for line in self.metrics() if line.startswith(name) and float(line.split()[-1]) >= 1}

    def until(self, name, count, limit=600):
        """Seconds since the start until a counter of `count` repositories is above nothing."""
        start = time.monotonic()
        while len(self.counted(name)) < count:
            if self.process.poll() is not None:
                raise SystemExit(f"the agent ended; see {self.log.name}")
            if time.monotonic() - start > limit:
                raise SystemExit(f"only {len(self.counted(name))} of {count} after {limit} s; see {self.log.name}")
            time.sleep(0.25)
        return time.monotonic() - start

    def processor(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, name="VmRSS"):
        """MB."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(name)) / 1024

    def files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.log.close()


def run(binary, source, folder, count, options):
    """One agent over copies of the repositories, and a second one on what the first one left."""
    shutil.copytree(source, folder)
    port = free_port()
    with open(f"{folder}/agent.yaml", "w") as file:
        file.write(
            f"stateDirectory: {folder}/state\ninterval: {options.interval}s\nlisten: 127.0.0.1:{port}\n"
            f"registries: [{{host: registry.example.com, map: ['oci:{folder}/images']}}]\nrepositories:\n")
        for number in range(count):
            file.write(f"  - {{name: r{number}, url: '{folder}/r{number}.git', branch: main}}\n")
    result = {"repositories": count}

    def idle(agent, prefix):
        # What a commit brings on is over: each repository has been looked at twice since.
        time.sleep(2 * options.interval)
        used, start = agent.processor(), time.monotonic()
        time.sleep(options.seconds)
        result[prefix + "idle"] = round(100 * (agent.processor() - used) / (time.monotonic() - start), 1)
        result[prefix + "mb"] = round(agent.memory())
        result[prefix + "files"] = agent.files()

    agent = Agent(binary, folder, port)
    try:
        result["seconds"] = round(agent.until("slipway_commits_total{", count), 1)
        result["processor"] = round(agent.processor(), 1)
        result["highest"] = round(agent.memory("VmHWM"))
        idle(agent, "")
    finally:
        agent.stop()
    agent = Agent(binary, folder, port)
    try:
        agent.until("slipway_cycles_total{", count)
        idle(agent, "again ")
    finally:
        agent.stop()
    shutil.rmtree(folder)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repositories", default="100,300")
    parser.add_argument("--manifests", type=int, default=20)
    parser.add_argument("--commits", type=int, default=1)
    parser.add_argument("--interval", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--before")
    parser.add_argument("--json")
    parser.add_argument("--markdown")
    options = parser.parse_args()
    binary = os.environ.get("SLIPWAY_BINARY") or sys.exit("set SLIPWAY_BINARY to a release build of slipway")
    scratch = tempfile.mkdtemp(prefix="slipway-fleet-")
    results = []
    counts = [int(count) for count in options.repositories.split(",")]
    os.mkdir(f"{scratch}/source")
    for count in counts:
        source = f"{scratch}/source/{count}"
        os.mkdir(source)
        repositories(source, count, options)
        for name, which in [("now", binary), ("before", options.before)]:
            if which:
                result = {"binary": name, **run(which, source, f"{scratch}/run", count, options)}
                print(json.dumps(result), file=sys.stderr, flush=True)
                results.append(result)
    shutil.rmtree(scratch, ignore_errors=True)
    lines = [
        "| repositories | | all built and committed: s | processor s | highest MB | idle: % of a core | MB | open files | after a restart: % | MB |",
        "|---|---|---|---|---|---|---|---|---|---|"]
    for entry in results:
        lines.append(
            f"| {entry['repositories']} | {entry['binary']} | {entry['seconds']} | {entry['processor']} | {entry['highest']} | "
            f"{entry['idle']} | {entry['mb']} | {entry['files']} | {entry['again idle']} | {entry['again mb']} |")
    report(options, results, lines)


if __name__ == "__main__":
    main()
