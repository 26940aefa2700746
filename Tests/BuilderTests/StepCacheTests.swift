import Builder
import Foundation
import OCI
import Sandbox
import TestSupport
import Testing

/// Steps are done once: the layer of a step is found again by what it is made from.
@Suite(.tags(.integration), .thorough) struct StepCacheTests {
    /// One letter a step with a layer: `c` from the cache, `w` written.
    private static func trace(_ log: EventLog) -> String {
        log.all.reduce(into: "") { trace, event in
            switch event {
            case .stepCached: trace += "c"
            case .layerWritten: trace += "w"
            default: break
            }
        }
    }

    private static let dockerfile = """
        FROM busybox
        COPY a /a
        RUN cat /a > /copy-of-a
        COPY b /b
        RUN cat /b > /copy-of-b
        """

    @Test func doesNothingTwice() async throws {
        let bench = try await Workbench()
        try bench.write("a", "a")
        try bench.write("b", "b")
        let first = try await bench.build(Self.dockerfile)
        #expect(Self.trace(first.log) == "wwww")
        let second = try await bench.build(Self.dockerfile)
        #expect(Self.trace(second.log) == "cccc")
        #expect(second.image.manifestDigest == first.image.manifestDigest)
        let fresh = try await bench.build(Self.dockerfile) { $0.noCache = true }
        #expect(Self.trace(fresh.log) == "wwww")
        #expect(fresh.image.manifestDigest == first.image.manifestDigest)
    }

    /// Whether steps can be isolated is not tried for steps that are known.
    @Test func nothingIsTriedForWhatIsKnown() async throws {
        let bench = try await Workbench()
        try bench.write("a", "a")
        try bench.write("b", "b")
        let tried = EventLog()
        func build(_ dockerfile: String) async throws -> Int {
            let state = bench.directory.file("state")
            let before = tried.all.count
            let isolation = Isolation(stateDirectory: state) { _ in tried.append(.note("tried")) }
            let builder = try Builder(stateDirectory: state, registry: bench.registry, isolation: isolation)
            _ = try await builder.build(try bench.request(dockerfile)) { _ in }
            return tried.all.count - before
        }
        #expect(try await build("FROM busybox\nCOPY a /a\n") == 0)
        #expect(try await build(Self.dockerfile) == 1)
        #expect(try await build(Self.dockerfile) == 0)
    }

    @Test func beginsWhereSomethingChanged() async throws {
        let bench = try await Workbench()
        try bench.write("a", "a")
        try bench.write("b", "b")
        _ = try await bench.build(Self.dockerfile)
        try bench.write("b", "other")
        let changed = try await bench.build(Self.dockerfile, tag: "changed")
        #expect(Self.trace(changed.log) == "ccww")
        #expect(try changed.text("copy-of-b") == "other")
        #expect(try changed.text("copy-of-a") == "a")
        // The mode is content; the time is not.
        try bench.write("b", "other", mode: 0o600)
        #expect(Self.trace(try await bench.build(Self.dockerfile).log) == "ccww")
        try Shell.run(["touch", "-d", "2001-01-01", bench.directory.file("context/a")])
        #expect(Self.trace(try await bench.build(Self.dockerfile).log) == "cccc")
        // A variable that the step sees, and one that it does not.
        let text = "FROM busybox\nARG seen\nARG unseen\nENV e=$seen\nRUN echo $e > /e\n"
        _ = try await bench.build(text) { $0.buildArguments = [("seen", "1")] }
        #expect(Self.trace(try await bench.build(text) { $0.buildArguments = [("seen", "1")] }.log) == "c")
        let other = try await bench.build(text, tag: "two") { $0.buildArguments = [("seen", "2")] }
        #expect(Self.trace(other.log) == "w")
        #expect(try other.text("e") == "2\n")
    }

    @Test func unpacksNothingWhenAllIsKnown() async throws {
        let bench = try await Workbench()
        try bench.write("a", "a")
        try bench.write("b", "b")
        let first = try await bench.build(Self.dockerfile)
        let layers = bench.directory.file("state/layers")
        try FileManager.default.removeItem(atPath: layers)
        let second = try await bench.build(Self.dockerfile)
        #expect(Self.trace(second.log) == "cccc")
        #expect(try FileManager.default.contentsOfDirectory(atPath: layers).isEmpty)
        #expect(second.image.manifestDigest == first.image.manifestDigest)
        // What a changed step needs of them is unpacked from the blobs, and stands for the directories that were there.
        try bench.write("b", "new")
        let third = try await bench.build(Self.dockerfile, tag: "third")
        #expect(Self.trace(third.log) == "ccww")
        let fresh = try await bench.build(Self.dockerfile, state: "fresh")
        #expect(fresh.image.manifestDigest == third.image.manifestDigest)
    }

    @Test func forgetsLayersWhoseBlobsAreGone() async throws {
        let bench = try await Workbench()
        try bench.write("a", "a")
        try bench.write("b", "b")
        let first = try await bench.build(Self.dockerfile)
        let blob = first.image.layers[2].descriptor.digest
        try FileManager.default.removeItem(
            atPath: bench.directory.file("state/content/blobs/sha256/\(blob.encoded)"))
        let second = try await bench.build(Self.dockerfile)
        // What stands on a step that was done anew has to be newer than what that made.
        #expect(Self.trace(second.log) == "cwww")
        #expect(second.image.manifestDigest == first.image.manifestDigest)
    }

    @Test func stepsSeeTheTimesThatTheImageHas() async throws {
        let bench = try await Workbench()
        try bench.write("a", "a")
        let look = "stat -c '%y' /x /a /d /h"
        let text = "FROM busybox\nCOPY a /a\nRUN mkdir /d && echo x > /x && ln -s x /h\nRUN \(look) > /time\n"
        let start = Int64(Date().timeIntervalSince1970)
        let first = try await bench.build(text, tag: "first")
        let times = try first.text("time").split(separator: "\n")
        #expect(times.count == 4 && times.contains { !$0.contains(".000000000") })
        try FileManager.default.removeItem(atPath: bench.directory.file("state/layers"))
        let seconds = "RUN \(look) | cmp - /time && test $(stat -c %Y /x) -ge \(start)\n"
        let second = try await bench.build(text + seconds, tag: "second")
        #expect(second.image.steps.map(\.source) == [.local, .local, .local, .made])
    }

    /// Nothing was done for it, so it is the image of then: with its date, and its digest.
    @Test func whatIsFoundWholeKeepsItsDate() async throws {
        let bench = try await Workbench()
        try bench.write("a", "a")
        try bench.write("b", "b")
        func build(at time: Int64, _ dockerfile: String, noCache: Bool = false) async throws -> BuiltImage {
            try await bench.build(dockerfile) {
                $0.createdAt = time
                $0.noCache = noCache
            }.image
        }
        let text = Self.dockerfile + "\nENV x=y\n"
        let first = try await build(at: 1_600_000_000, text)
        #expect(first.config.created == "2020-09-13T12:26:40Z")
        let again = try await build(at: 1_700_000_000, text)
        #expect(again.manifestDigest == first.manifestDigest)
        #expect(again.config.history == first.config.history)
        // Another image of the same layers is a new one, and so is one that was made anew.
        let other = try await build(at: 1_700_000_000, text + "ENV z=1\n")
        #expect(other.config.created == "2023-11-14T22:13:20Z")
        #expect(other.config.history.last?.created == "2023-11-14T22:13:20Z")
        let inherited = other.config.history.count - first.config.history.count
        #expect(inherited == 1)
        let anew = try await build(at: 1_800_000_000, text, noCache: true)
        #expect(anew.config.created == "2027-01-15T08:00:00Z")
        #expect(try await build(at: 1_900_000_000, text).manifestDigest == anew.manifestDigest)
        // What the base did keeps the base's times.
        let ofBase = anew.config.history.count - 5
        #expect(ofBase >= 0)
        #expect(anew.config.history.prefix(ofBase) == first.config.history.prefix(ofBase))
        #expect(anew.config.history.dropFirst(ofBase).allSatisfy { $0.created == anew.config.created })
        // A time that was asked for is taken.
        let asked = try await bench.build(text) { $0.date(by: 1_500_000_000) }.image
        #expect(asked.config.created == "2017-07-14T02:40:00Z")
    }

    @Test func layersOfCommitsDoNotDependOnTheCommit() async throws {
        let bench = try await Workbench()
        try bench.write("a", "a")
        let text = "FROM busybox\nCOPY a /a\nRUN echo x > /x\n"
        let images = try await [Int64(1_500_000_000), 1_700_000_000].asyncMap { time in
            try await bench.build(text, state: "state-\(time)") {
                $0.createdAt = time
                $0.hasContentDate = true
                $0.isReproducible = true
            }.image
        }
        #expect(images[0].layers.map(\.descriptor) == images[1].layers.map(\.descriptor))
        #expect(images[0].config.created != images[1].config.created)
    }

    @Test func linkedCopiesOutliveTheirBase() async throws {
        let bench = try await Workbench()
        try bench.write("a", "a")
        let tail = "COPY --link --chown=5:6 a /d/a\n"
        _ = try await bench.build("FROM busybox\n" + tail)
        #expect(Self.trace(try await bench.build("FROM busybox\nRUN echo y > /y\n" + tail).log) == "wc")
        let named = "COPY --link --chown=root a /d/a\n"
        _ = try await bench.build("FROM busybox\n" + named)
        #expect(Self.trace(try await bench.build("FROM busybox\nRUN echo z > /z\n" + named).log) == "ww")
    }
}

extension Sequence {
    fileprivate func asyncMap<T>(_ body: (Element) async throws -> T) async throws -> [T] {
        var all: [T] = []
        for element in self { all.append(try await body(element)) }
        return all
    }
}
