import Glibc

/// Bytes that say nothing, as in the holes of sparse files.
package enum Zeros {
    /// Whether there is nothing else.
    package static func fill(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let base = bytes.baseAddress, bytes.count > 0 else { return true }
        // All equal the one before them.
        return bytes[0] == 0 && memcmp(base, base + 1, bytes.count - 1) == 0
    }

    /// Leaves a hole of that many bytes where a file is being written. Its size has to be set at the end.
    ///
    /// - Returns: whether the file can have holes.
    package static func skip(_ count: Int, in descriptor: Int32) -> Bool {
        lseek(descriptor, off_t(count), SEEK_CUR) >= 0
    }
}
