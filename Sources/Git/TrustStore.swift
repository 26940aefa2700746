import CGit2
import CLinux
import Dispatch
import FileSystem
import Glibc
import Synchronization

/// The certificate authorities that TLS servers are verified against.
///
/// libgit2 has one set for the whole process, and frees the old one when it is replaced. So the CA files of all remotes are
/// added up, and a change waits until no conversation is open.
enum TrustStore {
    private static let added = Mutex<[String: [UInt8]]>([:])
    private static let gate = Gate()

    /// One conversation's hold on the set.
    struct Use: ~Copyable {
        fileprivate init() { TrustStore.gate.enter() }
        deinit { TrustStore.gate.leave() }
    }

    /// Makes sure that a remote's own CA file is in the set, and keeps the set as it is until the result is dropped.
    static func use(_ credentials: GitCredentials) throws(GitError) -> Use {
        if !credentials.certificates.isEmpty {
            try add(credentials.certificates, of: "the environment's certificates")
        }
        if let file = credentials.caFile {
            guard let bytes = Storage.read(file, limit: 16 << 20), !bytes.isEmpty else {
                throw GitError(
                    .certificate, "cannot read the CA file", place: file,
                    hint: "it must be a readable PEM file of certificates")
            }
            try add(bytes, of: file)
        }
        return Use()
    }

    /// The authorities that a remote is verified against, PEM: the system's, and its own.
    static func bundles(for credentials: GitCredentials) -> [[UInt8]] {
        var bundles = systemBundle.map { [$0] } ?? []
        if !credentials.certificates.isEmpty { bundles.append(credentials.certificates) }
        if let own = credentials.caFile.flatMap({ Storage.read($0, limit: 16 << 20) }) { bundles.append(own) }
        return bundles
    }

    private static var systemBundle: [UInt8]? {
        SystemCertificates.bundles.lazy.compactMap { Storage.read($0, limit: 64 << 20) }.first
    }

    private static func add(_ bytes: [UInt8], of file: String) throws(GitError) {
        let status: Result<Void, GitError>? = added.withLock { added in
            guard added[file] != bytes else { return nil }
            added[file] = bytes
            let all = added.sorted { $0.key < $1.key }.map(\.value)
            return gate.alone { Result { () throws(GitError) in try install(all, file: file) } }
        }
        if case .failure(let error) = status {
            added.withLock { $0[file] = nil }
            throw error
        }
    }

    /// Loads the system's authorities and ours from one file, in memory: libgit2 takes a path, and replaces what it had.
    private static func install(_ bundles: [[UInt8]], file: String) throws(GitError) {
        let descriptor = linux_memory_file("slipway-ca")
        guard descriptor >= 0 else {
            throw GitError(.storage, "cannot hold the CA bundle", cause: String(cString: strerror(errno)))
        }
        defer { close(descriptor) }
        let path = "/proc/self/fd/\(descriptor)"
        var bytes = systemBundle ?? []
        for bundle in bundles { bytes += [UInt8(ascii: "\n")] + bundle }
        try Storage.write(bytes, to: path)
        try Library.start()
        let status = slipway_git2_set_certificate_file(path)
        guard status >= 0 else {
            throw .last(
                status, "the CA file cannot be used", place: file, hint: "it must hold certificates in PEM form")
        }
    }
}

/// Many may be inside, or one alone.
private final class Gate: Sendable {
    private let inside = Mutex(0)

    func enter() { inside.withLock { $0 += 1 } }
    func leave() { inside.withLock { $0 -= 1 } }

    /// Runs `body` while nobody is inside; those who come meanwhile wait.
    func alone<Result>(_ body: () -> Result) -> Result {
        while true {
            let result: Result? = inside.withLock { $0 == 0 ? body() : nil }
            if let result { return result }
            usleep(20_000)
        }
    }
}
