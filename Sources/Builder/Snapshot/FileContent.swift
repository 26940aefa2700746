import Archive
import CLinux
import Glibc

/// The bytes of regular files of the build's own directories.
enum FileContent {
    /// An open file; closed when dropped.
    struct Descriptor: ~Copyable {
        let raw: Int32

        deinit { close(raw) }
    }

    /// Opens for reading. A file that its own mode hides from us (an ordinary user's build) is opened all the same.
    static func open(_ path: HostPath) throws(BuildError) -> Descriptor {
        let flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC
        var descriptor = path.withCString { Glibc.open($0, flags) }
        if descriptor < 0, errno == EACCES, let node = try Node.read(path, .apply), node.kind == .file {
            try FileCalls.setMode(path, node.mode | 0o400)
            descriptor = path.withCString { Glibc.open($0, flags) }
            let code = errno
            try FileCalls.setMode(path, node.mode)
            errno = code
        }
        guard descriptor >= 0 else { throw path.failure("open the file") }
        return Descriptor(raw: descriptor)
    }

    /// Makes an empty file that nobody else can write.
    ///
    /// - Parameter mode: what it will have in the end; special bits, and what the process's mask forbids, come then.
    static func create(_ path: HostPath, mode: UInt32 = 0o600) throws(BuildError) -> Descriptor {
        let descriptor = path.withCString {
            Glibc.open($0, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & 0o755 | 0o600)
        }
        guard descriptor >= 0 else { throw path.failure("make the file") }
        return Descriptor(raw: descriptor)
    }

    /// Makes a file that nobody else can write.
    static func create(_ path: HostPath, with bytes: [UInt8]) throws(BuildError) {
        let descriptor = try create(path)
        let outcome: Result<Void, BuildError> = bytes.withUnsafeBytes { buffer in
            Result { () throws(BuildError) in try write(buffer, to: descriptor.raw, path) }
        }
        try outcome.get()
    }

