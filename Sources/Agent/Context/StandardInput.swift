import Blocking
import Builder
import Glibc

/// What is piped in: the context as an archive (`tar://stdin`), or the Dockerfile (`-f -`).
package enum StandardInput {
    /// - Parameter limit: bytes that a Dockerfile may have.
    package static func dockerfile(limit: Int) async throws(AgentError) -> [UInt8] {
        guard isatty(STDIN_FILENO) == 0 else {
            throw AgentError(
                "there is no Dockerfile on standard input",
                hint: "pipe one in: slipway build -f - --context . … < Dockerfile")
        }
        return try await runBlocking { () throws(AgentError) in
            var content: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while true {
                let count = read(STDIN_FILENO, &buffer, buffer.count)
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else {
                    throw AgentError(
                        "cannot read the Dockerfile", place: "standard input", cause: String(cString: strerror(errno)))
                }
                guard count > 0 else { return content }
                content += buffer[..<count]
                guard content.count <= limit else {
                    throw AgentError("the Dockerfile is larger than \(limit) bytes", place: "standard input")
                }
            }
        }
    }

    static func context(_ builder: Builder) async throws -> any BuildContext {
        guard isatty(STDIN_FILENO) == 0 else {
            throw AgentError(
                "there is no build context on standard input",
                hint: "pipe an archive in: tar -cz . | slipway build --context tar://stdin …")
        }
        return try await builder.context(ofArchive: "standard input") { (intake) throws(BuildError) in
            try await runBlocking { () throws(BuildError) in
                let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
                defer { buffer.deallocate() }
                while true {
                    let count = read(STDIN_FILENO, buffer.baseAddress, buffer.count)
                    if count == 0 { return }
                    if count < 0 {
                        if errno == EINTR { continue }
                        throw BuildError(
                            .context, "cannot read standard input", cause: String(cString: strerror(errno)))
                    }
                    try intake.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                }
            }
        }
    }
}
