import CLinux
import Glibc

/// An open file, closed when the value goes.
package struct FileHandle: ~Copyable, Sendable {
    package let fd: Int32
    /// For messages.
    package let path: String

    /// Takes over an open descriptor.
    package init(owning fd: Int32, path: String) {
        self.fd = fd
        self.path = path
    }

    /// Opens a file by its path on this machine (not anchored); close-on-exec is added to the flags.
    package init(path: some PathName, flags: Int32 = O_RDONLY, mode: UInt32 = 0o644) throws(FileSystemError) {
        let fd = try path.withPath("open the file") { name in
            retrying { linux_openat(AT_FDCWD, name, flags | O_CLOEXEC, mode) }
        }
        guard fd >= 0 else { throw FileSystemError("open the file", path: path.shown, code: errno) }
        self.init(owning: fd, path: path.shown)
    }

    deinit { close(fd) }

    /// Reads at most the buffer's size; 0 at the end.
    package borrowing func read(into buffer: UnsafeMutableRawBufferPointer) throws(FileSystemError) -> Int {
        let count = retrying { Glibc.read(fd, buffer.baseAddress, buffer.count) }
        guard count >= 0 else { throw FileSystemError("read the file", path: path, code: errno) }
        return count
    }

    /// Reads to the end; a file larger than `limit` bytes is an error (EFBIG).
    package borrowing func readAll(limit: Int) throws(FileSystemError) -> [UInt8] {
        var all: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let path = path
            let fd = fd
            let count = chunk.withUnsafeMutableBytes { buffer in
                retrying { Glibc.read(fd, buffer.baseAddress, buffer.count) }
            }
            guard count >= 0 else { throw FileSystemError("read the file", path: path, code: errno) }
            if count == 0 { return all }
            guard all.count + count <= limit else { throw FileSystemError("read the file", path: path, code: EFBIG) }
            all.append(contentsOf: chunk[..<count])
        }
    }

    /// Writes all bytes.
    package borrowing func write(all bytes: UnsafeRawBufferPointer) throws(FileSystemError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = retrying { Glibc.write(fd, rest.baseAddress, rest.count) }
            guard count > 0 else { throw FileSystemError("write the file", path: path, code: count == 0 ? EIO : errno) }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    package borrowing func write(all bytes: [UInt8]) throws(FileSystemError) {
        let outcome: Result<Void, FileSystemError> = bytes.withUnsafeBytes { buffer in
            Result { () throws(FileSystemError) in try write(all: buffer) }
        }
        try outcome.get()
    }

    /// Copies what is left of this file behind what is in the other, in the kernel where it can.
    package borrowing func copyAll(to target: borrowing FileHandle) throws(FileSystemError) {
        while true {
            let count = retrying { copy_file_range(fd, nil, target.fd, nil, 1 << 30, 0) }
            if count == 0 { return }
            if count > 0 { continue }
            switch errno {
            case EXDEV, EINVAL, ENOSYS, EOPNOTSUPP, EPERM: break
            default: throw FileSystemError("copy the file", path: target.path, code: errno)
            }
            break
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4_096)
        defer { buffer.deallocate() }
        while true {
            let count = try read(into: buffer)
            if count == 0 { return }
            try target.write(all: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }

    package borrowing func status() throws(FileSystemError) -> FileStatus {
        var raw = linux_status()
        guard linux_statx(fd, "", linux_at_empty_path, &raw) == 0 else {
            throw FileSystemError("read the status", path: path, code: errno)
        }
        return FileStatus(raw)
    }

    /// Waits until the content is on the disk.
    package borrowing func synchronize() throws(FileSystemError) {
        guard fsync(fd) == 0 else { throw FileSystemError("write the file to the disk", path: path, code: errno) }
    }
}

/// Repeats a call that a signal interrupted.
func retrying<Result: SignedInteger>(_ call: () -> Result) -> Result {
    while true {
        let result = call()
        if result != -1 || errno != EINTR { return result }
    }
}
