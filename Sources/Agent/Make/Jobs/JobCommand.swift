/// What a Job runs: `slipway build` with its flags, and the files of the Secret that the flags name.
struct JobCommand: Sendable {
    var arguments: [String] = ["build"]
    var environment: [(name: String, value: String)] = []
    /// Contents by name, in the directory `JobManifest.files`.
    var files: [String: [UInt8]] = [:]

    /// Adds `--NAME=VALUE`; nothing for `nil`.
    mutating func add(_ name: String, _ value: String?) {
        if let value { arguments.append("--\(name)=\(value)") }
    }

    /// Adds a flag that stands alone.
    mutating func add(_ name: String, if isSet: Bool = true) {
        if isSet { arguments.append("--\(name)") }
    }

    /// Adds a flag whose value is a file of the Secret.
    mutating func add(_ name: String, file: String, _ content: [UInt8]?) {
        guard let content, !content.isEmpty else { return }
        files[file] = content
        add(name, Self.path(file))
    }

    static func path(_ file: String) -> String { "\(JobManifest.files)/\(file)" }
}
