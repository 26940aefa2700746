import Glibc

/// What can name a file: names may be any bytes but NUL, so that a `String` is not enough for what comes from archives.
package protocol PathName: Sendable {
    var pathBytes: [UInt8] { get }
}

extension String: PathName {
    package var pathBytes: [UInt8] { Array(utf8) }
}

extension [UInt8]: PathName {
    package var pathBytes: [UInt8] { self }
}

extension PathName {
    /// For messages: bytes that are not UTF-8 become replacement characters.
    var shown: String { String(decoding: pathBytes, as: UTF8.self) }

    /// Calls `body` with the path as the kernel wants it. A path that holds a NUL is refused, for the kernel would
    /// see only its beginning.
    func withPath<Result>(
        _ operation: String, _ body: (UnsafePointer<CChar>) -> Result
    ) throws(FileSystemError) -> Result {
        var bytes = pathBytes
        guard !bytes.contains(0) else { throw FileSystemError(operation, path: shown, code: EINVAL) }
        bytes.append(0)
        let result: Result? = bytes.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { base in
                base.withMemoryRebound(to: CChar.self, capacity: buffer.count, body)
            }
        }
        guard let result else { throw FileSystemError(operation, path: shown, code: EINVAL) }
        return result
    }

    /// The path of the parent directory ("" for the anchor itself) and the last name.
    var parentAndName: (parent: [UInt8], name: [UInt8]) {
        var bytes = pathBytes
        while bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
        guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return ([], bytes) }
        return (Array(bytes[..<slash]), Array(bytes[(slash + 1)...]))
    }
}
