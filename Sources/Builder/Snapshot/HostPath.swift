import CLinux
import ContentStore
import Glibc

/// A path on this machine. Names may be any bytes but NUL and `/`.
struct HostPath: Hashable, Sendable {
    /// Ends in NUL, so that it can be given to the kernel as it is.
    private var storage: [CChar]

    init(_ text: String) { storage = Array(text.utf8CString) }

    /// Any bytes but NUL.
    init(bytes: [UInt8]) { storage = bytes.map { CChar(bitPattern: $0) } + [0] }

    func appending(_ name: FileName) -> HostPath {
        var copy = self
        copy.storage.reserveCapacity(storage.count + name.count + 1)
        copy.storage[copy.storage.count - 1] = CChar(bitPattern: UInt8(ascii: "/"))
        copy.storage.append(contentsOf: name.lazy.map { CChar(bitPattern: $0) })
        copy.storage.append(0)
        return copy
    }

    func appending(_ text: String) -> HostPath { appending(FileName(text.utf8)) }

    func appending(_ path: ImagePath) -> HostPath {
        path.components.isEmpty ? self : appending(path.joined)
    }

    func withCString<Result, Failure: Error>(
        _ body: (UnsafePointer<CChar>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        if storage.count > Int(PATH_MAX) { return try withLongPath(body) }
        var outcome: Swift.Result<Result, Failure>?
        storage.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            outcome = Swift.Result { () throws(Failure) -> Result in try body(base) }
        }
        guard let outcome else { preconditionFailure("a path always holds its NUL") }
        return try outcome.get()
    }

    /// A path that is longer than the kernel takes at once: by way of a directory on it.
    private func withLongPath<Result, Failure: Error>(
        _ body: (UnsafePointer<CChar>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var rest = storage.dropLast()[...]
        var directory: Int32 = AT_FDCWD
        defer { if directory >= 0 { close(directory) } }
        while rest.count > Self.pieceLimit {
            let slash = CChar(bitPattern: 0x2f)
            // Where no piece ends, the kernel is to say that the name is too long.
            guard let end = rest.prefix(Self.pieceLimit).lastIndex(of: slash), end > rest.startIndex else { break }
            let piece = Array(rest[..<end]) + [0]
            let next = linux_openat(directory, piece, linux_o_path | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0)
            if directory >= 0 { close(directory) }
            directory = next
            // The failed call's reason stays in `errno` for the caller, whose call on nothing fails with the like.
            guard next >= 0 else { return try body("") }
            rest = rest[(end + 1)...]
        }
        let path = Array("/proc/self/fd/\(directory)/".utf8CString.dropLast()) + rest + [0]
        return try path.withPointer(body)
    }

    /// Leaves room for the name of the descriptor before what is left.
    private static let pieceLimit = 3_900

    /// Without its last name.
    var parent: HostPath {
        let end = storage.lastIndex(of: CChar(bitPattern: 0x2f)) ?? 0
        var copy = self
        copy.storage.replaceSubrange(end..., with: [0])
        return copy
    }

    var depth: Int { storage.count { $0 == CChar(bitPattern: 0x2f) } }

    var text: String { String(decoding: storage.dropLast().lazy.map { UInt8(bitPattern: $0) }, as: UTF8.self) }

    /// A failed call on this path as an error; reads `errno`, so call it first.
    func failure(_ operation: String) -> BuildError {
        let code = errno
        let shortage = DiskShortage(errno: code, at: text)
        var hint: String?
        switch code {
        case ENOSPC, EDQUOT: hint = shortage?.hint(for: "the state directory")
        case EROFS, EACCES, EPERM: hint = "the state directory must be writable by this user"
        case ENAMETOOLONG:
            hint = "a path in the image is longer than this machine allows; use a shorter state directory"
        default: break
        }
        return BuildError(
            .storage, "cannot \(operation)", place: text, cause: shortage?.cause ?? String(cString: strerror(code)),
            hint: hint)
    }
}

/// One name in a directory.
typealias FileName = [UInt8]

extension FileName {
    init(_ text: String) { self = Array(text.utf8) }
    var text: String { String(decoding: self, as: UTF8.self) }
}

/// A path in an image's file system: absolute, with neither empty names nor `.`; `..` only before it is resolved.
struct ImagePath: Hashable, Sendable {
    var components: [FileName]

    static let root = ImagePath(components: [])

    init(components: [FileName]) { self.components = components }

    /// Splits at `/` and drops empty names and `.`; `..` is taken away with the name before it, and stops at the root.
    init(_ bytes: some Sequence<UInt8>) {
        components = ImagePath.split(bytes).reduce(into: []) { names, name in
            if name == [0x2e, 0x2e] { _ = names.popLast() } else { names.append(name) }
        }
    }

    init(_ text: String) { self.init(text.utf8) }

    /// The names of a path as they are written, `..` kept.
    static func split(_ bytes: some Sequence<UInt8>) -> [FileName] {
        bytes.split(separator: 0x2f).map { FileName($0) }.filter { $0 != [0x2e] }
    }

    /// Without a leading slash.
    var joined: [UInt8] { Array(components.joined(separator: [0x2f])) }

    var text: String { "/" + joined.text }

    var last: FileName? { components.last }

    var parent: ImagePath { ImagePath(components: components.dropLast()) }

    func appending(_ name: FileName) -> ImagePath { ImagePath(components: components + [name]) }

    func appending(_ path: ImagePath) -> ImagePath { ImagePath(components: components + path.components) }
}

extension [CChar] {
    fileprivate func withPointer<Result, Failure: Error>(
        _ body: (UnsafePointer<CChar>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var outcome: Swift.Result<Result, Failure>?
        withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            outcome = Swift.Result { () throws(Failure) -> Result in try body(base) }
        }
        guard let outcome else { preconditionFailure("a path always holds its NUL") }
        return try outcome.get()
    }
}
