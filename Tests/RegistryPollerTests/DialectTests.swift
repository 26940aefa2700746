import Diagnostics
import Foundation
import RegistryPoller
import TestSupport
import Testing

/// What each tool would choose, by its documentation and its sources.
@Suite(.tags(.unit)) struct DialectTests {
    /// `dialect | policy | tags (with @seconds) | in use | chosen`; `-` for nothing. A policy is `order`, or several words
    /// `name=value`.
    static let table = """
        flux1 | semver:~1.2 | 1.2.0 1.2.9 v1.2.10 1.3.0 latest | - | v1.2.10
        flux1 | semver:* | 1.10 1.10.0 1.9 | - | 1.10.0
        flux1 | semver:* | 1.10 v1.10 1.10.0 | - | v1.10
        flux1 | semver:>=1.0.0-0 | 1.0.0 1.1.0-rc.1 | - | 1.1.0-rc.1
        flux1 | semver:^1 | 1.0.0 1.1.0-rc.1 | - | 1.0.0
        flux1 | glob:v* | v1@10 v2@20 x3@30 | - | v2
        flux1 | v* | v1@10 v2@20 x3@30 | - | v2
        flux1 | glob:* | v1@10 latest@90 LATEST@95 | - | v1
        flux1 | glob:latest | v1@10 latest@90 | - | latest
        flux1 | latest | v1@10 latest@90 | - | latest
        flux1 | glob:lat* | v1@10 latest@90 | - | -
        flux1 | regexp:^(v1|latest)$ | v1@10 latest@90 | - | v1
        flux1 | regexp:^v[0-9]+$ | v1@10 v2@20 v2-rc@30 | - | v2
        flux1 | regex:[12] | v1@10 v2@20 v3@30 | - | v2
        flux1 | glob:* | b@10 a@10 c@5 | - | a
        flux1 | glob:* | b@10 a@10 c@5 | b | a
        flux1 | glob:* | v1 v2 | - | -
        flux1 | glob:* | v1 v2@20 | v1 | -
        flux1 | glob:* | v1@10 v2@20 | gone | -
        flux1 | glob:* | v1@0 v2@-62135596800 v3@5 | - | v3
        flux1 | a:b | a@1 | - | -
        flux2 | semver=>=1.0.0 | 1.2 1.2.3 v1.3.0 1 2.0.0-rc.1 | - | v1.3.0
        flux2 | semver=* | 1.2 1 v3 | - | -
        flux2 | semver=>=1.0.0-0 | 1.2-rc.1 1.1.9 | - | 1.2-rc.1
        flux2 | semver=* | 2025.07.03 2025.7.2 | - | 2025.07.03
        flux2 | semver=* | v1.2.3 1.2.3 | - | 1.2.3
        flux2 | semver=* | v1.2.3 1.2.3 | v1.2.3 | v1.2.3
        flux2 | semver=1.x | 1.9.9 2.0.0 1.10.0 | - | 1.10.0
        flux2 | alphabetical=asc | a b B latest | - | latest
        flux2 | alphabetical=DESC | a b B latest | - | B
        flux2 | alphabetical=asc filter=^v | a va vb z | - | vb
        flux2 | numerical=asc | 1 10 9 | - | 10
        flux2 | numerical=desc | 1 10 9 | - | 1
        flux2 | numerical=asc | 1 10 x9 | - | -
        flux2 | numerical=asc | 1e3 999 0x1p9 | - | 1e3
        flux2 | numerical=asc | 1_000 999 | - | 1_000
        flux2 | numerical=asc | 1 0x10 | - | -
        flux2 | numerical=asc | 5 nan | - | -
        flux2 | numerical=asc | 5 inf | - | inf
        flux2 | numerical=asc | 5 1e999 | - | -
        flux2 | numerical=asc | 5 1__0 | - | -
        flux2 | numerical=asc | 9007199254740993 9007199254740992 | - | 9007199254740993
        flux2 | numerical=asc | 1 1.0 01 | - | 1.0
        flux2 | numerical=asc | 1 1.0 01 | 01 | 01
        flux2 | numerical=asc filter=^main-(?P<n>[0-9]+)$ extract=$n | main-7 main-12 dev-99 main-x | - | main-12
        flux2 | numerical=asc filter=^main-([0-9]+)$ extract=$1 | main-7 main-12 dev-99 | - | main-12
        flux2 | numerical=asc filter=^main-[a-f0-9]+-(?P<ts>[0-9]+) extract=${ts} | main-0a-5 main-ff-9 main-1b-7 | - | main-ff-9
        flux2 | numerical=asc filter=^main-(?P<n>[0-9]+)$ extract=$nope | main-7 main-12 | - | -
        flux2 | alphabetical=asc filter=^(a)-(.*)$ extract=$2-$1 | a-1 a-2 b-3 | - | a-2
        flux2 | numerical=asc filter=^[a-z]+-(\\d+)$ extract=$1 | a-1 b-1 | - | b-1
        flux2 | numerical=asc filter=^[a-z]+-(\\d+)$ extract=$1 | a-1 b-1 | a-1 | a-1
        flux2 | semver=* filter=^rel-(.*)$ extract=$1 | rel-1.2.3 rel-1.10.0 9.9.9 | - | rel-1.10.0
        flux2 | alphabetical=asc | v1 v2.sig | - | v1
        flux2 | alphabetical=asc exclude=^v3 | v1 v2.sig v3 | - | v2.sig
        argocd | semver=^1 | 1.0.0 1.5 2.0.0 1.6.0-rc.1 | - | 1.5
        argocd | semver= | 1.0.0 1.5.0 2.0.0-rc.1 | - | 1.5.0
        argocd | - | 1.0.0 1.5.0 2.0.0-rc.1 | - | 1.5.0
        argocd | semver=* | 1.0 1.0.0 v1 | - | v1
        argocd | newest | a@10 b@20 c@20 latest@5 | - | c
        argocd | policy=latest | a@10 b@20 | - | b
        argocd | policy=name | a b latest | - | latest
        argocd | policy=newest-build regexp=^a | a1@10 a2@20 b@30 | - | a2
        argocd | policy=alphabetical ignore=c*,l?t* | a b c latest | - | b
        argocd | policy=alphabetical ignore=[a-b] | a b c0 | - | c0
        argocd | policy=alphabetical ignore=[^c]* | a b c0 | - | c0
        argocd | digest=latest | a latest | - | latest
        argocd | digest=nope | a latest | - | -
        argocd | policy=digest:stable | stable x | - | stable
        keel | all | 1.2.3 2.0.0 1.3.0 3.0.0-rc.1 | 1.2.3 | 3.0.0-rc.1
        keel | major | 1.2.3 2.0.0 1.3.0 3.0.0-rc.1 | 1.2.3 | 2.0.0
        keel | minor | 1.2.3 2.0.0 1.3.0 1.3.1 | 1.2.3 | 1.3.1
        keel | patch | 1.2.3 1.2.9 1.3.0 | 1.2.3 | 1.2.9
        keel | patch | 1.2.3 1.3.0 | 1.2.3 | 1.2.3
        keel | patch | 1.3.0 | 1.2.3 | -
        keel | minor | 1.3.0-rc.1 1.2.9 | 1.2.3 | 1.2.9
        keel | major | 1.3.0-rc.1 1.3.0-rc.2 1.4.0 | 1.2.0-rc.1 | 1.3.0-rc.1
        keel | major pre=no | 1.3.0-rc.1 1.2.9 | 1.2.3 | 1.3.0-rc.1
        keel | all | 2 3 1.9 | 1.2.3 | 1.9
        keel | major | 1.0 2.0 | latest | 2.0
        keel | patch | 1.0 2.0 3.0-rc | latest | 3.0-rc
        keel | major | 1.0 2.0 | main | -
        keel | all | 1.0.0 | 2.0.0 | -
        keel | force | 1.0.0 2.0.0 latest | latest | 2.0.0
        keel | force | 1.0.0 1.2.0 | 1.2.0 | 1.2.0
        keel | force | 1.0.0 1.1.0 main | 1.2.0 | main
        keel | force | b a | x | a
        keel | force match=yes | 1.0.0 2.0.0 latest | latest | latest
        keel | force match=yes | 1.0.0 2.0.0 | latest | -
        keel | glob:build-* | build-1 build-2 x | build-1 | build-2
        keel | glob:build-* | build-10 build-9 | build-10 | build-9
        keel | glob:build-* | build-1 build-2 | x | -
        keel | regexp:^v[0-9]+$ | v1 v3 v2 w9 | v1 | v3
        keel | regexp:^(?P<compare>[0-9]{4})-.*$ | 2024-a 2025-a 2023-z x | 2023-z | 2025-a
        keel | regexp:^[a-z]+-(?P<compare>[0-9]+)$ | a-1 b-2 c-0 | z-9 | -
        slipway | semver:^1 | 1.0.0 v1.4 1.3.9 2.0.0 | - | v1.4
        slipway | semver:^1 | 1.0.0 1.4.0 | 1.9.0 | -
        slipway | regexp:^v | v1@10 v2@20 w@30 | - | v2
        slipway | numerical=asc | 1 10 x9 9 | - | 10
        slipway | numerical=asc | 9007199254740992 9007199254740993 | - | 9007199254740993
        slipway | numerical=asc filter=^b(?P<n>-?[0-9]+)$ extract=$n | b-5 b-7 b2 | - | b2
        slipway | numerical=desc filter=^b(?P<n>-?[0-9]+)$ extract=$n | b-5 b-7 b2 | - | b-7
        slipway | alphabetical=asc glob=v* exclude=-rc exclude=^v3 | v1 v2 v2-rc v3 w latest | - | v2
        slipway | alphabetical=asc ignore=v2* | v1 v2 v2-rc | - | v1
        slipway | newest regexp=^v glob=*-prod | v1-prod@10 v2-prod@20 v3@30 w-prod@40 | - | v2-prod
        slipway | digest:latest | a latest | - | latest
        slipway | alphabetical=asc | a b latest | - | b
        slipway | numerical=asc filter=^main-(?P<n>[0-9]+)$ extract=$n | main-7 main-12 | main-13 | -
        slipway | numerical=asc filter=^main-(?P<n>[0-9]+)$ extract=$n | main-7 main-12 | v3 | main-12
        slipway | semver:>=1.2 | 1.3.0 9170057 | 1.3.0 | 1.3.0
        slipway | semver:>=1.2 | 1.3.0 9170057 v2 | 9170057 | 1.3.0
        slipway | semver:1.x | 1.3 1.4 | 9170057 | 1.4
        flux1 | semver:>=1.2 | 1.3.0 1.4.0 | 9170057 | 1.4.0
        flux2 | semver=>=1.2 | 1.3.0 1.4.0 9170057 | 9170057 | 1.4.0
        argocd | semver=>=1.2 | 1.3.0 1.4.0 | 9170057 | 1.4.0
        keel | all | 1.3.0 9170057 | 1.2.0 | 1.3.0
        keel | all | 1.3.0 | 9170057 | -
        keel | force | 1.3.0 9170057 | 1.2.0 | 1.3.0
        keel | force | 1.3.0 | 9170057 | 1.3.0
        slipway | glob:f-* | main-1@30 f-1@10 f-2@20 | main-1 | f-2
        slipway | regexp:^f- | main-1@30 f-1@10 f-2@20 | main-1 | f-2
        slipway | newest:f-* | main-1@30 f-1@10 f-2@20 | main-1 | f-2
        slipway | glob:f-* | latest@30 f-1@10 f-2@20 | latest | f-2
        slipway | glob:* | latest@30 f-1@10 | latest | -
        slipway | glob:f-* | f-3@30 f-1@10 f-2@20 | f-3 | f-3
        slipway | newest exclude=^f-3 | f-3@30 f-1@10 f-2@20 | f-3 | -
        slipway | semver=* filter=^1\\. | 1.3.0 2.0.0 | 2.0.0 | 1.3.0
        slipway | semver=* glob=1.* | 1.3.0 2.0.0 | 2.0.0 | 1.3.0
        slipway | alphabetical=asc glob=f-* | f-1 main-1 | main-1 | f-1
        slipway | numerical=asc filter=^f-(?P<n>[0-9]+)$ extract=$n | f-1 m-9 | m-9 | f-1
        flux1 | glob:f-* | main-1@30 f-1@10 f-2@20 | main-1 | f-2
        flux1 | regexp:^f- | main-1@30 f-1@10 f-2@20 | main-1 | f-2
        flux2 | semver=* filter=^f-(.*)$ extract=$1 | f-1.0.0 m-9.0.0 | m-9.0.0 | f-1.0.0
        argocd | newest regexp=^f- | main-1@30 f-1@10 f-2@20 | main-1 | f-2
        slipway | semver=* filter=^(.*)-prod$ extract=$1 | 1.2.3-prod 1.10.0-prod 2.0.0 | 1.10.0-prod | 1.10.0-prod
        """

    private func specification(_ dialect: PolicyDialect, _ text: String) throws -> PolicySpecification {
        var policy = PolicySpecification(dialect: dialect)
        for word in text.split(separator: " ").map(String.init) where word != "-" {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let isPair = parts.count == 2 && parts[0].allSatisfy(\.isLetter)
            switch isPair ? parts[0] : word {
            case "semver": policy.order = .semver(parts[1])
            case "alphabetical": policy.order = .alphabetical(parts[1])
            case "numerical": policy.order = .numerical(parts[1])
            case "digest": policy.order = .digest(parts[1])
            case "newest": policy.order = .newestBuild
            case "filter": policy.filter = parts[1]
            case "extract": policy.extract = parts[1]
            case "exclude": policy.exclude.append(parts[1])
            case "ignore": policy.ignore += parts[1].split(separator: ",").map(String.init)
            case "glob": policy.glob = parts[1]
            case "regexp": policy.regexp = parts[1]
            case "pre": policy.matchPreRelease = false
            case "match": policy.matchTag = true
            case "policy": try policy.read(parts[1])
            default: try policy.read(word)
            }
        }
        return policy
    }

    @Test(arguments: table.split(separator: "\n").map(String.init))
    func choose(row: String) throws {
        let cells = row.components(separatedBy: " | ").map { $0.trimmingCharacters(in: .whitespaces) }
        let policy = try ImagePolicy(specification(try #require(PolicyDialect(rawValue: cells[0])), cells[1]))
        var tags = cells[2].split(separator: " ").map { word in
            let parts = word.split(separator: "@")
            return TagCandidate(tag: String(parts[0]), created: parts.count > 1 ? Int64(parts[1]) : nil)
        }
        let current = cells[3] == "-" ? nil : cells[3]
        var generator = SystemRandomNumberGenerator()
        var reasons: Set<String> = []
        for _ in 0..<12 {
            let selection = policy.select(from: tags, current: current)
            #expect(selection.tag ?? "-" == cells[4], "\(row): \(selection.reason)")
            #expect(selection.verdicts.map(\.tag) == tags.map(\.tag))
            #expect(selection.verdicts.allSatisfy { !$0.reason.isEmpty })
            #expect(
                selection.verdicts.filter { $0.outcome == .selected }.map(\.tag) == (selection.tag.map { [$0] } ?? []))
            #expect(policy.select(from: tags, current: current, explaining: false).tag == selection.tag)
            reasons.insert(selection.reason)
            tags.shuffle(using: &generator)
        }
        #expect(reasons.count == 1, "the order of the tags does not matter")
    }

    @Test(
        arguments: [
            (.flux1, "numerical=asc", "no numerical order"), (.flux1, "glob=a filter=b", "filter"),
            (.flux1, "semver=* glob=a", "together"), (.flux1, "regexp:(", "regular expression"),
            (.flux1, "semver:nope", "range"), (.flux2, "newest", "creation time"), (.flux2, "-", "needs an order"),
            (.flux2, "glob=a", "needs an order"), (.flux2, "semver=* glob=a", "globs"),
            (.flux2, "alphabetical=up", "asc"), (.flux2, "semver:1", "texts"), (.argocd, "numerical=asc", "numerical"),
            (.argocd, "semver=* extract=$1 filter=a", "extraction"), (.argocd, "alphabetical=desc", "descending"),
            (.argocd, "policy=newest", "strategy"), (.argocd, "regexp=(", "regular expression"),
            (.argocd, "newest ignore=[a", "']'"), (.keel, "-", "needs a policy"), (.keel, "never", "never"),
            (.keel, "numerical=asc", "order of its own"), (.keel, "minor glob=a", "together"),
            (.keel, "semver=^1", "no policy of Keel"), (.slipway, "extract=$1", "extract from"),
            (.slipway, "filter=(a extract=$1", "regular expression"),
        ] as [(PolicyDialect, String, String)])
    func `what a tool does not have is refused`(dialect: PolicyDialect, text: String, words: String) {
        let error = #expect(throws: PolicyError.self) { try ImagePolicy(specification(dialect, text)) }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }

    @Test func `a level needs the tag in use`() throws {
        let policy = try ImagePolicy.parse("minor", dialect: .keel)
        #expect(policy.needsCurrent)
        let selection = policy.select(from: [TagCandidate(tag: "1.2.3")], current: nil)
        #expect(selection.tag == nil && selection.reason.contains("tag in use"))
    }

    /// `dialect | policy | tags (with ! for an image that cannot be used) | in use | reason`.
    @Test(arguments: [
        "slipway | semver:3.12.x | 3.12.0-rc1 3.12.0-rc2 3.13.0-rc1 x 3.11.0 | - | none of 5 tags is a version in '3.12.x'; 2 are pre-releases of it: write '3.12.x-0' to use pre-releases",
        "slipway | semver:>=1.2 <2 | 1.3.0-rc1 | - | none of 1 tag is a version in '>=1.2 <2'; 1 is a pre-release of it: write '>=1.2 <2-0' to use pre-releases",
        "flux2 | semver=~1.4 | 1.4.0-rc1 1.5.0-rc1 | - | none of 2 tags is a version in '~1.4'; 1 is a pre-release of it: write '~1.4-0' to use pre-releases",
        "slipway | semver:1.x | 2.0.0-rc1 | - | none of 1 tag is a version in '1.x'",
        "slipway | semver:1.x | 1.1.0! 1.2.0! 2.0.0 x | - | 1.2.0 is the highest of 2 versions in '1.x', but its image cannot be used: not for arm64; nor can the others",
        "argocd | digest=latest | latest! x | - | latest is the tag that is followed by its digest, but its image cannot be used: not for arm64",
        "slipway | glob:v* | v1@1 v2@2! w@3! | - | the only image that matches 'v*' (passed over: v2: not for arm64)",
        "slipway | semver:1.x | 1.1.0 1.2.0! | 1.1.0 | the only version in '1.x' (passed over: 1.2.0: not for arm64)",
        "slipway | semver:1.x | 1.1.0! 1.2.0 | - | the only version in '1.x'",
        "argocd | policy=name ignore=regexp:^v1 | v1 v2 | - | the last of 2 tags in alphabetical order ('regexp:' in ignore-tags is a glob here, as upstream, and matches no tag)",
    ])
    func `reasons tell the truth`(row: String) throws {
        let cells = row.components(separatedBy: " | ").map { $0.trimmingCharacters(in: .whitespaces) }
        let dialect = try #require(PolicyDialect(rawValue: cells[0]))
        let policy =
            cells[1].hasPrefix("semver:")
            ? try ImagePolicy.parse(cells[1], dialect: dialect)
            : try ImagePolicy(specification(dialect, cells[1]))
        let tags = cells[2].split(separator: " ").map { word in
            let parts = word.filter { $0 != "!" }.split(separator: "@")
            return TagCandidate(
                tag: String(parts[0]), created: parts.count > 1 ? Int64(parts[1]) : nil,
                problem: word.hasSuffix("!") ? "not for arm64" : nil)
        }
        for order in [tags, tags.reversed()] {
            let selection = policy.select(from: order, current: cells[3] == "-" ? nil : cells[3])
            #expect(selection.reason == cells[4])
        }
    }

    @Test func `every reason says what stands in the way`() throws {
        var policy = try specification(.slipway, "numerical=asc filter=^m-(?P<n>.*)$ extract=$n exclude=old")
        policy.glob = "m*"
        let hash = String(repeating: "0123456789abcdef", count: 4)
        let tags =
            ["m-1", "m-2", "m-old", "x", "m-", "m-y", "latest", "sha256-\(hash).att", "mm", "-bad", "a b"]
            .map { TagCandidate(tag: $0) } + [TagCandidate(tag: "m-3", problem: "not for linux/arm64")]
        let verdicts = try ImagePolicy(policy).select(from: tags, current: nil).verdicts
        #expect(
            verdicts.map(\.reason) == [
                "m-2 comes before it", "the highest of 2 numbers (passed over: m-3: not for linux/arm64)",
                "excluded by 'old'", "does not match 'm*'",
                "'$n' extracts nothing from it", "not a decimal number", "'latest' is chosen only by 'glob:latest'",
                "a signature, an attestation or another artifact about an image", "does not match '^m-(?P<n>.*)$'",
                "not a tag: letters, digits, '_', '.' and '-', not more than 128",
                "not a tag: letters, digits, '_', '.' and '-', not more than 128", "not for linux/arm64",
            ])
    }
}
