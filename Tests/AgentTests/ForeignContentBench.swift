import Builder
import Foundation
import Git
import Registry
import Sandbox
import Synchronization
import TestSupport

@testable import Agent

/// A watched repository whose contexts take submodules and Git LFS content, as a cycle opens them.
final class ForeignContentBench: Sendable {
    let directory: TemporaryDirectory
    /// `NAME.git` of each repository.
    let folder: String
    private let fetchers = Mutex<[String: RemoteFetcher]>([:])

    init(_ name: String) throws {
        directory = try TemporaryDirectory(name)
        folder = directory.file("git")
    }

    func repository(_ name: String) throws -> GitRepositoryFixture {
        try GitRepositoryFixture(in: folder, name: name + ".git")
    }

    /// The context of the head of `main`.
    func context(
        _ url: String, _ content: FetchedContent, folder: String = "", credentials: GitCredentials? = nil,
        granting granted: [String] = [], state: String = "state"
    ) async throws -> any BuildContext {
        let (remote, tree) = try await head(url, credentials: credentials, granting: granted, state: state)
        return try await remote.context(tree, root: folder, replacing: [:], fetching: content)
    }

    /// The head of `main`, by way of a mirror of its own.
    func head(
        _ url: String, credentials: GitCredentials? = nil, granting granted: [String] = [], state: String = "state"
    ) async throws -> (remote: MirrorRemote, tree: RevisionTree) {
        let credentials = credentials ?? GitCredentials(usesSSHAgent: false)
        let scope = CredentialScope.repository(url, granting: granted.compactMap { RepositoryPlace(prefix: $0) })
        // As in an agent, all look at the same mirrors.
        let shared = fetchers.withLock { fetchers in
            let known =
                fetchers[state]
                ?? RemoteFetcher(stateDirectory: directory.file(state), credentials: GitCredentials(), scope: scope)
            fetchers[state] = known
            return known
        }
        let fetcher = shared.with(credentials: credentials, scope: scope)
        let mirror = try Mirror(
            path: directory.file("mirror-\(UInt32.random(in: 0 ... .max))"), url: url, credentials: credentials)
        let remote = MirrorRemote(mirror, url: url, sources: fetcher.git)
        let head = try await remote.fetch(branch: "main").commit
        return (remote, RevisionTree(revision: head, entries: try await remote.entries(of: head.id)))
    }

    /// Builds an image of one COPY, or works out what it would be made from.
    func builder(state: String = "state") async throws -> Builder {
        try Builder(
            stateDirectory: directory.file(state), registry: RegistryAccess(),
            report: await SandboxProbe.probe(stateDirectory: directory.file("probe")))
    }

    static func request(_ context: any BuildContext, _ text: String = "FROM scratch\nCOPY . /\n") -> BuildRequest {
        BuildRequest(
            context: context, dockerfile: .bytes(Array(text.utf8), name: "Dockerfile"), createdAt: 1_700_000_000)
    }
}

extension BuildContext {
    /// What its files hold, by path.
    func contents() async throws -> [String: String] {
        var found: [String: String] = [:]
        for entry in try await entries(under: "") where entry.kind == .file {
            found[entry.path] = String(decoding: try await bytes(of: entry), as: UTF8.self)
        }
        return found
    }

    func bytes(of entry: ContextEntry) async throws -> [UInt8] {
        let bytes = Bytes()
        try await read(entry) { (part) throws(BuildError) in
            let copy = [UInt8](part)
            bytes.all.withLock { $0 += copy }
        }
        return bytes.all.withLock { $0 }
    }

    func entry(_ path: String) async throws -> ContextEntry? {
        try await entries(under: "").first { $0.path == path }
    }
}

private final class Bytes: Sendable {
    let all = Mutex<[UInt8]>([])
}
