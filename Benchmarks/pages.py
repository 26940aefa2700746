#!/usr/bin/env python3
"""Measures the agent's pages: their sizes and first bytes, a log of many lines in Chromium, and how soon a line of a step is on the page.

    Benchmarks/pages.py [--lines 100000] [--samples 20] [--json FILE] [--markdown FILE]

Needs SLIPWAY_BINARY (a release build), git, busybox and chromium. Chromium is driven over its own pipe (`--remote-debugging-pipe`). Ten
repositories of one Dockerfile each; one of them prints `--lines` lines in a step, one prints 400, one prints the time again and again.
"""
import argparse, http.client, json, os, shutil, statistics, subprocess, sys, tempfile, time, urllib.request

from harness import free_port, report


class Chromium:
    """One page in headless Chromium, by the DevTools protocol: messages end with a NUL."""

    def __init__(self, scratch):
        to_read, self.to = os.pipe()
        self.of, from_write = os.pipe()
        os.set_inheritable(to_read, True)
        os.set_inheritable(from_write, True)
        command = (
            f"exec chromium --headless --no-sandbox --disable-gpu --remote-debugging-pipe --window-size=1280,900 "
            f"--user-data-dir={scratch}/chromium about:blank 3<&{to_read} 4>&{from_write}")
        self.process = subprocess.Popen(["bash", "-c", command], close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(from_write)
        self.buffer, self.number = b"", 0
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        self.session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        self.call("Page.enable")

    def call(self, method, parameters=None):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters or {}}
        if getattr(self, "session", None):
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.next()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise SystemExit(f"chromium: {method}: {answer['error']}")
                return answer["result"]

    def next(self):
        while b"\0" not in self.buffer:
            piece = os.read(self.of, 1 << 20)
            if not piece:
                raise SystemExit("chromium ended")
            self.buffer += piece
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def run(self, script):
        """What a script of the page's comes to; promises are waited for."""
        result = self.call("Runtime.evaluate", {"expression": script, "awaitPromise": True, "returnByValue": True})
        if "exceptionDetails" in result:
            raise SystemExit(f"chromium: {result['exceptionDetails']}")
        return result["result"].get("value")

    def open(self, address):
        """Seconds until the page is loaded and painted."""
        start = time.monotonic()
        self.call("Page.navigate", {"url": address})
        while self.run("document.readyState + ' ' + location.href").split(" ")[0] != "complete":
            time.sleep(0.02)
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return time.monotonic() - start

    def stop(self):
        self.process.kill()
        self.process.wait()


def git(*arguments):
    subprocess.run(["git", "-c", "user.name=B", "-c", "user.email=b@example.com", *arguments], check=True, stdout=subprocess.DEVNULL)


def repository(scratch, name, steps):
    work, bare = f"{scratch}/work/{name}", f"{scratch}/git/{name}.git"
    os.makedirs(f"{work}/app")
    git("init", "-q", "--initial-branch=main", work)
    with open(f"{work}/app/Dockerfile", "w") as file:
        file.write("\n".join(["FROM busybox:1.0", *steps]) + "\n")
    with open(f"{work}/.slipway.yaml", "w") as file:
        file.write(
            f"builds:\n  - name: web\n    context: app\n    destinations: [registry.example.com/acme/{name}]\n"
            "    tags: ['v{build.number}']\n")
    git("-C", work, "add", "-A")
    git("-C", work, "commit", "-qm", f"Add {name}")
    git("clone", "-q", "--bare", work, bare)
    return bare


