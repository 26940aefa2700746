import Diagnostics
import OCI
import RegistryPoller
import TestSupport
import Testing

private func candidates(_ tags: String...) -> [TagCandidate] { tags.map { TagCandidate(tag: $0) } }

/// `tag@time` words.
private func dated(_ words: String) -> [TagCandidate] {
    words.split(separator: " ").map { word in
        let parts = word.split(separator: "@")
        return TagCandidate(tag: String(parts[0]), created: parts.count > 1 ? Int64(parts[1]) : nil)
    }
}

/// What `select` gives for every order of the same candidates (all rotations, and reversed).
private func select(
    _ policy: String, _ candidates: [TagCandidate], current: String? = nil, allowDowngrade: Bool = false
) throws -> Selection {
    let policy = try ImagePolicy.parse(policy)
    let first = policy.select(from: candidates, current: current, allowDowngrade: allowDowngrade)
    for shift in candidates.indices {
        let rotated = Array(candidates[shift...] + candidates[..<shift])
        for order in [rotated, rotated.reversed()] {
            let again = policy.select(from: order, current: current, allowDowngrade: allowDowngrade)
            #expect(again.tag == first.tag, "the order of the candidates must not matter")
            #expect(again.reason == first.reason)
            #expect(again.verdicts.map(\.tag) == order.map(\.tag))
            #expect(again.verdicts.filter { $0.outcome == .selected }.map(\.tag) == (first.tag.map { [$0] } ?? []))
        }
    }
    let silent = policy.select(
        from: candidates, current: current, allowDowngrade: allowDowngrade, explaining: false)
    #expect(silent.tag == first.tag && silent.verdicts.isEmpty)
    return first
}

@Suite(.tags(.unit)) struct SemverPolicyTests {
    @Test func `the highest version in the range, in its own text`() throws {
        let tags = candidates("1.2.0", "v1.10", "1.9.9", "2.0.0", "1.11.0-rc1", "latest", "main-abc", "1.2.3.4")
        let selection = try select("semver:^1.2", tags)
        #expect(selection.tag == "v1.10")
        #expect(selection.reason == "the highest of 3 versions in '^1.2'")
        let verdicts = Dictionary(uniqueKeysWithValues: selection.verdicts.map { ($0.tag, $0) })
        #expect(verdicts["2.0.0"]?.reason == "not in '^1.2'")
        #expect(verdicts["1.11.0-rc1"]?.reason == "a pre-release, and '^1.2' asks for releases only")
        #expect(verdicts["main-abc"]?.reason == "not a version")
        #expect(verdicts["latest"]?.reason == "'latest' is chosen only by 'glob:latest'")
        #expect(verdicts["1.9.9"] == .init(tag: "1.9.9", outcome: .eligible, reason: "v1.10 comes before it"))
    }

    @Test func `pre-releases only when they are asked for`() throws {
        #expect(try select("semver:>=1.0.0", candidates("1.0.0", "1.1.0-rc1")).tag == "1.0.0")
        #expect(try select("semver:>=1.0.0-0", candidates("1.0.0", "1.1.0-rc1")).tag == "1.1.0-rc1")
    }

    @Test func `equal versions are told apart by length, then by name`() throws {
        #expect(try select("semver:*", candidates("1.10", "1.10.0", "1.9")).tag == "1.10.0")
        #expect(try select("semver:*", candidates("v1.0", "1.0.0", "1.00")).tag == "1.0.0")
        #expect(try select("semver:*", candidates("1.01", "1.1.", "01.1")).tag == "01.1")
    }

    @Test func `no downgrade without consent`() throws {
        let tags = candidates("1.9.0", "2.0.0")
        let refused = try select("semver:<2", tags, current: "2.0.0")
        #expect(refused.tag == nil)
        #expect(refused.reason == "1.9.0 is the only version in '<2', but it would be a downgrade from 2.0.0")
        #expect(try select("semver:<2", tags, current: "2.0.0", allowDowngrade: true).tag == "1.9.0")
        // The tag store is only partly there.
        #expect(try select("semver:*", candidates("1.9.0"), current: "2.0.0").tag == nil)
        #expect(try select("semver:*", tags, current: "dev").tag == "2.0.0")
        #expect(try select("semver:*", tags, current: "2.0.0").tag == "2.0.0")
    }

    @Test func `a number that is too large is no version`() throws {
        let selection = try select("semver:*", candidates("1.0.0", "99999999999999999999.0.0"))
        #expect(selection.tag == "1.0.0")
        #expect(selection.verdicts[1].reason == "a number is too large")
    }

    @Test func `nothing matches`() throws {
        let selection = try select("semver:>=3", candidates("1.0", "x"))
        #expect(selection.tag == nil)
        #expect(selection.reason == "none of 2 tags is a version in '>=3'")
        #expect(try select("semver:*", []).reason == "the repository has no tags")
    }
}