    static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, _ path: HostPath) throws(BuildError) {
        var rest = bytes
        while let base = rest.baseAddress, !rest.isEmpty {
            let count = Glibc.write(descriptor, base, rest.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw path.failure("write the file")
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// Calls `body` with the file's bytes, piece by piece.
    static func stream(
        _ path: HostPath, _ body: (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) throws(BuildError) {
        try stream(try open(path), path, body)
    }

    static func stream(
        _ descriptor: borrowing Descriptor, _ path: HostPath,
        _ body: (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) throws(BuildError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
        defer { buffer.deallocate() }
        var holes = Holes(of: descriptor.raw)
        while true {
            if let hole = try holes?.next(path) {
                buffer.initializeMemory(as: UInt8.self, repeating: 0)
                var left = hole
                while left > 0 {
                    let count = Int(min(left, Int64(buffer.count)))
                    try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                    left -= Int64(count)
                }
                continue
            }
            let wanted = min(Int64(buffer.count), holes?.untilHole ?? .max)
            let count = Glibc.read(descriptor.raw, buffer.baseAddress, Int(wanted))
            if count < 0 {
                if errno == EINTR { continue }
                throw path.failure("read the file")
            }
            if count == 0 { return }
            holes?.passed(count)
            try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }

    /// Calls `body` with a range of the file's bytes, as far as it has them. What is not on the disk is zeros here as well, and is read.
    static func stream(
        _ descriptor: borrowing Descriptor, _ path: HostPath, in range: Range<Int64>,
        _ body: (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) throws(BuildError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
        defer { buffer.deallocate() }
        var position = range.lowerBound
        while position < range.upperBound {
            let wanted = Int(min(Int64(buffer.count), range.upperBound - position))
            let count = pread(descriptor.raw, buffer.baseAddress, wanted, off_t(position))
            if count < 0 {
                if errno == EINTR { continue }
                throw path.failure("read the file")
            }
            if count == 0 { return }
            position += Int64(count)
            try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }

    /// Whether a file takes less room than it has bytes.
    static func isSparse(_ descriptor: borrowing Descriptor) -> Bool { Holes(of: descriptor.raw) != nil }

    static func setSize(_ descriptor: Int32, _ size: Int64, _ path: HostPath) throws(BuildError) {
        guard ftruncate(descriptor, off_t(size)) == 0 else { throw path.failure("set the size of the file") }
    }

    /// The way through a file that takes less room than it has bytes: what is not on the disk is not read.
    private struct Holes {
        private let descriptor: Int32
        private let size: Int64
        private var position: Int64 = 0
        /// Where the bytes end that are on the disk.
        private var end: Int64 = 0

        /// lseek(2): SEEK_DATA and SEEK_HOLE, which glibc has behind _GNU_SOURCE.
        private static let toData: Int32 = 3
        private static let toHole: Int32 = 4

        /// `nil` for a file without holes.
        init?(of descriptor: Int32) {
            var status = stat()
            guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
                Int64(status.st_blocks) * 512 < Int64(status.st_size)
            else { return nil }
            self.descriptor = descriptor
            size = Int64(status.st_size)
        }

        var untilHole: Int64 { position < end ? end - position : .max }

        mutating func passed(_ count: Int) { position += Int64(count) }

        /// The length of the hole at this place; `nil` where there is none. The file is read on behind it.
        mutating func next(_ path: HostPath) throws(BuildError) -> Int64? {
            guard position >= end, position < size else { return nil }
            var data = Int64(lseek(descriptor, off_t(position), Self.toData))
            if data < 0 {
                guard errno == ENXIO else {
                    // A file system that does not tell.
                    end = size
                    return nil
                }
                data = size
            }
            let hole = Int64(data < size ? lseek(descriptor, off_t(data), Self.toHole) : off_t(size))
            guard hole >= 0, lseek(descriptor, off_t(data), SEEK_SET) >= 0 else { throw path.failure("read the file") }
            let length = data - position
            (position, end) = (data, max(hole, data))
            return length > 0 ? length : nil
        }
    }

    /// All of a small file, and no more than a byte behind what it should have.
    static func read(_ path: HostPath, expecting size: Int) throws(BuildError) -> [UInt8] {
        let descriptor = try open(path)
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: size + 1) { buffer, count in
            while count <= size {
                let more = Glibc.read(descriptor.raw, buffer.baseAddress?.advanced(by: count), size + 1 - count)
                if more < 0, errno == EINTR { continue }
                if more < 0 { failure = errno }
                count += max(0, more)
                // Where less came than was asked for, nothing is left.
                if more <= 0 || count == size { break }
            }
        }
        errno = failure
        guard failure == 0 else { throw path.failure("read the file") }
        return bytes
    }

    static func read(_ path: HostPath, limit: Int) throws(BuildError) -> [UInt8] {
        var bytes: [UInt8] = []
        try stream(path) { (chunk) throws(BuildError) in
            guard bytes.count + chunk.count <= limit else {
                throw BuildError(.storage, "the file is larger than \(limit) bytes", place: path.text)
            }
            bytes.append(contentsOf: chunk)
        }
        return bytes
    }

    /// Copies a file's bytes into one that is open for writing, inside the kernel where it can.
    static func copy(_ source: HostPath, to descriptor: Int32, _ target: HostPath) throws(BuildError) {
        let from = try open(source)
        if Holes(of: from.raw) != nil {
            var size: Int64 = 0
            try stream(from, source) { (bytes) throws(BuildError) in
                size += Int64(bytes.count)
                if Zeros.fill(bytes), Zeros.skip(bytes.count, in: descriptor) { return }
                try write(bytes, to: descriptor, target)
            }
            return try setSize(descriptor, size, target)
        }
        while true {
            let count = copy_file_range(from.raw, nil, descriptor, nil, 1 << 30, 0)
            if count == 0 { return }
            if count < 0 {
                if errno == EINTR { continue }
                guard errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM
                else { throw target.failure("copy the file") }
                break
            }
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = Glibc.read(from.raw, buffer.baseAddress, buffer.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw source.failure("read the file")
            }
            if count == 0 { return }
            try write(UnsafeRawBufferPointer(rebasing: buffer[..<count]), to: descriptor, target)
        }
    }

    static func areEqual(_ left: HostPath, _ right: HostPath) throws(BuildError) -> Bool {
        let first = try open(left)
        let second = try open(right)
        let size = 128 << 10
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * size, alignment: 16)
        defer { buffer.deallocate() }
        var offset = 0
        while true {
            let count = pread(first.raw, buffer.baseAddress, size, offset)
            let other = pread(second.raw, buffer.baseAddress?.advanced(by: size), size, offset)
            guard count >= 0, other >= 0 else { throw left.failure("compare the file") }
            guard count == other else { return false }
            if count == 0 { return true }
            guard let base = buffer.baseAddress, memcmp(base, base.advanced(by: size), count) == 0 else { return false }
            offset += count
        }
    }
}
