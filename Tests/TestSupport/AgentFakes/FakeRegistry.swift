import Agent
package import OCI
import Registry
package import RegistryPoller
import Synchronization

/// A registry in memory: repositories with tags.
package final class FakeRegistry: TagSource {
    private struct State {
        var repositories: [RepositoryLocation: [String: TagRecord]] = [:]
        /// Images that no tag leads to.
        var untagged: [RepositoryLocation: [TagRecord]] = [:]
        var failures: [RepositoryLocation: PollError] = [:]
        var written: [ImageLocation: [Digest]] = [:]
        var scans = 0
        var looks = 0
        var running = 0
        var mostRunning = 0
        /// How many more questions for the image of a tag find none.
        var concealed: [ImageLocation: Int] = [:]
        var expired: [(tag: String?, location: RepositoryLocation)] = []
        var beforeScan: (@Sendable () async -> Void)?

        mutating func shown(_ record: TagRecord, in location: RepositoryLocation) -> TagRecord {
            let name = ImageLocation(repository: location, tag: record.tag)
            guard let left = concealed[name], left > 0 else { return record }
            concealed[name] = left - 1
            return TagRecord(tag: record.tag, problem: "the registry lists the tag and has no manifest for it")
        }
    }

    private let state = Mutex(State())

    package init() {}

    static func location(_ name: String) -> RepositoryLocation {
        guard let location = try? RepositoryLocation(name) else { preconditionFailure("no repository: \(name)") }
        return location
    }

    /// Somebody pushes an image.
    ///
    /// - Parameter content: what tells images of one tag apart.
    package func push(_ name: String, _ tag: String, created: Int64 = 0, content: String? = nil) {
        add(
            TagRecord(
                tag: tag, digest: .sha256(of: Array("\(name):\(content ?? tag)".utf8)), created: created),
            to: Self.location(name))
    }

    package func add(_ record: TagRecord, to location: RepositoryLocation) {
        state.withLock { state in
            let old = state.repositories[location]?[record.tag]
            state.repositories[location, default: [:]][record.tag] = record
            guard let digest = record.digest, digest != old?.digest else { return }
            state.written[ImageLocation(repository: location, tag: record.tag), default: []].append(digest)
        }
    }

    /// Somebody pushes an image by its digest.
    package func addUntagged(_ record: TagRecord, to location: RepositoryLocation) {
        state.withLock { $0.untagged[location, default: []].append(record) }
    }

    package func delete(_ name: String, _ tag: String) {
        state.withLock { $0.repositories[Self.location(name)]?[tag] = nil }
    }

    /// Lets a repository be unreachable, or not any more.
    package func fail(_ name: String, with error: PollError?) {
        state.withLock { $0.failures[Self.location(name)] = error }
    }

    package func tags(_ name: String) -> [String] {
        state.withLock { ($0.repositories[Self.location(name)] ?? [:]).keys.sorted() }
    }

    /// The next questions of agents for the image of a tag find none, and the tag is listed: a registry that is giving it.
    package func conceal(_ name: String, _ tag: String, times: Int) {
        state.withLock { $0.concealed[ImageLocation(repository: Self.location(name), tag: tag)] = times }
    }

    package func record(_ name: String, _ tag: String) -> TagRecord? {
        state.withLock { $0.repositories[Self.location(name)]?[tag] }
    }

    func record(of digest: Digest, in location: RepositoryLocation) -> TagRecord? {
        state.withLock { state in
            let tagged = state.repositories[location]?.values.map(\.self) ?? []
            return (tagged + (state.untagged[location] ?? [])).first { $0.digest == digest }
        }
    }

    func holder(of name: ImageLocation) -> TagHolder? {
        state.withLock { $0.repositories[name.repository]?[name.tag ?? "latest"] }.flatMap { record in
            record.digest.map { TagHolder(digest: $0, annotations: record.annotations.all) }
        }
    }

    /// All images that a tag has ever led to, oldest first.
    package func digests(_ name: String, _ tag: String) -> [Digest] {
        let name = ImageLocation(repository: Self.location(name), tag: tag)
        return state.withLock { $0.written[name] ?? [] }
    }

    /// What happens before an answer to the agent's question for tags.
    package func beforeScan(_ action: @escaping @Sendable () async -> Void) {
        state.withLock { $0.beforeScan = action }
    }

    /// The commits that the images of a repository record.
    package func revisions(_ repository: String) -> Set<String> {
        let records = state.withLock { $0.repositories[Self.location(repository)]?.values.map(\.self) ?? [] }
        return Set(records.compactMap { $0.annotations[Annotation.revision] })
    }

    package func expire(_ tag: String?, in location: RepositoryLocation) async {
        state.withLock { $0.expired.append((tag, location)) }
    }

    /// What was said to be out of date, as `NAME:TAG`.
    package var expired: [String] {
        state.withLock { $0.expired.map { $0.location.familiar + ($0.tag.map { ":\($0)" } ?? "") } }
    }

    /// How many lists of tags were asked for.
    package var scans: Int { state.withLock { $0.scans } }
    /// How many single images were asked for.
    package var looks: Int { state.withLock { $0.looks } }

    /// The most questions that were under way at one time since this was asked last.
    package func takeMostRunning() -> Int {
        state.withLock { state in
            defer { state.mostRunning = 0 }
            return state.mostRunning
        }
    }

    /// An answer takes a while: others may be asked meanwhile.
    private func takeTime() async {
        state.withLock { state in
            state.running += 1
            state.mostRunning = max(state.mostRunning, state.running)
        }
        for _ in 0..<50 { await Task.yield() }
        state.withLock { $0.running -= 1 }
    }

    package func scan(
        _ location: RepositoryLocation, _ scope: ScanScope, reuse: Int64
    ) async throws(PollError) -> TagInventory {
        await state.withLock { $0.beforeScan }?()
        await takeTime()
        let (records, failure) = state.withLock { state in
            state.scans += 1
            let records = (state.repositories[location] ?? [:]).mapValues { state.shown($0, in: location) }
            return (records, state.failures[location])
        }
        if let failure { throw failure }
        var tags = records.values.sorted { $0.tag < $1.tag }
        for index in tags.indices where !tags[index].platforms.isEmpty && scope.images != .none {
            let offered = tags[index].platforms
            guard let missing = scope.platforms.first(where: { wanted in !offered.contains { $0.matches(wanted) } })
            else {
                continue
            }
            tags[index].problem =
                "it exists for \(offered.map { "\($0)" }.joined(separator: ", ")), not for \(missing)"
        }
        return TagInventory(
            repository: location, tags: scope.images == .none ? tags.map { TagRecord(tag: $0.tag) } : tags)
    }

    package func look(
        at tag: String, in location: RepositoryLocation, platforms: [Platform]
    ) async throws(PollError) -> TagRecord {
        await takeTime()
        let (record, failure) = state.withLock { state in
            state.looks += 1
            return (state.repositories[location]?[tag].map { state.shown($0, in: location) }, state.failures[location])
        }
        if let failure { throw failure }
        return record ?? TagRecord(tag: tag, problem: "the registry has no manifest for it")
    }
}
