import Glibc

/// Bytes that are pulled, in pieces of any size.
package protocol ByteSource: ~Copyable {
    /// - Returns: how many bytes were put into the buffer; 0 at the end, and only there.
    mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int
}

/// Bytes that are pushed.
package protocol ByteSink: ~Copyable {
    mutating func write(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError)
    /// Writes what is held back. Nothing may be written afterwards.
    mutating func finish() throws(ArchiveError)
}

extension ByteSink where Self: ~Copyable {
    package mutating func write(_ bytes: [UInt8]) throws(ArchiveError) {
        // A rethrowing closure loses the error's type; the result carries it.
        let outcome: Result<Void, ArchiveError> = bytes.withUnsafeBytes { buffer in
            Result { () throws(ArchiveError) in try write(buffer) }
        }
        try outcome.get()
    }
}

extension ByteSource where Self: ~Copyable {
    /// Reads until the buffer is full, or to the end.
    ///
    /// - Returns: how many bytes.
    package mutating func fill(_ buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
        var count = 0
        while count < buffer.count {
            let more = try read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[count...]))
            if more == 0 { break }
            count += more
        }
        return count
    }

    /// All that is left.
    ///
    /// - Parameter piece: how many bytes are asked for at once.
    /// - Throws: `.limit` when it is more than `limit` bytes.
    package mutating func readAll(limit: Int, piece: Int = 1 << 16) throws(ArchiveError) -> [UInt8] {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: piece)
        while true {
            let count = try read(into: &buffer)
            if count == 0 { return all }
            guard all.count + count <= limit else {
                throw ArchiveError(.limit, "the content is larger than \(limit) bytes")
            }
            all += buffer[..<count]
        }
    }

    package mutating func read(into buffer: inout [UInt8]) throws(ArchiveError) -> Int {
        let outcome: Result<Int, ArchiveError> = buffer.withUnsafeMutableBytes { bytes in
            Result { () throws(ArchiveError) in try read(into: bytes) }
        }
        return try outcome.get()
    }
}

/// Bytes in memory.
package struct BytesSource: ByteSource {
    private let bytes: [UInt8]
    private var position = 0

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    package mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
        let count = min(buffer.count, bytes.count - position)
        guard count > 0 else { return 0 }
        buffer.copyBytes(from: bytes[position..<position + count])
        position += count
        return count
    }
}

/// A file that is read from its beginning.
package struct FileSource: ~Copyable, ByteSource {
    private let descriptor: Int32
    private let path: String

    package init(path: String) throws(ArchiveError) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        self.path = path
        guard descriptor >= 0 else {
            throw ArchiveError(
                .fileSystem, "cannot open the file", place: path, cause: String(cString: strerror(errno)))
        }
        posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)
    }

    deinit { close(descriptor) }

    package mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
        while true {
            let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            if count >= 0 { return count }
            if errno != EINTR {
                throw ArchiveError(
                    .fileSystem, "cannot read the file", place: path, cause: String(cString: strerror(errno)))
            }
        }
    }
}

/// A source that closures stand behind.
package struct ClosureSource: ByteSource {
    private let pull: (UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int

    package init(_ pull: @escaping (UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int) { self.pull = pull }

    package mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
        try pull(buffer)
    }
}

/// Bytes gathered in memory.
package struct BytesSink: ByteSink {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    package mutating func write(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError) {
        self.bytes.append(contentsOf: bytes)
    }
    package mutating func finish() throws(ArchiveError) {}
}
