import Foundation
import TestSupport
import Testing

/// SIGKILL at any moment of `slipway build`: what is left behind neither stops nor changes the builds that follow.
@Suite(.tags(.endToEnd)) struct BuildKillTests {
    /// The same numbers in every run.
    private struct Numbers: RandomNumberGenerator {
        var state: UInt64 = 0x9e37_79b9_7f4a_7c15

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
        try FileManager.default.createDirectory(atPath: scratch.file("context"), withIntermediateDirectories: true)
        try Data(Self.dockerfile.utf8).write(to: URL(fileURLWithPath: scratch.file("context/Dockerfile")))
    }

    private func write(_ number: Int) throws {
        try Data("\(number)\n".utf8).write(to: URL(fileURLWithPath: scratch.file("context/number")))
    }

    private func process(state: String) throws -> (Process, progress: FileHandle, result: FileHandle) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "--default-signal", try Loop.binary, "build", "--context", scratch.file("context"), "--state-dir",
            scratch.file(state), "--destination", "oci:\(scratch.file("out")):latest", "--build-context",
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

    private func build(state: String) throws -> (digest: String, bytes: Int) {
        let (process, progress, result) = try process(state: state)
        let told = try progress.readToEnd() ?? Data()
        let digest = String(decoding: try result.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw TestSupportError("the build failed:\n\(String(decoding: told, as: UTF8.self))")
        }
        return (digest.trimmingCharacters(in: .whitespacesAndNewlines), told.count)
    }

    /// Kills a build when it has told so many bytes of its progress.
    private func kill(after bytes: Int, state: String) throws -> Bool {
        let (process, progress, _) = try process(state: state)
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

    @Test func aHundredTimes() throws {
        try write(0)
        let length = try build(state: "state").bytes
        var numbers = Numbers()
        var killed = 0
        let start = ContinuousClock.now
        for number in 1...100 {
            // Something is to be done each time.
            try write(number)
            if try kill(after: Int.random(in: 1...length, using: &numbers), state: "state") { killed += 1 }
        }
        print("\(killed) of 100 builds were killed, in \(ContinuousClock.now - start)")
        #expect(killed > 50)
        for number in [100, 101] {
            try write(number)
            let after = try build(state: "state").digest
            #expect(after == (try build(state: "fresh-\(number)").digest))
        }
        // What the dead left is gone with the next build.
        let left = try FileManager.default.contentsOfDirectory(atPath: scratch.file("state/builds"))
        #expect(left.isEmpty)
        let image = scratch.file("copy")
        try Shell.run([
            "skopeo", "copy", "--insecure-policy", "oci:\(scratch.file("out")):latest", "dir:\(image)",
        ])
    }
}
