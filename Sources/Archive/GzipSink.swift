import Blocking
import CDeflate
import Synchronization

/// Compresses what is written to it with gzip (RFC 1952), on all processors and always to the same bytes.
///
/// The content is cut into pieces of 1 MiB, and these where random bytes begin and end, that are members of their own: every reader of gzip takes several members for
/// one stream, and which processor compresses which changes nothing. libdeflate does two to three times what zlib does at the same
/// size, and its output, unlike that of libraries that choose their algorithm by the processor, is the same on every machine.
package struct GzipSink<Sink: ByteSink & ~Copyable>: ~Copyable, ByteSink {
    package var sink: Sink
    private let level: Int32
    private var pending: [UInt8] = []
    /// Pieces that are being compressed, in their order.
    private var running: [GzipMember] = []
    private var isEmpty = true

    private static var pieceSize: Int { GzipMember.pieceSize }

    /// - Parameter level: 0 (stored), 1 (fast) to 12 (small).
    package init(_ sink: consuming Sink, level: Int32 = 2) throws(ArchiveError) {
        guard (0...12).contains(level) else {
            throw ArchiveError(.stream, "there is no compression level \(level)", hint: "choose one from 0 to 12")
        }
        self.sink = sink
        self.level = level
    }

    package mutating func write(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            if pending.isEmpty { pending.reserveCapacity(min(Self.pieceSize, max(rest.count, 64 << 10))) }
            let part = rest.prefix(Self.pieceSize - pending.count)
            pending.append(contentsOf: part)
            rest = rest.dropFirst(part.count)
            if pending.count == Self.pieceSize { try startMember() }
        }
    }

    package mutating func finish() throws(ArchiveError) {
        // A stream has at least one member.
        if !pending.isEmpty || isEmpty {
            if isEmpty {
                let only = GzipMember(take(), level: level)
                only.compress()
                try write(only)
            } else {
                try startMember()
            }
        }
        while !running.isEmpty { try write(running.removeFirst()) }
        try sink.finish()
    }

    private mutating func take() -> [UInt8] {
        isEmpty = false
        defer { pending = [] }
        return pending
    }

    private mutating func startMember() throws(ArchiveError) {
        // As many as keep all processors busy while this thread writes; so memory stays bounded.
        if running.count > ProcessorCount.value { try write(running.removeFirst()) }
        let member = GzipMember(take(), level: level)
        running.append(member)
        startBlocking { member.compress() }
    }

    private mutating func write(_ member: GzipMember) throws(ArchiveError) {
        guard let output = member.wait() else { throw ArchiveError(.stream, "the compression failed") }
        let outcome: Result<Void, ArchiveError> = output.withUnsafeBytes { bytes in
            Result { () throws(ArchiveError) in try sink.write(bytes) }
        }
        try outcome.get()
    }
}

/// One piece on its way through the compressor.
private final class GzipMember: Sendable {
    static let pieceSize = 1 << 20

    private let content: Mutex<[UInt8]>
    private let level: Int32
    private let output = Mutex<[UInt8]?>(nil)
    private let isDone = Semaphore()

    init(_ content: [UInt8], level: Int32) {
        self.content = Mutex(content)
        self.level = level
    }

    /// Called once, on any thread.
    func compress() {
        let content = self.content.withLock { content in
            defer { content = [] }
            return content
        }
        let compressed = Self.compress(content, level)
        output.withLock { $0 = compressed }
        isDone.signal()
    }

    /// What came out; `nil` when memory was lacking.
    func wait() -> [UInt8]? {
        isDone.wait()
        return output.withLock { $0 }
    }

    /// Where the search is to be fast, what has no repetitions is not searched: it becomes a member that stores it.
    private static func compress(_ content: [UInt8], _ level: Int32) -> [UInt8]? {
        // The holes of sparse files are many such pieces.
        if content.count == pieceSize, content.withUnsafeBytes(Zeros.fill) {
            return zeros.withLock { known in
                if let member = known[level] { return member }
                known[level] = content.withUnsafeBytes { member($0, level) }
                return known[level]
            }
        }
        guard (1...3).contains(level) else { return content.withUnsafeBytes { member($0, level) } }
        return content.withUnsafeBytes { bytes in
            let parts = Compressibility.parts(of: bytes)
            if parts.count < 2, parts.first?.isRandom != true { return member(bytes, level) }
            var output: [UInt8] = []
            output.reserveCapacity(content.count)
            for part in parts {
                let bytes = UnsafeRawBufferPointer(rebasing: bytes[part.range])
                guard let member = member(bytes, part.isRandom ? 0 : level) else { return nil }
                output += member
            }
            return output
        }
    }

    /// A piece of zeros by compression level.
    private static let zeros = Mutex<[Int32: [UInt8]]>([:])

    private static func member(_ content: UnsafeRawBufferPointer, _ level: Int32) -> [UInt8]? {
        guard let compressor = libdeflate_alloc_compressor(level) else { return nil }
        defer { libdeflate_free_compressor(compressor) }
        let bound = libdeflate_gzip_compress_bound(compressor, content.count)
        let output = [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
            count = libdeflate_gzip_compress(
                compressor, content.baseAddress, content.count, buffer.baseAddress, bound)
        }
        return output.isEmpty ? nil : output
    }
}
