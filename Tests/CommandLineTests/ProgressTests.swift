import Agent
import Builder
import Diagnostics
import Foundation
import OCI
import Synchronization
import TestSupport
import Testing

@testable import CommandLine

/// A blob of a made-up repository, and the events of it.
private struct Blob {
    let id: BlobTransfer.ID
    let size: Int64
    let place: ImageLocation

    init(_ direction: BlobTransfer.Direction, _ name: String, _ size: Int64, at place: String = "r.example/app") throws
    {
        self.place = try ImageLocation(place)
        id = .init(direction, .sha256(of: Array(name.utf8)), self.place.repository)
        self.size = size
    }

    func moved(_ bytes: Int64) -> BuildEvent { .transfer(BlobTransfer(id, bytes: bytes, of: size)) }
    var done: BuildEvent { .transfer(BlobTransfer(id, bytes: size, of: size, .done)) }
    var stopped: BuildEvent { .transfer(BlobTransfer(id, bytes: size / 2, of: size, .stopped)) }

    func pushed(_ outcome: BuildEvent.BlobOutcome) -> BuildEvent {
        .blobPushed(id.digest, size: size, outcome: outcome, to: place)
    }
}

@Suite(.tags(.unit)) struct LiveProgressTests {
    /// A view that is drawn into a file.
    private final class Bench {
        private let scratch: TemporaryDirectory
        private let file: FileHandle
        let view: LiveProgress

        init() throws {
            scratch = try TemporaryDirectory("live-progress")
            try Data().write(to: URL(fileURLWithPath: scratch.file("screen")))
            file = try FileHandle(forWritingTo: URL(fileURLWithPath: scratch.file("screen")))
            // Other tests start programs, which would inherit that signals are ignored.
            view = LiveProgress(showsTimes: false, signals: [], Console(terminal: file.fileDescriptor))
        }

        deinit { view.finish() }

        /// All that was written, in whole lines.
        var lines: [String] {
            get throws {
                let text = String(
                    decoding: try Data(contentsOf: URL(fileURLWithPath: scratch.file("screen"))), as: UTF8.self)
                return text.components(separatedBy: "\n").dropLast()
                    .map { $0.replacing(/\u{1B}\[[0-9]*[A-Z]/, with: "") }
            }
        }

        /// The last line of the view after some events, without its time.
        func show(_ events: BuildEvent...) throws -> String {
            for event in events { view.handle(event) }
            // A line above the view draws it again at once.
            view.handle(.note("-"))
            let line = try #require(try lines.last { $0.hasPrefix("building ") })
            return line.replacing(/^building [0-9.]+s(, )?/, with: "")
        }
    }

    @Test func `bytes on their way`() throws {
        let bench = try Bench()
        #expect(try bench.show() == "")
        let (one, two) = (try Blob(.pull, "one", 40_000_000), try Blob(.pull, "two", 7_100_000))
        #expect(try bench.show(one.moved(0)) == "0 B of 40.0 MB pulled")
        #expect(try bench.show(two.moved(1_500_000), one.moved(16_900_000)) == "18.4 MB of 47.1 MB pulled")
        // One is complete: the sum does not fall.
        #expect(try bench.show(one.done) == "41.5 MB of 47.1 MB pulled")
        let layer = try Blob(.push, "layer", 52_000_000)
        #expect(
            try bench.show(.inStage("a", layer.moved(3_200_000)))
                == "41.5 MB of 47.1 MB pulled, 3.2 MB of 52.0 MB pushed")
        #expect(try bench.show(two.done) == "47.1 MB pulled, 3.2 MB of 52.0 MB pushed")
        // The image's own event comes on top, and counts nothing again.
        #expect(
            try bench.show(.basePulled(name: "base", digest: one.id.digest, bytes: 47_100_000))
                == "47.1 MB pulled, 3.2 MB of 52.0 MB pushed")
        #expect(try bench.show(layer.pushed(.uploaded)) == "47.1 MB pulled, 52.0 MB pushed")
        #expect(try bench.show(layer.done) == "47.1 MB pulled, 52.0 MB pushed")
        #expect(try bench.lines.contains("base base (47.1 MB)"))
    }

    @Test func `what begins anew counts once`() throws {
        let bench = try Bench()
        let blob = try Blob(.pull, "blob", 10_000_000)
        #expect(try bench.show(blob.moved(9_000_000)) == "9.0 MB of 10.0 MB pulled")
        #expect(try bench.show(blob.moved(1_000_000)) == "1.0 MB of 10.0 MB pulled")
        #expect(try bench.show(blob.done) == "10.0 MB pulled")
    }

    @Test func `what fails or was not needed leaves nothing`() throws {
        let bench = try Bench()
        let (pull, push) = (try Blob(.pull, "a", 2_000_000), try Blob(.push, "a", 2_000_000))
        #expect(try bench.show(pull.moved(1), push.moved(2)) == "1 B of 2.0 MB pulled, 2 B of 2.0 MB pushed")
        #expect(try bench.show(pull.stopped) == "2 B of 2.0 MB pushed")
        #expect(try bench.show(push.stopped) == "")
        // From another layout it is copied, and yet mounted.
        #expect(try bench.show(push.moved(1_000), push.pushed(.mounted), push.stopped) == "")
        #expect(try bench.show(push.pushed(.existed)) == "")
    }

    /// The base's layer comes for the push, and goes to two places.
    @Test func `a blob of several repositories`() throws {
        let bench = try Bench()
        let pull = try Blob(.pull, "a", 1_000_000, at: "r.example/base")
        let (one, two) = (try Blob(.push, "a", 1_000_000), try Blob(.push, "a", 1_000_000, at: "other.example/app"))
        #expect(try bench.show(pull.moved(0), pull.done) == "1.0 MB pulled")
        #expect(try bench.show(one.moved(500_000), two.moved(100_000)) == "1.0 MB pulled, 600.0 kB of 2.0 MB pushed")
        #expect(try bench.show(one.pushed(.uploaded), one.done) == "1.0 MB pulled, 1.1 MB of 2.0 MB pushed")
        #expect(try bench.show(two.stopped) == "1.0 MB pulled, 1.0 MB pushed")
    }

    /// A manifest may promise anything.
    @Test func `absurd sizes`() throws {
        let bench = try Bench()
        let huge = [try Blob(.pull, "a", .max), try Blob(.pull, "b", .max), try Blob(.pull, "c", -5)]
        #expect(
            try bench.show(huge[0].moved(1), huge[1].moved(1), huge[2].moved(0)).hasPrefix("2 B of 9223372036.8 GB"))
        #expect(try bench.show(huge[0].stopped, huge[1].stopped, huge[2].stopped) == "")
    }

    /// 80 columns, and sums that do not fit.
    @Test func `a sum is shown as a whole or not at all`() throws {
        var events: [BuildEvent] = []
        for index in 1...30 {
            events.append(
                .inStage(
                    "s\(index)", .stepStarted(stage: "s\(index)", index: 1, of: 1, text: "RUN x", location: nil)))
        }
        let bench = try Bench()
        for event in events { bench.view.handle(event) }
        let (pull, push) = (try Blob(.pull, "a", 1_234_500_000_000), try Blob(.push, "b", 999_900_000))
        #expect(
            try bench.show(pull.moved(1_234_400_000_000), push.moved(999_800_000))
                == "1234.4 GB of 1234.5 GB pulled, 8 more under way")
        #expect(try bench.show(pull.stopped) == "999.8 MB of 999.9 MB pushed, 8 more under way")
    }

    @Test func `plain lines tell what is complete`() throws {
        let said = Mutex<[String]>([])
        let lines = BuildProgress { line in said.withLock { $0.append(line) } }
        let (pull, push) = (try Blob(.pull, "a", 2_000_000), try Blob(.push, "a", 2_000_000))
        for event in [pull.moved(0), pull.moved(1), push.moved(2), pull.done, push.stopped] {
            lines.handle(event)
            lines.handle(.inStage("a", event))
        }
        #expect(said.withLock { $0 } == [])
        lines.handle(push.pushed(.uploaded))
        #expect(said.withLock { $0 } == ["  uploaded \(push.id.digest) (2.0 MB)"])
    }
}

