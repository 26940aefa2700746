import Foundation

/// A server process of a test: started on a free loopback port, stopped when dropped.
///
/// `@unchecked Sendable`: `Process` is only touched in `init`, `stop` and `deinit`, which never overlap, because the
/// test that owns the value calls them in order.
package final class Server: @unchecked Sendable {
    private let process: Process
    package let logPath: String

    package init(_ command: [String], environment: [String: String] = [:], log: String) throws {
        process = Process()
        logPath = log
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        // A Swift process blocks signals in its threads, and children would inherit that.
        process.arguments = ["--default-signal"] + command
        var all = ProcessInfo.processInfo.environment
        all["PATH"] = (all["PATH"] ?? "") + ":/usr/sbin:/sbin"
        all.merge(environment) { _, new in new }
        process.environment = all
        _ = FileManager.default.createFile(atPath: log, contents: nil)
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: log))
        process.standardOutput = handle
        process.standardError = handle
        process.standardInput = FileHandle.nullDevice
        try process.run()
    }

    package var isRunning: Bool { process.isRunning }

    /// Whether the kernel still runs it at this moment. `isRunning` learns of an end a little later.
    package var isAlive: Bool {
        // `PID (NAME) STATE …`: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
        guard let status = try? String(contentsOfFile: "/proc/\(process.processIdentifier)/stat", encoding: .utf8),
            let name = status.lastIndex(of: ")")
        else { return false }
        return !"ZX".contains(status[name...].dropFirst(2).first ?? "X")
    }

    package func send(_ signal: Int32) { Foundation.kill(process.processIdentifier, signal) }

    /// How it ended, once it has: the exit code, or the signal that ended it.
    package var end: End? {
        guard !process.isRunning else { return nil }
        return process.terminationReason == .exit
            ? .exit(process.terminationStatus) : .signal(process.terminationStatus)
    }

    package enum End: Equatable, Sendable {
        case exit(Int32)
        case signal(Int32)
    }

    /// Ends it as a node's failure would.
    package func kill() {
        send(SIGKILL)
        process.waitUntilExit()
    }

    package func stop() {
        guard process.isRunning else { return }
        process.terminate()
        // A process that was stopped by SIGSTOP ends only when it goes on.
        send(SIGCONT)
        process.waitUntilExit()
    }

    package var log: String { (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? "" }

    deinit { stop() }

    /// A loopback port that nobody else is given: see `FreePorts`.
    package static func freePort() throws -> Int { try FreePorts.next() }

    /// Whether something accepts connections on a loopback port.
    package static func accepts(port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
