import Foundation

/// Runs programs for tests. Tests are free to use Foundation; the product is not.
package enum Shell {
    package struct Output: Sendable {
        package var status: Int32
        package var stdout: String
        package var stderr: String
    }

    /// Runs a program found on PATH to its end and returns what it printed; throws when it fails, unless told otherwise.
    @discardableResult
    package static func run(
        _ command: [String], in directory: String? = nil, environment: [String: String] = [:],
        input: [UInt8]? = nil, allowFailure: Bool = false
    ) throws -> Output {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
        var all = ProcessInfo.processInfo.environment
        for name in all.keys where name.hasPrefix("GIT_") { all[name] = nil }
        all["PATH"] = (all["PATH"] ?? "") + ":/usr/sbin:/sbin"
        all["GIT_CONFIG_NOSYSTEM"] = "1"
        all["GIT_AUTHOR_NAME"] = "Test Author"
        all["GIT_AUTHOR_EMAIL"] = "author@example.com"
        all["GIT_COMMITTER_NAME"] = "Test Author"
        all["GIT_COMMITTER_EMAIL"] = "author@example.com"
        all.merge(environment) { _, new in new }
        process.environment = all
        // Files rather than pipes: no reader thread, and no deadlock on a full pipe.
        let folder = NSTemporaryDirectory() + "slipway-shell-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let files = ["out", "err", "in"].map { folder + "/" + $0 }
        for file in files { _ = FileManager.default.createFile(atPath: file, contents: nil) }
        if let input { try Data(input).write(to: URL(fileURLWithPath: files[2])) }
        let out = try FileHandle(forWritingTo: URL(fileURLWithPath: files[0]))
        let err = try FileHandle(forWritingTo: URL(fileURLWithPath: files[1]))
        let inp = try FileHandle(forReadingFrom: URL(fileURLWithPath: files[2]))
        process.standardOutput = out
        process.standardError = err
        process.standardInput = inp
        try process.run()
        process.waitUntilExit()
        let result = Output(
            status: process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus,
            stdout: String(decoding: try Data(contentsOf: URL(fileURLWithPath: files[0])), as: UTF8.self),
            stderr: String(decoding: try Data(contentsOf: URL(fileURLWithPath: files[1])), as: UTF8.self))
        if result.status != 0 && !allowFailure {
            throw TestSupportError("\(command) exited with \(result.status)\n\(result.stdout)\n\(result.stderr)")
        }
        return result
    }
}

/// Polls until `condition` holds; the one place where tests wait.
package func waitUntil(
    _ what: String, seconds: Double = 20, every pause: Duration = .milliseconds(20),
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < deadline {
        if try await condition() { return }
        try await Task.sleep(for: pause)
    }
    throw TestSupportError("gave up waiting until \(what)")
}
