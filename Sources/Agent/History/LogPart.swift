import FileSystem
import Glibc

/// A piece of a build's log: whole lines.
package struct LogPart: Sendable, Equatable {
    package let text: [UInt8]
    /// Where it begins in the log, in bytes.
    package let start: Int
    /// Where the next piece begins.
    package var end: Int { start + text.count }
    /// Whether more may be there, or may come: `false` at the end of a build that is over.
    package let hasMore: Bool

    package init(text: [UInt8], start: Int, hasMore: Bool) {
        self.text = text
        self.start = start
        self.hasMore = hasMore
    }

    /// Reads a piece from `start`, or nothing where the log has no whole line there.
    init(path: String, from start: Int, limit: Int, isOver: Bool) {
        var bytes: [UInt8] = []
        var total = 0
        let begin = max(0, start)
        if let file = try? FileHandle(path: path, flags: O_RDONLY | O_NOFOLLOW) {
            total = Int(lseek(file.fd, 0, SEEK_END))
            if begin < total { bytes = Self.read(file, from: begin, limit: max(1, min(limit, total - begin))) }
        }
        // The last line may be half there, or be cut by the limit. A line that is longer than the limit comes in pieces.
        if !isOver || begin + bytes.count < total {
            if let newline = bytes.lastIndex(of: UInt8(ascii: "\n")) {
                bytes.removeSubrange((newline + 1)...)
            } else if begin + bytes.count >= total {
                bytes = []
            }
        }
        text = bytes
        self.start = begin
        hasMore = !isOver || begin + bytes.count < total
    }

    private static func read(_ file: borrowing FileHandle, from start: Int, limit: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: limit)
        var count = 0
        while count < limit {
            let (fd, offset) = (file.fd, off_t(start + count))
            let got = bytes.withUnsafeMutableBytes { buffer in
                pread(fd, buffer.baseAddress?.advanced(by: count), limit - count, offset)
            }
            if got <= 0 { break }
            count += got
        }
        return Array(bytes[..<count])
    }
}
