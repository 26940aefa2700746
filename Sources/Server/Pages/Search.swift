import Agent

/// Something that is found by a few letters: a repository, a build, a commit, a tag or a digest.
struct SearchHit: Sendable, Equatable {
    enum Kind: String, Sendable { case repository, build, commit, tag, digest }

    let kind: Kind
    let text: String
    /// Where it belongs.
    let note: String
    let address: Address
}

/// Looks for repositories by a part of their names or addresses, for builds, commits, tags and digests by their beginnings.
struct Search: Sendable {
    let control: any AgentControl
    let overview: AgentOverview
    let text: String

    /// Records of builds that are read for one search.
    private static let recordLimit = 1_000
    static let hitLimit = 50

    init(_ text: String, control: any AgentControl, overview: AgentOverview) {
        self.control = control
        self.overview = overview
        self.text = text.filter { !$0.isWhitespace }.lowercased()
    }

    func hits() async -> [SearchHit] {
        guard !text.isEmpty else { return [] }
        var hits = repositories
        hits += overview.repositories.flatMap(commits)
        hits += overview.repositories.flatMap { status in
            status.lastImages.flatMap { names($0.references, $0.digest, of: status.repository) }
        }
        let each = max(1, min(200, Self.recordLimit / max(1, overview.repositories.count)))
        for status in overview.repositories.prefix(Self.recordLimit) {
            guard hits.count < Self.hitLimit * 4 else { break }
            let name = status.repository
            guard let builds = try? await control.builds(of: name, limit: each, olderThan: nil) else { continue }
            for build in builds { hits += found(in: build) }
        }
        var seen: Set<String> = []
        return Array(
            hits.filter { seen.insert("\($0.kind) \($0.text) \($0.address.text)").inserted }.prefix(Self.hitLimit))
    }

    private var repositories: [SearchHit] {
        let all = overview.repositories.filter { "\($0.repository) \($0.url)".lowercased().contains(text) }
        // Who types a whole name means it, also where it is a part of others.
        let exact = all.filter { $0.repository.lowercased() == text }
        return (exact + all.filter { $0.repository.lowercased() != text }).map {
            SearchHit(kind: .repository, text: $0.repository, note: $0.url, address: FleetPage.page($0.repository))
        }
    }

    private func commits(of status: RepositoryStatus) -> [SearchHit] {
        [(status.head, "the head"), (status.lastCommit?.commit, "the last bump")].compactMap { commit, what in
            guard let commit, isCommit(commit) else { return nil }
            return SearchHit(
                kind: .commit, text: String(commit.prefix(12)), note: "\(what) of \(status.repository)",
                address: FleetPage.page(status.repository))
        }
    }

    private func found(in build: BuildRecord) -> [SearchHit] {
        let key = build.description.pipeline
        let name = "\(key.repository) / \(key.pipeline)"
        var hits: [SearchHit] = []
        if text.count >= 4, build.id.description.hasPrefix(text) {
            hits.append(
                SearchHit(kind: .build, text: build.id.description, note: name, address: BuildPage.page(build.id)))
        }
        if let revision = build.description.revision, isCommit(revision) {
            hits.append(
                SearchHit(
                    kind: .commit, text: String(revision.prefix(12)), note: "built as \(name)",
                    address: BuildPage.page(build.id)))
        }
        if let digest = build.digest { hits += names(build.description.names, digest, of: key.repository) }
        return hits
    }

    private func isCommit(_ commit: String) -> Bool { text.count >= 4 && commit.lowercased().hasPrefix(text) }

    private func names(_ names: [String], _ digest: String, of repository: String) -> [SearchHit] {
        let page = ImagePage.page(digest, of: repository)
        var hits = names.filter(isTag).map {
            SearchHit(kind: .tag, text: $0, note: "of \(repository)", address: page)
        }
        let digits = digest.split(separator: ":").last ?? ""
        if text.count >= 4, digest.hasPrefix(text) || digits.hasPrefix(text) {
            hits.append(SearchHit(kind: .digest, text: digest, note: names.first ?? "of \(repository)", address: page))
        }
        return hits
    }

    /// Whether the text begins the tag of a reference, or is its name or a part of it that ends in its tag: `v47`, `shop:v47`.
    private func isTag(_ reference: String) -> Bool {
        let name = reference.lowercased()
        guard let colon = name.lastIndex(of: ":"), !name[colon...].contains("/") else { return false }
        let tag = name[name.index(after: colon)...]
        if tag.hasPrefix(text) { return true }
        guard text.contains(":"), let range = name.firstRange(of: text) else { return false }
        return range.lowerBound == name.startIndex || name[name.index(before: range.lowerBound)] == "/"
    }
}
