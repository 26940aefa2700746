import FileSystem
import Glibc
import OCI

/// The files of an OCI image layout beside its blobs. All calls block.
///
/// https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
struct LayoutIndex: Sendable {
    let path: String

    private struct Version: Codable {
        var imageLayoutVersion: String
    }

    private var place: String { "oci:\(path)" }
    private var indexPath: String { "\(path)/index.json" }

    /// Whether there is a layout.
    var exists: Bool { access(indexPath, F_OK) == 0 }

    /// The entries; none when there is no layout.
    func read() throws(RegistryError) -> ImageIndex {
        guard let bytes = try SmallFile.read(indexPath, limit: Limits.layoutIndex) else {
            return ImageIndex(manifests: [])
        }
        if let version = try SmallFile.read("\(path)/oci-layout", limit: 1 << 16) {
            let parsed = try? CanonicalJSON.decode(Version.self, from: version)
            guard let parsed, parsed.imageLayoutVersion.hasPrefix("1.") else {
                throw RegistryError(
                    .unsupported, "the layout is of an unknown version", place: place,
                    cause: "\(path)/oci-layout names none that begins with 1.")
            }
        }
        do {
            return try CanonicalJSON.decode(ImageIndex.self, from: bytes)
        } catch {
            throw RegistryError(.invalidContent, "index.json cannot be read", place: place, cause: error.cause)
        }
    }

    /// Makes the layout where there is none.
    func create() throws(RegistryError) {
        if access(indexPath, F_OK) == 0 && access("\(path)/oci-layout", F_OK) == 0 { return }
        try change { _ in }
    }

    /// Reads the entries, changes them and writes them back, alone: other processes and tasks that come here wait, so
    /// that no tag is lost. Readers see the file before or after.
    func change(_ body: (inout ImageIndex) throws(RegistryError) -> Void) throws(RegistryError) {
        try makeDirectories(path)
        let lock = try Lock(path, place: place)
        defer { lock.release() }
        let isNew = access(indexPath, F_OK) != 0
        if access("\(path)/oci-layout", F_OK) != 0 {
            try SmallFile.replace("\(path)/oci-layout", with: Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8))
        }
        let before = try read()
        var index = before
        try body(&index)
        guard isNew || index != before else { return }
        do {
            try SmallFile.replace(indexPath, with: try CanonicalJSON.encode(index))
        } catch let error as OCIError {
            throw RegistryError(error, place: place)
        } catch let error as RegistryError {
            throw error
        } catch {
            throw RegistryError(.io, "index.json cannot be written", place: place, cause: "\(error)")
        }
    }

    private func makeDirectories(_ path: String) throws(RegistryError) {
        do throws(FileSystemError) { try FileSystem.makeDirectories(path) } catch {
            throw SmallFile.system("cannot create the layout's directory", error.path, error.code)
        }
    }

    /// A lock on the layout's directory itself, so that no further file appears in it.
    private struct Lock {
        private let descriptor: Int32

        init(_ path: String, place: String) throws(RegistryError) {
            descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard descriptor >= 0 else { throw SmallFile.system("cannot open the layout", path) }
            let deadline = ContinuousClock.now + .seconds(60)
            while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
                guard errno == EWOULDBLOCK || errno == EINTR, ContinuousClock.now < deadline else {
                    close(descriptor)
                    throw RegistryError(
                        .io, "the layout is locked by another process for too long", place: place, isTransient: true)
                }
                usleep(5000)
            }
        }

        func release() { close(descriptor) }
    }
}
