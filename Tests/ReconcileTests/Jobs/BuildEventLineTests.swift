import Agent
import Builder
import Foundation
import OCI
import TestSupport
import Testing

/// Events that go through lines of JSON, as they do from a Job to its agent.
@Suite(.tags(.unit)) struct BuildEventLineTests {
    private static let digest = Digest.sha256(of: [1])
    private static let place = try? ImageLocation("registry.example.com/acme/web:v1")

    private static var events: [BuildEvent] {
        get throws {
            let place = try #require(place)
            return [
                .stepStarted(stage: "web", index: 2, of: 3, text: "RUN make", location: nil),
                .stepStarted(stage: "", index: 1, of: 1, text: "COPY . /", location: nil),
                .stepOutput(.stdout, Array("grün\n".utf8)), .stepOutput(.stderr, Array("x".utf8)),
                .stepCached(digest, size: 42), .stepExplained("a file differs"),
                .stepFinished(duration: .milliseconds(1_234)), .basePulled(name: "nginx:1", digest: digest, bytes: 7),
                .layerWritten(digest, size: 42), .blobPushed(digest, size: 42, outcome: .mounted, to: place),
                .manifestPushed(digest, to: place), .note("ARG A is unused"),
                .inStage("1", .stepFinished(duration: .seconds(2))),
                .inStage("1", .stepStarted(stage: "web", index: 1, of: 1, text: "RUN x", location: nil)),
            ]
        }
    }

    @Test func `what is written can be read`() throws {
        for event in try Self.events {
            let line = try CanonicalJSON.encode(BuildEventLine(event, time: "2026-12-01T03:00:00Z"))
            let read = try #require(BuildEventLine(line)?.buildEvent)
            #expect("\(read)" == "\(event)")
        }
    }

    @Test(arguments: ["", "plain text", "{", "[]", "{}", #"{"digest":"x"}"#])
    func `other lines are nobody's events`(line: String) {
        #expect(BuildEventLine(Array(line.utf8)) == nil)
    }

    @Test(arguments: [#"{"event":"step","level":"info","time":""}"#, #"{"event":"later","level":"info","time":""}"#])
    func `an event that lacks something, or is of another version, is passed over`(line: String) throws {
        let read = try #require(BuildEventLine(Array(line.utf8)))
        #expect(read.buildEvent == nil)
    }

    // MARK: Results

    @Test func `a result fits into a termination message`() throws {
        let long = String(repeating: "x", count: 10_000)
        let result = JobResult(
            BuildError(.step, long, place: long, cause: long, hint: long, isTransient: true))
        #expect(result.encoded.count < 4_096)
        let read = try #require(JobResult(String(decoding: result.encoded, as: UTF8.self)))
        #expect(read == result)
        let made = JobResult(digest: Self.digest, seconds: 1.23456, isolation: nil)
        #expect(JobResult(String(decoding: made.encoded, as: UTF8.self)) == made)
        #expect(JobResult("Killed") == nil)
    }
}
