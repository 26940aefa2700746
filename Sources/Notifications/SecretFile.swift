import Blocking
import FileSystem
import Glibc

/// A secret in a file, which is read anew whenever it is needed.
package struct SecretFile: Sendable, Equatable {
    package let path: String

    private static let limit = 1 << 16

    package init(_ path: String) { self.path = path }

    /// The text without the line end that editors leave.
    ///
    /// - Throws: an error that may pass: files are missing for a moment while they are replaced.
    func read() async throws(DeliveryError) -> String {
        let path = path
        let read: Result<[UInt8], FileSystemError> = await runBlocking {
            Result { () throws(FileSystemError) in
                try FileHandle(path: path, flags: O_RDONLY | O_NONBLOCK).readAll(limit: Self.limit)
            }
        }
        let bytes: [UInt8]
        do throws(FileSystemError) { bytes = try read.get() } catch {
            throw DeliveryError(
                "cannot read the file", place: path, cause: error.cause ?? error.summary, hint: error.hint,
                retry: .later(after: nil))
        }
        var text = String(decoding: bytes, as: UTF8.self)
        while let last = text.last, last.isWhitespace { text.removeLast() }
        guard !text.isEmpty else {
            throw DeliveryError("the file is empty", place: path, retry: .later(after: nil))
        }
        guard text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f }) else {
            throw DeliveryError(
                "the file holds more than one line", place: path, hint: "it must hold the secret and nothing else",
                retry: .later(after: nil))
        }
        return text
    }
}

/// Where a channel's requests go: a URL that is a secret itself, or one that is none.
package enum ChannelAddress: Sendable, Equatable {
    case file(SecretFile)
    case text(String)

    func read() async throws(DeliveryError) -> String {
        switch self {
        case .file(let file): try await file.read()
        case .text(let text): text
        }
    }

    var files: [ChannelFile] {
        switch self {
        case .file(let file): [ChannelFile("urlFile", file.path)]
        case .text: []
        }
    }
}