@Suite(.tags(.unit)) struct PlainProgressTests {
    private static let foreign = "\u{1B}[2Ja\nb\u{9B}c\u{202E}d"
    private static let events: [BuildEvent] = [
        .stepStarted(
            stage: foreign, index: 1, of: 2, text: "RUN " + foreign, location: .init(file: "Dockerfile", line: 1)),
        .stepOutput(.stdout, Array((foreign + "\n").utf8)), .stepExplained("changed: \(foreign)"),
        .note(foreign), .basePulled(name: foreign, digest: .sha256(of: []), bytes: 1),
        .inStage(foreign, .note(foreign)),
    ]

    @Test(arguments: events.indices) func `foreign text neither steers the terminal nor begins a line`(event: Int) {
        let said = Mutex<[String]>([])
        let lines = BuildProgress { line in said.withLock { $0.append(line) } }
        lines.handle(Self.events[event])
        let text = said.withLock { $0 }
        #expect(!text.isEmpty)
        for line in text {
            #expect(!line.unicodeScalars.contains { $0.value < 0x20 || (0x7f..<0xa0).contains($0.value) }, "\(line)")
            #expect(!line.unicodeScalars.contains("\u{202E}"), "\(line)")
        }
    }
}

@Suite(.tags(.unit)) struct StepOutputTests {
    @Test func `the same output with colours and without`() {
        let output = Array("\u{1B}[32mok\u{1B}[0m\rOK\nno end".utf8)
        for (keepsColours, expected) in [(true, "OK"), (false, "OK")] {
            let said = Mutex<[String]>([])
            let lines = BuildProgress(keepsColours: keepsColours) { line in said.withLock { $0.append(line) } }
            lines.handle(
                .stepStarted(
                    stage: "", index: 1, of: 1, text: "RUN printf '\u{1B}[31mx'", location: nil))
            lines.handle(.stepOutput(.stdout, output))
            lines.handle(.stepFinished(duration: .zero))
            #expect(said.withLock { $0 } == ["  [1/1] RUN printf 'x'", "    | \(expected)", "    | no end"])
        }
        let said = Mutex<[String]>([])
        let lines = BuildProgress(keepsColours: true) { line in said.withLock { $0.append(line) } }
        lines.handle(.stepOutput(.stdout, Array("\u{1B}[31mred\n".utf8)))
        #expect(said.withLock { $0 } == ["    | \u{1B}[31mred\u{1B}[0m"])
    }
}