@Suite(.tags(.unit)) struct NewestPolicyTests {
    @Test func `the newest image that matches`() throws {
        let tags = dated("v1@100 v2@300 v3@200 w1@900 latest@1000")
        #expect(try select("glob:v*", tags).tag == "v2")
        #expect(try select("v*", tags).tag == "v2")
        #expect(try select("newest:v*", tags).reason == "the newest of 3 images that match 'v*'")
        #expect(try select("glob:*", tags).tag == "w1")
        #expect(try select("newest:", tags).tag == "w1")
        #expect(try select("glob:latest", tags).tag == "latest")
        #expect(try select("latest", tags).tag == "latest")
        #expect(try select("glob:lat*", tags).tag == nil)
        #expect(try select("glob:*", dated("LATEST@5 Latest@6")).tag == nil)
    }

    @Test func `images of one time go by name, and the one in use stays`() throws {
        let tags = dated("b@100 a@100 c@100 d@50")
        #expect(try select("glob:*", tags).tag == "a")
        #expect(try select("glob:*", tags, current: "c").tag == "c")
        #expect(try select("glob:*", tags, current: "c").reason == "the newest of 4 images; none is better than it")
        #expect(try select("glob:*", tags, current: "d").tag == "a")
        // The one in use is outside of the pattern: it does not stay.
        #expect(try select("glob:a*", tags, current: "c").tag == "a")
    }

    @Test(arguments: [nil, 0, -62_135_596_800] as [Int64?])
    func `an image without a time cannot be the newest`(created: Int64?) throws {
        let tags = [TagCandidate(tag: "v1", created: 100), TagCandidate(tag: "v2", created: created)]
        let selection = try select("glob:*", tags)
        #expect(selection.tag == "v1")
        #expect(selection.verdicts[1] == .init(tag: "v2", outcome: .refused, reason: "the image has no creation time"))
        let running = try select("glob:*", tags, current: "v2")
        #expect(running.tag == nil)
        #expect(running.reason == "v2 is in use and has no creation time to compare with")
        #expect(try select("glob:*", tags, current: "v2", allowDowngrade: true).tag == "v1")
        #expect(try select("glob:*", [tags[1]]).reason == "none of 1 tag has an image with a creation time")
    }

    @Test func `no downgrade to an older image`() throws {
        let tags = dated("prod-1@100 dev-1@200")
        #expect(try select("glob:*", dated("prod-1@100 dev-1@200 dev-2@300"), current: "dev-2").tag == "dev-2")
        #expect(try select("glob:dev-[12]", dated("dev-1@200"), current: "dev-2").tag == nil)
        #expect(try select("glob:prod-*", tags, current: "gone").tag == "prod-1")
    }

    @Test func `a known order takes the place of the time`() throws {
        let tags = [
            TagCandidate(tag: "v1", created: 300, rank: 1), TagCandidate(tag: "v2", created: nil, rank: 2),
            TagCandidate(tag: "v3", created: 100, rank: 3),
        ]
        #expect(try select("glob:*", tags).tag == "v3")
        #expect(try select("glob:*", tags, current: "v1").tag == "v3")
        #expect(try select("glob:v[12]", tags).tag == nil)
        #expect(try select("glob:v1", tags, current: "v3").tag == "v1")
        // One that matches has no place: the times decide.
        #expect(try select("glob:*", tags + [TagCandidate(tag: "x", created: 50)]).tag == "v1")
        // One that does not match has none: no matter.
        #expect(try select("glob:v*", tags + [TagCandidate(tag: "x", created: 500)]).tag == "v3")
        #expect(try select("glob:v*", tags + [TagCandidate(tag: "x", created: 500)], current: "x").tag == "v3")
    }

    @Test func `an image with a problem is out`() throws {
        let tags = [
            TagCandidate(tag: "v1.0", created: 1),
            TagCandidate(tag: "v2.0", created: 2, problem: "not for linux/arm64"),
        ]
        let selection = try select("glob:*", tags)
        #expect(selection.tag == "v1.0")
        #expect(selection.verdicts[1].reason == "not for linux/arm64")
        #expect(try select("semver:*", tags).tag == "v1.0")
        #expect(try select("alphabetical:asc", tags).tag == "v1.0")
    }
}

