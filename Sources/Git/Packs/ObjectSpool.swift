import Glibc

/// An object that deltas are applied to: in memory while it is small, else in a file without a name, which the kernel removes
/// with the process.
struct ObjectSpool: ~Copyable {
    /// What is kept in memory.
    static let memoryLimit: Int64 = 1 << 20

    /// `nil` in memory.
    private let file: Int32?
    private let directory: String
    private var bytes: [UInt8] = []
    private(set) var count: Int64 = 0
    /// A part of the file: deltas copy many small pieces, most of which follow each other.
    private let window: UnsafeMutableRawBufferPointer
    private var windowStart: Int64 = 0
    private var windowCount = 0

    /// - Parameter directory: where there is room for `size` bytes.
    init(size: Int64, in directory: String) throws(GitError) {
        guard size > Self.memoryLimit else {
            file = nil
            self.directory = directory
            window = UnsafeMutableRawBufferPointer(start: nil, count: 0)
            bytes.reserveCapacity(Int(size))
            return
        }
        let (needed, overflow) = Int(clamping: size).addingReportingOverflow(DiskSpace.reserve)
        if let lack = DiskSpace.lack(
            of: overflow ? .max : needed, in: directory, "there is no room to take a large git object apart")
        {
            throw lack
        }
        file = try Self.unnamedFile(in: directory)
        self.directory = directory
        window = .allocate(byteCount: 256 << 10, alignment: 4_096)
    }

    deinit {
        window.deallocate()
        if let file { close(file) }
    }

    private static func unnamedFile(in directory: String) throws(GitError) -> Int32 {
        // __O_TMPFILE | O_DIRECTORY, which Swift does not import; the same on all architectures that are supported.
        var descriptor = open(directory, O_RDWR | O_CLOEXEC | 0o20000000 | O_DIRECTORY, 0o600)
        if descriptor < 0 {
            // File systems without it.
            let name = "\(directory)/.spool-\(String(UInt64.random(in: .min ... .max), radix: 36))"
            descriptor = open(name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
            if descriptor >= 0 { unlink(name) }
        }
        guard descriptor >= 0 else {
            throw GitError(
                .storage, "cannot make a file for a large git object", place: directory,
                cause: String(cString: strerror(errno)))
        }
        return descriptor
    }

    mutating func append(_ piece: UnsafeRawBufferPointer) throws(GitError) {
        count += Int64(piece.count)
        guard let file else { return bytes.append(contentsOf: piece) }
        var rest = piece
        while !rest.isEmpty {
            let written = write(file, rest.baseAddress, rest.count)
            if written < 0, errno == EINTR { continue }
            guard written > 0 else {
                throw GitError(
                    .storage, "cannot write a large git object", place: directory,
                    cause: String(cString: strerror(errno)), hint: DiskSpace.hint)
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[written...])
        }
    }

    /// Copies bytes of the object, which has to have them.
    mutating func read(from offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(GitError) {
        guard let file else {
            let range = Int(offset)..<Int(offset) + buffer.count
            return bytes.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[range])) }
        }
        var done = 0
        while done < buffer.count {
            let start = offset + Int64(done)
            if start < windowStart || start >= windowStart + Int64(windowCount) { try fill(from: start, file) }
            let skipped = Int(start - windowStart)
            let length = min(buffer.count - done, windowCount - skipped)
            UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + length])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: window[skipped..<skipped + length]))
            done += length
        }
    }

    private mutating func fill(from start: Int64, _ file: Int32) throws(GitError) {
        var count = 0
        repeat { count = pread(file, window.baseAddress, window.count, off_t(start)) } while count < 0 && errno == EINTR
        guard count > 0 else {
            throw GitError(
                .storage, "cannot read a large git object", place: directory,
                cause: count == 0 ? "it ends too early" : String(cString: strerror(errno)))
        }
        windowStart = start
        windowCount = count
    }
}
