import Blocking
import CLinux
import Glibc

/// Runs `ssh-keygen` and `gpg`, with bounds on time and output. Blocks.
///
/// Signatures are left to the programs that git itself uses for them: keys with passphrases, agents, hardware keys, the
/// rules of allowed-signers files and of OpenPGP trust are theirs, and no C library on Debian 12 covers them (GPGME runs
/// `gpg` as well).
struct ChildProgram {
    let name: String
    /// What to install when it is missing.
    let package: String

    static let sshKeygen = ChildProgram(name: "ssh-keygen", package: "openssh-client")
    static let gpg = ChildProgram(name: "gpg", package: "gpg")
    static let gpgconf = ChildProgram(name: "gpgconf", package: "gpgconf")

    struct Result {
        var status: Int32
        var output: [UInt8]
        var errors: [UInt8]

        /// What the program complained about, for an error: one line, no control characters.
        var complaint: String { Redaction.serverText(errors, limit: 1000) }
    }

    /// - Parameters:
    ///   - environment: the whole environment, `NAME=value`; nothing of ours is inherited.
    ///   - input: what it reads from standard input.
    func run(
        _ arguments: [String], environment: [String] = [], input: [UInt8] = [], outputLimit: Int = 1 << 20,
        timeout: Duration = .seconds(60)
    ) throws(GitError) -> Result {
        let searchPath = Environment.value("PATH") ?? "/usr/bin:/bin"
        let candidates = searchPath.split(separator: ":").map { "\($0)/\(name)" }
        guard let path = candidates.first(where: { (candidate: String) in access(candidate, X_OK) == 0 }) else {
            throw GitError(
                .unsupported, "\(name) is needed for signatures and is not installed",
                cause: "it is in no directory of PATH",
                hint: "install the package \(package)")
        }
        let standardInput = try Input(input)
        let output = try Pipe()
        let errors = try Pipe()
        let child = try SpawnedProgram(
            path, arguments, environment: environment + ["PATH=\(searchPath)", "LC_ALL=C", "TZ=UTC"],
            descriptors: (standardInput.descriptor, output.write, errors.write))
        output.closeWrite()
        errors.closeWrite()
        let deadline = ContinuousClock.now + timeout
        var result = Result(status: 0, output: [], errors: [])
        let isComplete = Self.gather(output.read, errors.read, into: &result, limit: outputLimit, deadline: deadline)
        if isComplete, let status = child.wait(until: deadline) {
            result.status = status
            return result
        }
        child.signal(SIGKILL)
        _ = child.wait(until: ContinuousClock.now + .seconds(5))
        throw GitError(
            .timeout, "\(name) was stopped",
            cause: ContinuousClock.now >= deadline
                ? "it took longer than \(timeout.components.seconds) seconds"
                : "it printed more than \(outputLimit) bytes")
    }

    /// Reads both streams to their ends; `false` when the time or the room is used up.
    private static func gather(
        _ output: Int32, _ errors: Int32, into result: inout Result, limit: Int, deadline: ContinuousClock.Instant
    ) -> Bool {
        var open = [
            pollfd(fd: output, events: Int16(POLLIN), revents: 0),
            pollfd(fd: errors, events: Int16(POLLIN), revents: 0),
        ]
        var buffer = [UInt8](repeating: 0, count: 16384)
        while open.contains(where: { $0.fd >= 0 }) {
            guard ContinuousClock.now < deadline else { return false }
            if poll(&open, nfds_t(open.count), 100) < 0 && errno != EINTR { return false }
            for index in open.indices where open[index].fd >= 0 && open[index].revents != 0 {
                let count = read(open[index].fd, &buffer, buffer.count)
                if count < 0 && errno == EINTR { continue }
                if count <= 0 {
                    open[index].fd = -1
                } else if index == 0 {
                    result.output += buffer[..<count]
                } else {
                    result.errors += buffer[..<count]
                }
            }
            guard result.output.count <= limit, result.errors.count <= limit else { return false }
        }
        return true
    }

    /// Standard input as a file without a name: it has no size limit as a pipe has, and nobody needs to feed it.
    private struct Input: ~Copyable {
        let descriptor: Int32

        init(_ bytes: [UInt8]) throws(GitError) {
            descriptor = linux_memory_file("slipway-input")
            var rest = bytes[...]
            while descriptor >= 0, !rest.isEmpty {
                let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
                guard count > 0 else { break }
                rest = rest.dropFirst(count)
            }
            guard descriptor >= 0, rest.isEmpty, lseek(descriptor, 0, SEEK_SET) == 0 else {
                let cause = String(cString: strerror(errno))
                throw GitError(.storage, "cannot hand data to a program", cause: cause)
            }
        }

        deinit { if descriptor >= 0 { close(descriptor) } }
    }

    private final class Pipe {
        let read: Int32
        private(set) var write: Int32

        init() throws(GitError) {
            var ends: [Int32] = [-1, -1]
            guard linux_pipe(&ends) == 0 else {
                throw GitError(.storage, "cannot make a pipe", cause: String(cString: strerror(errno)))
            }
            read = ends[0]
            write = ends[1]
        }

        func closeWrite() {
            if write >= 0 { close(write) }
            write = -1
        }

        deinit {
            close(read)
            closeWrite()
        }
    }
}

/// A directory for keys and signatures that only this user can look into, removed with all that is in it.
final class PrivateDirectory {
    let path: String

    init() throws(GitError) {
        let base = getenv("TMPDIR").map { String(cString: $0) }.flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "/tmp"
        // The path must stay short: gpg's agent makes a socket in it, and a socket's path has at most 107 bytes.
        var template = Array("\(base.utf8.count < 60 ? base : "/tmp")/slipway-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw GitError(
                .storage, "cannot make a directory for signing", place: base, cause: String(cString: strerror(errno)))
        }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Writes a file that only this user may read.
    func write(_ bytes: [UInt8], to name: String, isExecutable: Bool = false) throws(GitError) -> String {
        let file = "\(path)/\(name)"
        try Storage.write(bytes, to: file)
        if isExecutable { chmod(file, 0o700) }
        return file
    }

    deinit { try? Storage.removeTree(path) }
}
