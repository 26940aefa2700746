import Blocking
import FileSystem
import Glibc
import Synchronization

/// Writes the lines of one build to its log, without ever making the build wait.
///
/// Lines go to memory and from there to the kernel by a thread that may block, at once: what was appended is lost to `kill -9` only
/// while that thread is behind. The log is bounded: its first part and, from the moment when that is full, its last part, with a
/// note between them on what was left out. Where the disk is slower than the build, it is cut in the same way.
final class LogWriter: Sendable {
    /// In bytes.
    struct Limits: Sendable, Equatable {
        var head = 4 << 20
        var tail = 1 << 20
        /// How much may wait for the disk.
        var waiting = 4 << 20
        /// Longer lines are cut.
        var line = 8 << 10
    }

    private struct State {
        var waiting: [UInt8] = []
        var accepted = 0
        var isCut = false
        var tail = Tail()
        var isWriting = false
        var isClosed = false
        var written = 0
        var idle: [CheckedContinuation<Void, Never>] = []
        var problem: FileSystemError?
    }

    /// The last lines, as many as fit.
    private struct Tail {
        var lines: [[UInt8]] = []
        var first = 0
        var size = 0
        var leftOut = 0

        mutating func append(_ line: [UInt8], limit: Int) {
            lines.append(line)
            size += line.count
            while size > limit, first < lines.count {
                size -= lines[first].count
                lines[first] = []
                first += 1
                leftOut += 1
            }
            // Moved together now and then, not for each line.
            if first > 1_000, first > lines.count / 2 {
                lines.removeSubrange(..<first)
                first = 0
            }
        }
    }

    private let file: FileHandle
    private let limits: Limits
    private let state = Mutex(State())

    /// - Parameter path: of a file that is not there yet.
    init(path: String, limits: Limits = Limits()) throws(FileSystemError) {
        file = try FileHandle(path: path, flags: O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW, mode: 0o600)
        self.limits = limits
    }

    /// Appends a line. What would steer a terminal, beside colours, is left out or becomes a replacement character; a text of several lines is several.
    func append(_ text: String) {
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            append(line: Array(BoundedText.colouredLine(line, limit: limits.line).utf8) + [UInt8(ascii: "\n")])
        }
    }

    private func append(line: [UInt8]) {
        let starts = state.withLock { state -> Bool in
            guard !state.isClosed, state.problem == nil else { return false }
            if !state.isCut, state.accepted + line.count <= limits.head,
                state.waiting.count + line.count <= limits.waiting
            {
                state.accepted += line.count
                state.waiting += line
                return Self.begins(&state)
            }
            state.isCut = true
            state.tail.append(line, limit: limits.tail)
            return false
        }
        if starts { startBlocking { self.write() } }
    }

    /// Writes the end, and waits until all is with the kernel. Lines that come later are dropped.
    func close() async {
        let starts = state.withLock { state -> Bool in
            guard !state.isClosed else { return false }
            state.isClosed = true
            if state.tail.leftOut > 0 {
                state.waiting += Array("… \(state.tail.leftOut) lines were left out here: the log was too long\n".utf8)
            }
            state.waiting += state.tail.lines[state.tail.first...].joined()
            state.tail = Tail()
            return Self.begins(&state)
        }
        if starts { startBlocking { self.write() } }
        await flush()
    }

    /// Waits until what was appended is with the kernel.
    func flush() async {
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state -> Bool in
                if state.isWriting { state.idle.append(continuation) }
                return !state.isWriting
            }
            if isIdle { continuation.resume() }
        }
    }

    /// Bytes in the file.
    var size: Int { state.withLock(\.written) }

    var problem: FileSystemError? { state.withLock(\.problem) }

    private static func begins(_ state: inout State) -> Bool {
        guard !state.isWriting, !state.waiting.isEmpty else { return false }
        state.isWriting = true
        return true
    }

    private func write() {
        while true {
            let (bytes, idle) = state.withLock { state -> ([UInt8], [CheckedContinuation<Void, Never>]) in
                let bytes = state.waiting
                state.waiting = []
                guard bytes.isEmpty else { return (bytes, []) }
                state.isWriting = false
                defer { state.idle = [] }
                return ([], state.idle)
            }
            if bytes.isEmpty {
                for waiter in idle { waiter.resume() }
                return
            }
            do throws(FileSystemError) {
                try file.write(all: bytes)
                state.withLock { $0.written += bytes.count }
            } catch {
                state.withLock { state in
                    state.problem = error
                    state.waiting = []
                }
            }
        }
    }
}