@Suite(.tags(.unit)) struct OrderPolicyTests {
    @Test func alphabetical() throws {
        let tags = candidates("b", "a", "B", "c10", "c9", "latest")
        #expect(try select("alphabetical:asc", tags).tag == "c9")
        #expect(try select("alphabetical:", tags).tag == "c9")
        #expect(try select("alphabetical:desc", tags).tag == "B")
        #expect(try select("alphabetical:asc", candidates("a", "b"), current: "c").tag == nil)
        #expect(try select("alphabetical:asc", candidates("a", "b"), current: "latest").tag == "b")
        #expect(try select("alphabetical:desc", tags, current: "a").tag == "B")
    }

    @Test func numerical() throws {
        let tags = candidates("9", "10", "1e5", "0x99", "v11", "007", "8.75")
        #expect(try select("numerical:asc", tags).tag == "10")
        #expect(try select("numerical:desc", tags).tag == "007")
        #expect(try select("numerical:asc", candidates("1", "01", "1.0", "1.")).tag == "01")
        #expect(
            try select("numerical:asc", candidates("20240101000000123456789", "20240101000000123456790")).tag
                == "20240101000000123456790")
        let long = candidates("18446744073709551615", "18446744073709551616", "00018446744073709551616.5", "9", "1.")
        #expect(try select("numerical:asc", long).tag == "00018446744073709551616.5")
        #expect(try select("numerical:desc", long).tag == "9")
        #expect(try select("numerical:asc", candidates("1.25", "1.3", "1.249")).tag == "1.3")
        #expect(try select("numerical:asc", candidates("5"), current: "6").tag == nil)
        #expect(try select("numerical:asc", candidates("x")).reason == "none of 1 tag is a decimal number")
    }
}

@Suite(.tags(.unit)) struct PolicyTextTests {
    @Test(arguments: [
        "regexp:(", "regex:a**", "semver:", "semver:foo", "glob:", "", "alphabetical:up", "numerical:1", "semvr:1",
        "a:b",
        String(repeating: "a", count: 5_000),
    ])
    func `what cannot be used is refused, with the reason`(text: String) {
        let error = #expect(throws: PolicyError.self) { try ImagePolicy.parse(text) }
        #expect(error?.cause != nil || text.count > 1_000)
    }

    @Test func `only the newest needs creation times`() throws {
        #expect(try ImagePolicy.parse("glob:v*").needsCreationTime)
        #expect(try !ImagePolicy.parse("semver:1").needsCreationTime)
        #expect(try ImagePolicy.parse("v1.*").description == "v1.*")
    }

    @Test func `messages hold no control characters`() {
        let error = #expect(throws: PolicyError.self) { try ImagePolicy.parse("semver:\u{1B}[31m\n") }
        #expect(error?.description.contains("\u{1B}") == false)
    }
}

@Suite(.tags(.unit)) struct GlobPatternTests {
    @Test(arguments: [
        ("*", "", true), ("*", "anything", true), ("", "", true), ("", "a", false), ("v1", "v1", true),
        ("v1", "v10", false),
        ("v*", "v", true), ("v*", "1v", false), ("*-prod", "1.0-prod", true), ("*-prod", "1.0-prod1", false),
        ("a*b*c", "aXbYc", true), ("a*b*c", "abc", true), ("a*b*c", "acb", false), ("a*a", "a", false),
        ("a*a", "aa", true),
        ("*b*", "abc", true), ("*b*", "ac", false), ("**", "x", true), ("a**b", "ab", true), ("v?", "v1", false),
        ("v[1]", "v1", false), ("*ab*ab*", "ab", false), ("*ab*ab*", "abab", true), ("*ab*b", "ab", false),
        ("é*", "é1", true),
    ])
    func matches(pattern: String, text: String, expected: Bool) {
        #expect(GlobPattern(pattern).matches(text) == expected)
    }

    @Test func `many stars cost no more than text times pattern`() {
        let pattern = String(repeating: "a*", count: 500) + "b"
        #expect(!GlobPattern(pattern).matches(String(repeating: "a", count: 10_000)))
    }
}

@Suite(.tags(.unit)) struct TagExclusionTests {
    static let hash = String(repeating: "0123456789abcdef", count: 4)

    @Test(arguments: [
        ("v1", false), ("v1.sig", true), ("sha256-\(hash).sig", true), ("sha256-\(hash).att", true),
        ("sha256-\(hash)", true),
        ("sha256-\(hash).sbom", true), ("sha256-abc", false), ("sha256-\(hash)0", false), ("main.att", false),
        ("", false),
    ])
    func isArtifact(tag: String, expected: Bool) {
        #expect(TagExclusion.isArtifact(tag) == expected)
    }
}
