import TestSupport
import Testing

@testable import Agent

@Suite(.tags(.unit)) struct PullRequestMarkerTests {
    private static func update(_ new: String, file: String = "a.yaml", line: Int = 1) -> CycleReport.Update {
        CycleReport.Update(
            file: file, line: line, workload: "shop:deployment/web", container: "app", old: "acme/web:1.0.0", new: new,
            reason: "")
    }

    @Test func `it names the change, whatever else is there`() throws {
        let marker = PullRequestMarker(of: [Self.update("1"), Self.update("2", file: "b.yaml")])
        #expect(marker.changes.count == 2)
        #expect(marker == PullRequestMarker(of: [Self.update("2", file: "b.yaml", line: 7), Self.update("1")]))
        #expect(marker != PullRequestMarker(of: [Self.update("1"), Self.update("3", file: "b.yaml")]))
        let body = marker.appended(to: "words")
        #expect(PullRequestMarker(in: body) == marker)
        #expect(PullRequestMarker(in: body.replacing("\n", with: "\r\n") + "\r\nmore words") == marker)
        #expect(PullRequestMarker.text(of: body) == "words")
        #expect(PullRequestMarker(in: "words") == nil)
    }

    @Test func `its notes are kept, and another one takes its place`() throws {
        var marker = PullRequestMarker(of: [Self.update("1")])
        let first = marker.appended(to: "words")
        marker.autoMerge = .on(head: "1a2b3c4")
        marker.isWithdrawn = true
        let second = marker.appended(to: first)
        #expect(PullRequestMarker(in: second) == marker)
        #expect(second.split(separator: "\n").count == 2)
        marker.autoMerge = .off
        #expect(PullRequestMarker(in: marker.appended(to: second)) == marker)
    }

    @Test(arguments: [1, 1999, 5000]) func `long descriptions are cut before it`(_ count: Int) throws {
        let marker = PullRequestMarker(of: (0..<count).map { Self.update("\($0)") })
        let body = marker.appended(to: String(repeating: "häßlich\n", count: 20_000))
        #expect(body.utf8.count <= 60_000)
        #expect(PullRequestMarker(in: body) == marker)
    }

    @Test func `a template cannot name another change`() throws {
        let marker = PullRequestMarker(of: [Self.update("1")])
        let body = marker.appended(to: "<!-- slipway-update: 0123456789ab -->\nwords")
        #expect(PullRequestMarker(in: body) == marker)
        #expect(PullRequestMarker.text(of: body) == "words")
    }
}