@Suite(.tags(.unit)) struct JSONProgressTests {
    private struct Line: Decodable, Equatable {
        var event: String
        var digest: String?
        var bytes: Int64?
        var of: Int64?
        var direction: String?
        var image: String?
    }

    /// Lines with a clock of their own.
    private final class Bench: Sendable {
        private let time = Mutex(ContinuousClock.now)
        private let written = Mutex<[String]>([])

        func progress() -> JSONProgress {
            JSONProgress(
                now: { self.time.withLock { $0 } }, write: { line in self.written.withLock { $0.append(line) } })
        }

        func wait(_ milliseconds: Int) { time.withLock { $0 += .milliseconds(milliseconds) } }

        /// What was written since it was asked for last.
        func lines() throws -> [Line] {
            let texts = written.withLock { written in
                defer { written.removeAll() }
                return written
            }
            return try texts.map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
        }
    }

    private func line(_ blob: Blob, _ bytes: Int64) -> Line {
        Line(
            event: "transfer", digest: "\(blob.id.digest)", bytes: bytes, of: blob.size,
            direction: blob.id.direction.rawValue, image: "\(blob.id.repository)")
    }

    @Test func `once a second for each blob`() throws {
        let bench = Bench()
        let progress = bench.progress()
        let (pull, push) = (try Blob(.pull, "a", 9_000_000), try Blob(.push, "a", 9_000_000))
        progress.handle(pull.moved(0))
        bench.wait(999)
        progress.handle(pull.moved(1_000_000))
        progress.handle(push.moved(1_000_000))
        #expect(try bench.lines() == [], "small blobs are told of when they are complete")
        bench.wait(1)
        progress.handle(pull.moved(2_000_000))
        progress.handle(push.moved(2_000_000))
        #expect(try bench.lines() == [line(pull, 2_000_000)])
        bench.wait(999)
        progress.handle(pull.moved(3_000_000))
        progress.handle(push.moved(3_000_000))
        #expect(try bench.lines() == [line(push, 3_000_000)])
        bench.wait(1)
        // It began anew.
        progress.handle(.inStage("stage", pull.moved(500_000)))
        #expect(try bench.lines() == [line(pull, 500_000)])
        bench.wait(5_000)
        progress.handle(pull.done)
        progress.handle(push.stopped)
        #expect(try bench.lines() == [], "the end of a blob has an event of its own")
        progress.handle(push.pushed(.uploaded))
        #expect(
            try bench.lines() == [
                Line(event: "blob", digest: "\(push.id.digest)", bytes: 9_000_000, image: "\(push.place)")
            ])
    }
}
