import Foundation
import Synchronization
import TestSupport
import Testing

/// SIGKILL at any moment of `slipway build`: what is left behind neither stops nor changes the builds that follow.
@Suite(.tags(.endToEnd)) struct BuildKillTests {
    /// The same numbers in every run.
    private struct Numbers: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state
        }
    }

    private static let dockerfile = """
        FROM busybox AS made
        RUN i=0; while [ $i -lt 20 ]; do echo line $i; echo $i > /tmp/$i; i=$((i + 1)); done
        COPY number /number
        RUN cat /number; mkdir /made; cp /tmp/* /made/; ln /made/1 /made/one; rm /srv/old.txt
        FROM busybox
        WORKDIR /work
        COPY --from=made /made ./
        COPY number /etc/number
        """

    private let scratch: TemporaryDirectory
    private let base: String

    init() throws {
        scratch = try TemporaryDirectory("build-kill")
        base = String(try ImageFixtures.busybox(at: scratch.file("base")).dropFirst("oci:".count))
    }

    /// Two builds at a time, each with a context of its own.
    private func context(_ lane: Int) -> String { scratch.file("context-\(lane)") }

    private func write(_ number: Int, _ lane: Int) throws {
        try FileManager.default.createDirectory(atPath: context(lane), withIntermediateDirectories: true)
        try Data(Self.dockerfile.utf8).write(to: URL(fileURLWithPath: context(lane) + "/Dockerfile"))
        try Data("\(number)\n".utf8).write(to: URL(fileURLWithPath: context(lane) + "/number"))
    }

    private func process(_ lane: Int, state: String) throws -> (Process, progress: FileHandle, result: FileHandle) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "--default-signal", try Loop.binary, "build", "--context", context(lane), "--state-dir",
            scratch.file(state), "--destination", "oci:\(scratch.file("out")):lane-\(lane)", "--build-context",
            "busybox=oci-layout://\(base)", "--build-arg", "SOURCE_DATE_EPOCH=1700000000",
        ]
        process.environment = ["HOME": scratch.path, "PATH": "/usr/bin:/bin"]
        let progress = Pipe()
        let result = Pipe()
        process.standardError = progress
        process.standardOutput = result
        process.standardInput = FileHandle.nullDevice
        try process.run()
        return (process, progress.fileHandleForReading, result.fileHandleForReading)
    }

    private func build(_ lane: Int, state: String) throws -> (digest: String, bytes: Int) {
        let (process, progress, result) = try process(lane, state: state)
        let told = try progress.readToEnd() ?? Data()
        let digest = String(decoding: try result.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw TestSupportError("the build failed:\n\(String(decoding: told, as: UTF8.self))")
        }
        return (digest.trimmingCharacters(in: .whitespacesAndNewlines), told.count)
    }

    /// Kills a build when it has told so many bytes of its progress.
    private func kill(after bytes: Int, _ lane: Int, state: String) throws -> Bool {
        let (process, progress, _) = try process(lane, state: state)
        var told = 0
        while told < bytes {
            var piece = [UInt8](repeating: 0, count: bytes - told)
            let count = read(progress.fileDescriptor, &piece, piece.count)
            if count <= 0 { break }
            told += count
        }
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        return process.terminationReason == .uncaughtSignal
    }

    /// A hundred, or as many as `SLIPWAY_KILLS` says. A program built for debugging spends a second on its arguments alone, so
    /// that it is killed less often unless somebody asks for more.
    private static var times: Int {
        get throws {
            let wanted = ProcessInfo.processInfo.environment["SLIPWAY_KILLS"].flatMap { Int($0) }
            return try wanted ?? (Loop.binary.contains("/release/") ? 100 : 30)
        }
    }

    @Test func atRandomMoments() throws {
        let turns = max(1, try Self.times / 2)
        try write(0, 0)
        let length = try build(0, state: "state").bytes
        let killed = Mutex(0)
        let start = ContinuousClock.now
        // Two at a time over one state directory.
        DispatchQueue.concurrentPerform(iterations: 2) { lane in
            var numbers = Numbers(state: 0x9e37_79b9_7f4a_7c15 &+ UInt64(lane))
            for turn in 1...turns {
                do {
                    // Something is to be done each time.
                    try write(turn * 2 + lane, lane)
                    let moment = Int.random(in: 1...length, using: &numbers)
                    if try kill(after: moment, lane, state: "state") { killed.withLock { $0 += 1 } }
                } catch {
                    Issue.record(error)
                }
            }
        }
        let count = killed.withLock { $0 }
        print("\(count) of \(turns * 2) builds were killed, in \(ContinuousClock.now - start)")
        #expect(count > turns)
        for lane in [0, 1] {
            try write(turns * 2 + lane, lane)
            let after = try build(lane, state: "state").digest
            #expect(after == (try build(lane, state: "fresh-\(lane)").digest))
            try Shell.run([
                "skopeo", "copy", "--insecure-policy", "oci:\(scratch.file("out")):lane-\(lane)",
                "dir:\(scratch.file("copy-\(lane)"))",
            ])
        }
        // What the dead left is gone with the next build.
        let left = try FileManager.default.contentsOfDirectory(atPath: scratch.file("state/builds"))
        #expect(left.isEmpty)
    }
}
