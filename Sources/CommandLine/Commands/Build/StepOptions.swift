import Agent
import ArgumentParser
import Builder
import Glibc
import YAML

/// What `slipway build` says of RUN steps: their SSH agents and limits.
struct StepOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "An SSH agent for RUN --mount=type=ssh: ID, then the socket of an agent or private keys. Alone, the agent of "
                + "SSH_AUTH_SOCK. Repeat for several.",
            valueName: "id[=socket|key[,key]]"))
    var ssh: [String] = []

    @Option(
        name: .customLong("step-timeout"),
        help: ArgumentHelp("How long one RUN step may take, such as 90s, 10m or 1h30m.", valueName: "duration"))
    var stepTimeout: String?

    @Option(
        name: .customLong("step-memory"),
        help: ArgumentHelp(
            "How much memory one RUN step may take, such as 512m or 2g, where the machine lets steps have control groups of "
                + "their own; elsewhere the build says so and goes on.",
            valueName: "size"))
    var stepMemory: String?

    @Option(
        name: .customLong("step-processes"),
        help: ArgumentHelp("How many processes one RUN step may have at a time; 4096 by default.", valueName: "number"))
    var stepProcesses: Int?

    @Option(
        name: .customLong("log-limit"),
        help: ArgumentHelp(
            "How much one RUN step may print, such as 500k or 10m; what comes after is dropped. 64m by default.",
            valueName: "size"))
    var logLimit: String?

    @Option(
        name: .customLong("unpack-limit"),
        help: ArgumentHelp(
            "How much a compressed layer of a base image, or an archive of ADD or of the context, may unpack to, such as 20g. "
                + "200 times its size by default, and 1g at least.",
            valueName: "size"))
    var unpackLimit: String?

    @Option(
        name: .customLong("context-file-limit"),
        help: ArgumentHelp(
            "How large one file of the context may be, such as 2g; any size by default, and 8g for the agent's builds.",
            valueName: "size"))
    var contextFileLimit: String?

    mutating func validate() throws {
        if let contextFileLimit, Self.size(contextFileLimit) == nil {
            throw ValidationError("--context-file-limit '\(contextFileLimit)' is no size: write it as 500m or 20g")
        }
        if let stepTimeout, DurationText.parse(stepTimeout) == nil {
            throw ValidationError("--step-timeout '\(stepTimeout)' is no duration: write it as 90s, 10m or 1h30m")
        }
        if let stepMemory, Self.size(stepMemory).map({ $0 < 4 << 20 }) ?? true {
            throw ValidationError("--step-memory '\(stepMemory)' is no size of 4m or more: write it as 512m or 2g")
        }
        if let stepProcesses, !(1...Int(Int32.max)).contains(stepProcesses) {
            throw ValidationError("--step-processes is a number from 1 on")
        }
        if let logLimit, Self.size(logLimit) == nil {
            throw ValidationError("--log-limit '\(logLimit)' is no size: write it as 2000000, 500k or 10m")
        }
        if let unpackLimit, Self.size(unpackLimit) == nil {
            throw ValidationError("--unpack-limit '\(unpackLimit)' is no size: write it as 500m or 20g")
        }
    }

    /// In bytes.
    var unpackSize: Int64? { unpackLimit.flatMap(Self.size).map(Int64.init) }

    func apply(to request: inout BuildRequest) throws {
        for text in ssh {
            let (id, source) = try Self.agent(text)
            request.sshAgents[id] = source
        }
        if let stepTimeout { request.stepTimeout = DurationText.parse(stepTimeout) }
        request.stepMemoryLimit = stepMemory.flatMap(Self.size).map(Int64.init)
        if let stepProcesses { request.stepProcessLimit = stepProcesses }
        if let limit = contextFileLimit.flatMap(Self.size) { request.contextFileLimit = Int64(limit) }
        if let limit = logLimit.flatMap(Self.size) { request.stepOutputLimit = limit }
    }

    /// `default`, `ID=SOCKET` or `ID=KEY,KEY`.
    private static func agent(_ text: String) throws -> (String, SSHAgentSource) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let id = parts.first, !id.isEmpty else {
            throw ValidationError("--ssh '\(text)' has no id; write default, or ID=SOCKET, or ID=KEY")
        }
        guard parts.count == 2, !parts[1].isEmpty else {
            guard let socket = getenv("SSH_AUTH_SOCK"), socket.pointee != 0 else {
                throw ValidationError(
                    "--ssh \(id): no agent runs here: SSH_AUTH_SOCK is not set; write \(id)=SOCKET or \(id)=KEY")
            }
            return (id, .socket(String(cString: socket)))
        }
        let paths = parts[1].split(separator: ",").map { TextFile.absolute(String($0)) }
        var sockets = 0
        for path in paths {
            var status = stat()
            guard stat(path, &status) == 0 else {
                throw ValidationError("--ssh \(id): \(path): \(String(cString: strerror(errno)))")
            }
            if status.st_mode & S_IFMT == S_IFSOCK { sockets += 1 }
        }
        if sockets == 0 { return (id, .keys(paths)) }
        guard paths.count == 1 else { throw ValidationError("--ssh \(id): give one socket, or keys, not both") }
        return (id, .socket(paths[0]))
    }

    // MARK: Numbers

    /// Bytes, with `k`, `m` or `g` for powers of 1024.
    static func size(_ text: String) -> Int? { ByteSize.parse(text).map { Int(clamping: $0) } }
}
