import Glibc

/// Files that are replaced as a whole: a reader, or the next start after a crash, sees the old content or the new one.
package enum AtomicFile {
    /// Writes to a temporary file in the same directory, brings it to the disk, and renames it over `path`.
    ///
    /// - Parameter isDurable: `false` does not wait for the disk. Then a process that is killed still leaves the old content or the
    ///   new one, but after a power cut the file may be empty: for what may be lost.
    package static func write(
        _ bytes: [UInt8], to path: String, mode: UInt32 = 0o644, isDurable: Bool = true
    ) throws(FileSystemError) {
        let (parent, name) = path.parentAndName
        guard !name.isEmpty else { throw FileSystemError("write the file", path: path, code: EISDIR) }
        let folder = parent.isEmpty ? (path.hasPrefix("/") ? "/" : ".") : String(decoding: parent, as: UTF8.self)
        let temporary = "\(folder)/.\(String(decoding: name, as: UTF8.self)).\(UInt64.random(in: .min ... .max)).tmp"
        do throws(FileSystemError) {
            let file = try FileHandle(path: temporary, flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
            try file.write(all: bytes)
            guard fchmod(file.fd, mode) == 0 else {
                throw FileSystemError("set the mode of the file", path: temporary, code: errno)
            }
            if isDurable { try file.synchronize() }
            guard rename(temporary, path) == 0 else {
                throw FileSystemError("put the file in its place", path: path, code: errno)
            }
        } catch {
            unlink(temporary)
            throw error
        }
        guard isDurable else { return }
        // Without this the rename itself may be lost with the power. Not every file system can do it.
        if let directory = try? FileHandle(path: folder, flags: O_RDONLY | O_DIRECTORY) { _ = fsync(directory.fd) }
    }
}
