import FileSystem
import Glibc

/// The Unix socket by which commands on the same machine reach a running agent: `agent.sock` in its state directory, for its user
/// alone.
///
/// It appears in one step, when it is listened on, with its mode as it stays. One agent of a state directory has it: whoever holds
/// the lock on a file beside it, which the kernel gives up with the process. So what a dead process left is replaced, and
/// never what a living one answers on.
package final class AgentSocket: Sendable {
    package static func path(in stateDirectory: String) -> String { stateDirectory + "/agent.sock" }

    /// The bound socket; who listens on it closes it.
    package let descriptor: Int32
    package let path: String
    private let hidden: String
    private let lock: FileHandle

    private init(descriptor: Int32, path: String, hidden: String, lock: consuming FileHandle) {
        self.descriptor = descriptor
        self.path = path
        self.hidden = hidden
        self.lock = lock
    }

    /// Binds a socket that nobody sees yet.
    ///
    /// - Returns: `nil` when another process has the socket of this state directory.
    /// - Throws: when the directory cannot be written to.
    package static func bind(in stateDirectory: String) throws(AgentError) -> AgentSocket? {
        let path = path(in: stateDirectory)
        let lock: FileHandle
        do throws(FileSystemError) {
            _ = try Directory.create(path: stateDirectory, mode: 0o700)
            lock = try FileHandle(path: path + ".lock", flags: O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
        } catch {
            throw AgentError(
                "cannot make the agent's socket", place: path, cause: "\(error)",
                hint: "the state directory must be writable")
        }
        guard flock(lock.fd, LOCK_EX | LOCK_NB) == 0 else { return nil }
        removeHidden(in: stateDirectory)
        func failure() -> AgentError {
            AgentError("cannot make the agent's socket", place: path, cause: String(cString: strerror(errno)))
        }
        let hidden = "\(stateDirectory)/\(hiddenPrefix)\(String(UInt64.random(in: .min ... .max), radix: 36))"
        let address = try SocketAddress(hidden)
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw failure() }
        // Linux gives the file the mode that its socket has, so it is never open to others.
        guard fchmod(descriptor, 0o600) == 0, address.withAddress({ Glibc.bind(descriptor, $0, $1) }) == 0,
            chmod(hidden, 0o600) == 0
        else {
            let error = failure()
            close(descriptor)
            unlink(hidden)
            throw error
        }
        return AgentSocket(descriptor: descriptor, path: path, hidden: hidden, lock: lock)
    }

    private static let hiddenPrefix = ".agent.sock-"

    /// What processes left that were killed before they showed theirs. Called with the lock.
    private static func removeHidden(in stateDirectory: String) {
        for entry in (try? Directory(path: stateDirectory).entries()) ?? [] {
            let name = String(decoding: entry.name, as: UTF8.self)
            if name.hasPrefix(hiddenPrefix) { unlink("\(stateDirectory)/\(name)") }
        }
    }

    /// Shows it, once it is listened on. What a dead process left goes.
    package func publish() throws(AgentError) {
        guard rename(hidden, path) == 0 else {
            throw AgentError(
                "cannot put the agent's socket in its place", place: path, cause: String(cString: strerror(errno)))
        }
    }

    /// Takes it away, at the agent's end. The lock goes with the process.
    package func remove() {
        unlink(hidden)
        unlink(path)
    }
}

/// A Unix socket's path as `bind` and `connect` take it: 107 bytes at most. A longer one is reached by way of its open directory.
package final class SocketAddress: Sendable {
    /// What to connect to, as long as this object is there.
    package let path: String
    private let folder: Directory?

    private static let longest = 107

    package init(_ path: String) throws(AgentError) {
        guard path.utf8.count > Self.longest else {
            self.path = path
            folder = nil
            return
        }
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        do throws(FileSystemError) {
            let folder = try Directory(path: String(path[..<slash]))
            self.path = "/proc/self/fd/\(folder.fd)\(path[slash...])"
            self.folder = folder
        } catch {
            throw AgentError("cannot reach the socket", place: path, cause: "\(error)")
        }
    }

    func withAddress<Value>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Value) -> Value {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { buffer in
            buffer.copyBytes(from: path.utf8.prefix(Self.longest))
        }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
    }
}
