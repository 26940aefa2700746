import Blocking
import Builder
import Glibc

/// `tar://stdin`: an archive that is piped in.
enum StandardInput {
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
