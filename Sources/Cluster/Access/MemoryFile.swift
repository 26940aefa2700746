import CLinux
import Glibc

/// Bytes that have a path without being on a disk, for libraries that take certificates and keys as files. They are gone with the
/// last reference.
package final class MemoryFile: Sendable {
    private let descriptor: Int32

    /// - Throws: `configuration`.
    init(_ bytes: [UInt8]) throws(ClusterError) {
        descriptor = linux_memory_file("slipway-credentials")
        guard descriptor >= 0 else {
            throw ClusterError(
                .configuration, "no room for a certificate in memory", cause: String(cString: strerror(errno)))
        }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else {
                throw ClusterError(
                    .configuration, "no room for a certificate in memory", cause: String(cString: strerror(errno)))
            }
            rest = rest.dropFirst(count)
        }
    }

    /// Only this process can open it.
    var path: String { "/proc/self/fd/\(descriptor)" }

    deinit { close(descriptor) }
}
