import OCI
import TestSupport
import Testing

@testable import RegistryPoller

/// Very many tags are judged in parts, on all processors: the choice is the one of a single pass.
@Suite(.tags(.unit)) struct ParallelSelectionTests {
    private static let tags: TagList = {
        var tags = TagList()
        var state: UInt64 = 9
        for index in 0..<3_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let number = Int(state >> 50)
            let text =
                switch index % 4 {
                case 0: "v\(number % 30).\(number % 17).\(number % 11)"
                case 1: "build-\(number % 5_000)-\(String(state >> 36, radix: 16))"
                case 2: "\(number % 30).\(number % 17)"
                default: "branch-\(number)"
                }
            tags.append(text, created: Int64(number % 100))
        }
        return tags
    }()

    @Test(arguments: [
        "semver:*", "semver:^7.3", "semver:>=40", "alphabetical:asc", "alphabetical:desc",
        "regexp:^build-", "glob:build-*",
    ])
    func sameAsInOnePass(text: String) throws {
        let policy = try ImagePolicy.parse(text)
        for current in [nil, "v3.3.3", "nothing-like-it"] {
            let whole = policy.select(from: Self.tags, current: current, explaining: true)
            for size in [1, 700, 1_500] {
                let parts = policy.select(from: Self.tags, current: current, explaining: false, smallestPart: size)
                #expect(parts.tag == whole.tag && parts.reason == whole.reason, "\(text), from \(current ?? "nothing")")
            }
        }
    }

    @Test func extractedNumbers() throws {
        var specification = PolicySpecification(order: .numerical("asc"))
        specification.filter = "^build-(?P<n>[0-9]+)-"
        specification.extract = "$n"
        let policy = try ImagePolicy(specification)
        let whole = policy.select(from: Self.tags, current: nil, explaining: true)
        #expect(whole.tag?.hasPrefix("build-49") == true)
        let parts = policy.select(from: Self.tags, current: nil, explaining: false, smallestPart: 1_000)
        #expect(parts.reason == whole.reason && parts.tag == whole.tag)
    }
}
