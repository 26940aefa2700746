#!/usr/bin/env python3
"""Loads an agent's server while its repositories are at work: readers of events that stay, and requests without a pause.

    Benchmarks/server.py [--repositories 50] [--readers 500] [--rate 200] [--seconds 60] [--interval 5] [--json FILE] [--markdown FILE]

Needs SLIPWAY_BINARY (a release build) and git. All repositories are local ones with one annotated workload each, whose images are in a
registry in memory. Images are pushed all the time, so that cycles commit. First the agent works alone, then under the load, for as long;
memory is sampled each second. What loads it is a process of its own, which yields to the agent (nice 19): readers and callers are
other machines' work.
"""
import argparse, asyncio, json, os, random, shutil, statistics, subprocess, sys, tempfile, threading, time, urllib.request

from fleet import Agent
from harness import free_port, report
from slow_registry import SlowRegistry
from webhook import head, repositories

PATHS = ["/api/v1/status", "/", "/metrics", "/readyz", "/api/v1/repositories", "/api/v1/repositories/r0/cycle", "/healthz"]


async def reader(port, counts):
    """Reads events until it is cancelled."""
    stream, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    try:
        while line := await stream.readline():
            counts["events"] += line.startswith(b"event:")
        counts["dropped"] += 1
    finally:
        writer.close()


async def requests(port, rate, counts, times):
    """Sends requests at a rate over a few connections that stay."""
    due = asyncio.Queue()

    async def client():
        stream = writer = None
        while True:
            path = await due.get()
            start = time.monotonic()
            try:
                if writer is None:
                    stream, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: */*\r\n\r\n".encode())
                answer = (await stream.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = next(int(l.split(":")[1]) for l in answer.split("\r\n") if l.lower().startswith("content-length:"))
                await stream.readexactly(length)
                counts["answers" if answer.split()[1] == "200" else "failed"] += 1
            except (OSError, asyncio.IncompleteReadError, StopIteration):
                counts["failed"] += 1
                writer = None
            times.append(time.monotonic() - start)

    clients = [asyncio.create_task(client()) for _ in range(16)]
    begin, sent = time.monotonic(), 0
    try:
        while True:
            while sent < (time.monotonic() - begin) * rate:
                due.put_nowait(PATHS[sent % len(PATHS)])
                sent += 1
            await asyncio.sleep(0.01)
    finally:
        for task in clients:
            task.cancel()


async def load(port, options):
    counts, times = dict(events=0, dropped=0, answers=0, failed=0), []
    tasks = []
    for number in range(options.readers):
        tasks.append(asyncio.create_task(reader(port, counts)))
        if number % 50 == 49:
            await asyncio.sleep(0.05)
    tasks.append(asyncio.create_task(requests(port, options.rate, counts, times)))
    print("ready", flush=True)
    await asyncio.sleep(options.seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    times.sort()
    print(json.dumps(dict(counts, median=times[len(times) // 2], p99=times[len(times) * 99 // 100])), flush=True)


def histogram(agent, name):
    """Sum and count over all series."""
    while not (lines := agent.metrics()):
        time.sleep(0.1)
    total = lambda suffix: sum(float(l.split()[-1]) for l in lines if l.startswith(f"{name}_{suffix}"))
    return total("sum"), total("count") or sum(float(l.split()[-1]) for l in lines if l.startswith("slipway_cycles_total"))


def phase(agent, seconds):
    """How long cycles took in these seconds, and the memory of the agent."""
    memory, used, start = [], agent.processor(), time.monotonic()
    before = histogram(agent, "slipway_cycle_seconds")
    while time.monotonic() - start < seconds:
        memory.append(agent.memory())
        time.sleep(1)
    after = histogram(agent, "slipway_cycle_seconds")
    third = max(1, len(memory) // 3)
    return {
        "cycles": int(after[1] - before[1]), "ms": round(1000 * (after[0] - before[0]) / max(1, after[1] - before[1]), 1),
        "first": round(statistics.mean(memory[:third])), "last": round(statistics.mean(memory[-third:])), "most": round(max(memory)),
        "processor": round(100 * (agent.processor() - used) / (time.monotonic() - start))}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repositories", type=int, default=50)
    parser.add_argument("--readers", type=int, default=500)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--interval", type=int, default=5)
    parser.add_argument("--load", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--json")
    parser.add_argument("--markdown")
    options = parser.parse_args()
    if options.load:
        return asyncio.run(load(options.load, options))
    binary = os.environ.get("SLIPWAY_BINARY") or sys.exit("set SLIPWAY_BINARY to a release build of slipway")
    scratch, registry, port = tempfile.mkdtemp(prefix="slipway-server-"), SlowRegistry(0), free_port()
    repositories(scratch, registry, options.repositories)
    with open(f"{scratch}/agent.yaml", "w") as file:
        file.write(
            f"stateDirectory: {scratch}/state\ninterval: {options.interval}s\nlisten: 127.0.0.1:{port}\n"
            f"registries: [{{host: '{registry.host}', insecure: true}}]\nrepositories:\n")
        for number in range(options.repositories):
            file.write(f"  - {{name: r{number}, url: '{scratch}/r{number}.git', branch: main}}\n")
    agent, stop = Agent(binary, scratch, port), threading.Event()

    def push():
        """An image each second."""
        while not stop.wait(1):
            number, version = random.randrange(options.repositories), f"1.{time.time_ns() // 1000}.0"
            registry.add(f"acme/r{number}", version, "2024-01-02T00:00:00Z", {"n": version})

    results = []
    try:
        agent.until("slipway_cycles_total{", options.repositories)
        threading.Thread(target=push, daemon=True).start()
        time.sleep(2 * options.interval)
        results.append(dict(what="alone", **phase(agent, options.seconds)))
        client = subprocess.Popen(
            [sys.executable, __file__, "--load", str(port), "--readers", str(options.readers), "--rate", str(options.rate),
             "--seconds", str(options.seconds + 5)], stdout=subprocess.PIPE, text=True, preexec_fn=lambda: os.nice(19))
        client.stdout.readline()
        time.sleep(2)
        results.append(dict(what="under load", **phase(agent, options.seconds)))
        results[-1].update(json.loads(client.stdout.readline()))
        client.wait()
    finally:
        stop.set()
        agent.stop()
        registry.stop()
        shutil.rmtree(scratch, ignore_errors=True)
    lines = [
        "| | cycles | a cycle: ms | memory, first and last third: MB | most | processor: % | requests answered, failed | answer, median and 99 %: ms | events read |",
        "|---|---|---|---|---|---|---|---|---|"]
    for e in results:
        answers = f"{e['answers']}, {e['failed']}" if "answers" in e else ""
        times = f"{1000 * e['median']:.1f}, {1000 * e['p99']:.1f}" if "median" in e else ""
        lines.append(
            f"| {e['what']} | {e['cycles']} | {e['ms']} | {e['first']}, {e['last']} | {e['most']} | {e['processor']} | {answers} | {times} "
            f"| {e.get('events', '')} |")
    report(options, results, lines)


if __name__ == "__main__":
    main()