def first_byte(port, path, count=30):
    """The median in ms over one connection, and the size of the answer."""
    connection, times = http.client.HTTPConnection("127.0.0.1", port), []
    for _ in range(count):
        start = time.monotonic()
        connection.request("GET", path, headers={"Accept": "text/html"})
        answer = connection.getresponse()
        answer.peek(1)
        times.append(time.monotonic() - start)
        size = len(answer.read())
    return round(statistics.median(times) * 1000, 1), size


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--json")
    parser.add_argument("--markdown")
    options = parser.parse_args()
    slipway = os.environ["SLIPWAY_BINARY"]
    scratch = tempfile.mkdtemp(prefix="slipway-pages.")
    os.environ["HOME"] = scratch
    agent = browser = None
    try:
        os.makedirs(f"{scratch}/base/bin")
        shutil.copy(shutil.which("busybox"), f"{scratch}/base/bin/busybox")
        for applet in ("sh", "cat", "seq", "cut", "sleep", "awk"):
            os.symlink("busybox", f"{scratch}/base/bin/{applet}")
        with open(f"{scratch}/base.Dockerfile", "w") as file:
            file.write('FROM scratch\nCOPY . /\nCMD ["/bin/sh"]\n')
        subprocess.run(
            [slipway, "build", "--state-dir", f"{scratch}/base-state", "--context", f"dir://{scratch}/base", "--dockerfile",
             f"{scratch}/base.Dockerfile", "--destination", f"oci:{scratch}/images/library/busybox:1.0", "--quiet"], check=True)
        many = f"RUN awk 'BEGIN {{ for (i = 1; i <= {options.lines}; i++) print \"line \" i \" of the many\" }}'"
        steps = {
            "long": [many, "RUN while :; do echo more; sleep 1; done"],
            "short": ["RUN seq 400"],
            "clock": ["RUN while :; do cut -d' ' -f1 /proc/uptime; sleep 0.7; done"],
        }
        names = list(steps) + [f"r{i}" for i in range(7)]
        for name in names:
            repository(scratch, name, steps.get(name, ["RUN seq 3"]))
        port = free_port()
        entries = "\n".join(f'  - {{name: {n}, url: "file://{scratch}/git/{n}.git", branch: main}}' for n in names)
        with open(f"{scratch}/agent.yaml", "w") as file:
            file.write(
                f"stateDirectory: {scratch}/state\nlisten: 127.0.0.1:{port}\ninterval: 1h\nbuilds: {{concurrency: 3}}\nregistries:\n"
                f'  - {{host: docker.io, map: ["oci:{scratch}/images"]}}\n  - {{host: registry.example.com, map: ["oci:{scratch}/images"]}}\n'
                f"repositories:\n{entries}\n")
        agent = subprocess.Popen([slipway, "agent", "--config", f"{scratch}/agent.yaml"], stdout=subprocess.DEVNULL, stderr=open(f"{scratch}/log", "w"))

        def ask(path):
            return json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1{path}"))

        def build(name):
            return ask(f"/repositories/{name}/builds")["builds"][0]

        def until(what, test):
            deadline = time.monotonic() + 180
            while time.monotonic() < deadline:
                try:
                    if test():
                        return
                except (OSError, IndexError):
                    pass
                time.sleep(0.2)
            raise SystemExit(f"{what} did not happen: " + open(f"{scratch}/log").read()[-2000:])

        until("the builds", lambda: all(build(n)["state"] == "succeeded" for n in names if n not in ("long", "clock")))
        until("the long log", lambda: len(build("long")["steps"]) == 2 and len(build("clock")["steps"]) == 1)
        results = {"first byte": {}}
        long, short, clock = (build(n)["id"] for n in ("long", "short", "clock"))
        paths = {
            "fleet, 10 repositories": "/", "repository": "/repositories/short", "build, 400 lines": f"/builds/{short}?all=1",
            f"build, {options.lines:,} lines": f"/builds/{long}", "search": "/search?q=v", "not there": "/repositories/shrt",
        }
        for what, path in paths.items():
            results["first byte"][what] = first_byte(port, path)
        base = f"http://127.0.0.1:{port}"
        browser = Chromium(scratch)
        whole = f"{base}/builds/{long}?all=1"
        results["load"] = browser.open(f"{base}/builds/{long}")
        results["load all"] = browser.open(whole + "&live=0")
        results["lines on the page"] = browser.run("document.querySelectorAll('.log p').length")
        jump = "new Promise(done => { const t = performance.now(); location.hash = '1:%d'; requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - t))); })"
        results["jump"] = browser.run(jump % (options.lines * 73 // 100)) / 1000
        results["jumped to"] = browser.run("document.querySelector('.log .on')?.id ?? 'nothing'")
        append = """new Promise(done => { const t = performance.now(), log = [...document.querySelectorAll('.log')].pop();
            for (let i = 0; i < 100; i++) log.append(log.querySelector('p').cloneNode(true));
            requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - t))); })"""
        results["append"] = browser.run(append) / 1000
        # The page is followed as a reader has it, beside an unfolded step, a row's place and the focus.
        browser.open(f"{base}/builds/{clock}")
        browser.run("""window.seen = []; document.getElementById('lq').focus();
            new MutationObserver(all => { for (const one of all) for (const p of one.addedNodes) if (p.id?.includes(':'))
              seen.push([p.lastChild.textContent, performance.timeOrigin + performance.now()]); })
            .observe(document.getElementById('main'), { childList: true, subtree: true })""")
        offset = time.time() - float(open("/proc/uptime").read().split()[0])
        until("lines on the page", lambda: browser.run("seen.length") >= options.samples)
        delays = []
        for text, at in browser.run("seen"):
            try:
                delays.append(at / 1000 - offset - float(text))
            except ValueError:
                pass
        results["line"] = [statistics.median(delays), max(delays)]
        results["focus kept"] = browser.run("document.activeElement.id") == "lq"
        lines = ["| page | first byte: ms | size: kB |", "|---|---|---|"]
        lines += [f"| {what} | {ms} | {size / 1000:.1f} |" for what, (ms, size) in results["first byte"].items()]
        lines += [
            "", f"| {results['lines on the page']:,} lines in Chromium | s |", "|---|---|",
            f"| load the page, first and last lines | {results['load']:.2f} |", f"| load all lines | {results['load all']:.2f} |",
            f"| jump to {results['jumped to']} | {results['jump']:.2f} |", f"| append 100 lines | {results['append']:.2f} |",
            f"| from a step's output to its line on the page, median and longest of {len(delays)} | {results['line'][0]:.2f}, {results['line'][1]:.2f} |",
            "", f"The focus was {'kept' if results['focus kept'] else 'lost'}."]
        report(options, results, lines)
    finally:
        if browser:
            browser.stop()
        if agent:
            agent.terminate()
            agent.wait()
        subprocess.run(["chmod", "-R", "u+rwX", scratch], stderr=subprocess.DEVNULL)
        shutil.rmtree(scratch, ignore_errors=True)


main()
