import Glibc

/// A directory of a test's own, removed when the test drops it. Set `SLIPWAY_KEEP_SCRATCH=1` to keep them all.
package final class TemporaryDirectory: Sendable {
    package let path: String

    package init(_ name: String = "test") throws {
        var template = Array("/tmp/slipway-\(name)-XXXXXX".utf8CString)
        let made: String? = template.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress, mkdtemp(base) != nil else { return nil }
            return String(cString: base)
        }
        guard let made else { throw TestSupportError("mkdtemp failed: errno \(errno)") }
        path = made
    }

    deinit {
        guard getenv("SLIPWAY_KEEP_SCRATCH") == nil else { return }
        _ = try? Shell.run(["chmod", "-R", "u+rwX", path])
        _ = try? Shell.run(["rm", "-rf", "--one-file-system", path])
    }

    package func file(_ name: String) -> String { "\(path)/\(name)" }
}

package struct TestSupportError: Error, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}
