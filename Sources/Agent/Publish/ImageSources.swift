import Forge
import Git
import OCI
import RegistryPoller

/// What an update exchanges, and from which commits the images were made.
struct ImageChange: Sendable, Equatable {
    /// Without tag and digest.
    var image: String
    /// Tag and digest, as they are written.
    var old: String
    var new: String
    /// Of the images' source, as their annotations say; `nil` where they do not.
    var oldCommit: String?
    var newCommit: String?
    /// The commits that came in, the newest first; `nil` where they are not known here.
    var commits: [Commit]?
    /// Where people see the difference.
    var comparison: String?
}

/// Finds out from which commits images were made: their annotations name them, and the mirror has them where they are the
/// repository's own.
struct ImageSources: Sendable {
    let tags: (any TagSource)?
    let remote: any GitRemote

    /// Commits that are told of one image; there is one more where there are more.
    static let limit = 20

    /// One for each image that is exchanged, whatever the number of places.
    ///
    /// - Throws: when a registry does not answer; an image that says nothing is no failure.
    func changes(of updates: [CycleReport.Update]) async throws(PollError) -> [ImageChange] {
        var seen: Set<[String]> = []
        var changes: [ImageChange] = []
        for update in updates where seen.insert([update.old, update.image ?? update.new]).inserted {
            changes.append(try await change(of: update))
        }
        return changes
    }

    private func change(of update: CycleReport.Update) async throws(PollError) -> ImageChange {
        let text = update.image ?? update.new
        guard let reference = try? Reference(text) else {
            return ImageChange(image: "", old: update.old, new: text)
        }
        let new = ImageLocation(reference)
        let old = Self.old(update.old, of: new)
        var change = ImageChange(
            image: Self.name(of: text), old: old == nil ? update.old : Self.version(of: update.old),
            new: Self.version(of: text))
        let made = try await annotations(of: new)
        let before = try await annotations(of: old)
        change.newCommit = made[Annotation.revision].flatMap(Self.commit)
        change.oldCommit = before[Annotation.revision].flatMap(Self.commit)
        guard let newCommit = change.newCommit, let oldCommit = change.oldCommit, newCommit != oldCommit else {
            return change
        }
        change.commits = await commits(from: oldCommit, to: newCommit)
        if let source = made[Annotation.source], source == before[Annotation.source] {
            change.comparison = CommitComparison.url(of: source, from: oldCommit, to: newCommit)
        }
        return change
    }

    private func annotations(of image: ImageLocation?) async throws(PollError) -> [String: String] {
        guard let tags, let image, let tag = image.tag else { return [:] }
        return try await tags.look(at: tag, in: image.repository, platforms: []).annotations.all
    }

    /// Without those by which the agent changed manifests.
    private func commits(from old: String, to new: String) async -> [Commit]? {
        guard let old = try? ObjectID(hex: old), let new = try? ObjectID(hex: new),
            (try? await remote.commit(old)) != nil, (try? await remote.commit(new)) != nil,
            let found = try? await remote.log(from: new, limit: Self.limit * 5, notReachableFrom: old)
        else { return nil }
        return found.filter { !CommitTrailer.isOwn($0.message) }
    }

    /// Places may hold a tag alone.
    private static func old(_ text: String, of new: ImageLocation) -> ImageLocation? {
        guard !text.isEmpty else { return nil }
        if text.contains("/") || text.contains(":"), let reference = try? Reference(text) {
            let old = ImageLocation(reference)
            return old.repository == new.repository ? old : nil
        }
        return ImageLocation(repository: new.repository, tag: text)
    }

    private static func name(of text: String) -> String {
        let whole = text.prefix { $0 != "@" }
        guard let colon = whole.lastIndex(of: ":"), !whole[colon...].contains("/") else { return String(whole) }
        return String(whole[..<colon])
    }

    private static func version(of text: String) -> String {
        guard text.contains("/") || text.contains(":") else { return text }
        let rest = text.dropFirst(name(of: text).count)
        return rest.isEmpty ? text : String(rest.hasPrefix(":") ? rest.dropFirst() : rest)
    }

    private static func commit(_ text: String) -> String? {
        text.utf8.count == 40 && text.allSatisfy(\.isHexDigit) ? text.lowercased() : nil
    }
}
