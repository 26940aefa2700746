import TestSupport
import Testing

@testable import Agent

@Suite(.tags(.unit)) struct TagSeriesTests {
    @Test(arguments: [
        ("v3", "v4"), ("3", "4"), ("1.4.2", "1.4.3"), ("v1.9", "v1.10"), ("build-7", "build-8"),
        ("release-1.0.4", "release-1.0.5"), ("release_v2", "release_v3"), ("0", "1"), ("a.b.9", "a.b.10"),
    ])
    func `the next tag of a series`(tag: String, next: String) throws {
        let series = try #require(TagSeries(tag))
        #expect(series.tag == tag)
        #expect(series.with(number: series.number + 1).tag == next)
    }

    @Test(arguments: [
        "latest", "", "v", "abc1234", "4f2a1b9", "v03", "1.2.3-rc1x", "3.20-alpine", "main-abc123", "1..2",
        "v12345678901234567890", "1.0-20201231235959",
    ])
    func `no series`(tag: String) {
        #expect(TagSeries(tag) == nil)
    }

    @Test func `the highest number counts only its own series`() throws {
        let series = try #require(TagSeries("v3"))
        #expect(series.highest(in: ["v1", "v12", "12.4", "v2.99", "latest", "x99"]) == 12)
        #expect(series.highest(in: ["latest"]) == nil)
    }
}

@Suite(.tags(.unit)) struct TagDecisionTests {
    private let values = TagTemplate.Values(branch: "feature/x", commit: "0123456789abcdef", commitTime: 1_600_000_000)

    @Test(arguments: [
        // declared, in the registry, deployed, expected
        ("v3", [String](), ["v3"], TagDecision.Outcome.fresh("v4")),
        ("v3", ["v3"], [], .fresh("v4")),
        ("v3", ["v3", "v9"], ["v7"], .fresh("v10")),
        ("v4", ["v3"], ["v3"], .fresh("v4")),
        ("v1", [], ["v0"], .fresh("v1")),
        ("1.2.3", ["1.2.3"], [], .fresh("1.2.4")),
        ("latest", ["latest"], ["latest"], .moving("latest")),
        ("4f2a1b9", [], [], .fresh("4f2a1b9")),
        ("4f2a1b9", ["4f2a1b9"], [], .taken("4f2a1b9")),
    ])
    func `a literal tag`(
        tag: String, existing: [String], deployed: [String], expected: TagDecision.Outcome
    ) throws {
        let outcome = try TagDecision.tag(
            for: .literal(tag), values: values, existing: Set(existing), deployed: Set(deployed), isMutable: false)
        #expect(outcome == expected)
    }

    @Test(arguments: [
        ("{branch}-{commit.short}", [String](), "feature-x-0123456"),
        ("v{build.number}", ["v1", "v7", "vx", "latest"], "v8"),
        ("1.{build.number}.0", ["1.2.0", "1.10.0", "2.99.0"], "1.11.0"),
        ("{commit.time}", [], "20200913122640"),
        ("{commit.date}-{commit}", [], "20200913-0123456789abcdef"),
    ])
    func `a template`(text: String, existing: [String], expected: String) throws {
        let template = try TagTemplate(text)
        #expect(try template.render(values, existing: existing) == expected)
    }

    @Test(arguments: [
        ("{nope}", "no field '{nope}'"), ("{branch", "never closed"), ("", "empty"),
        ("{build.number}{build.number}", "may stand once"),
    ])
    func `a wrong template says what is wrong`(text: String, reason: String) {
        let error = #expect(throws: TagTemplate.Invalid.self) { try TagTemplate(text) }
        #expect(error?.reason.contains(reason) == true)
    }

    @Test func `a newer number in the manifest asks for an image`() {
        #expect(TagDecision.asksForNew(.literal("v5"), existing: ["v4"], deployed: ["v4"]))
        #expect(!TagDecision.asksForNew(.literal("v3"), existing: ["v4"], deployed: ["v4"]))
        #expect(!TagDecision.asksForNew(.literal("v4"), existing: ["v4"], deployed: []))
        #expect(TagDecision.asksForNew(.literal("latest"), existing: [], deployed: []))
    }
}
