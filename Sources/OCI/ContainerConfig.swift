/// How a container of the image is run. An empty collection and an absent one are the same, except for `entrypoint`,
/// `cmd` and `shell`, where a Dockerfile can tell them apart.
package struct ContainerConfig: Hashable, Sendable {
    package var user = ""
    /// `80/tcp`, `53/udp`.
    package var exposedPorts: Set<String> = []
    /// `NAME=value`, in order.
    package var env: [String] = []
    package var entrypoint: [String]?
    package var cmd: [String]?
    package var volumes: Set<String> = []
    package var workingDir = ""
    package var labels: [String: String] = [:]
    package var stopSignal: String?
    /// Windows images: the command is already escaped.
    package var argsEscaped: Bool?
    package var healthcheck: Healthcheck?
    package var onBuild: [String] = []
    package var shell: [String]?
    /// Seconds; Docker's.
    package var stopTimeout: Int?

    package init() {}

    /// Docker's extension. Durations in nanoseconds, 0 = inherited.
    package struct Healthcheck: Hashable, Sendable, Codable {
        /// `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", command]`.
        package var test: [String]?
        package var interval: Int64?
        package var timeout: Int64?
        package var startPeriod: Int64?
        package var startInterval: Int64?
        package var retries: Int?

        enum CodingKeys: String, CodingKey {
            case test = "Test"
            case interval = "Interval"
            case timeout = "Timeout"
            case startPeriod = "StartPeriod"
            case startInterval = "StartInterval"
            case retries = "Retries"
        }

        package init(
            test: [String]? = nil, interval: Int64? = nil, timeout: Int64? = nil, startPeriod: Int64? = nil,
            startInterval: Int64? = nil, retries: Int? = nil
        ) {
            self.test = test
            self.interval = interval
            self.timeout = timeout
            self.startPeriod = startPeriod
            self.startInterval = startInterval
            self.retries = retries
        }
    }
}

extension ContainerConfig: Codable {
    enum CodingKeys: String, CodingKey {
        case user = "User"
        case exposedPorts = "ExposedPorts"
        case env = "Env"
        case entrypoint = "Entrypoint"
        case cmd = "Cmd"
        case volumes = "Volumes"
        case workingDir = "WorkingDir"
        case labels = "Labels"
        case stopSignal = "StopSignal"
        case argsEscaped = "ArgsEscaped"
        case healthcheck = "Healthcheck"
        case onBuild = "OnBuild"
        case shell = "Shell"
        case stopTimeout = "StopTimeout"
    }

    /// The `{}` that Go writes for the values of a set.
    private struct Member: Codable {}

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        func members(_ key: CodingKeys) throws -> Set<String> {
            Set(try container.decodeIfPresent([String: Member].self, forKey: key)?.keys.map { $0 } ?? [])
        }
        user = try container.decodeIfPresent(String.self, forKey: .user) ?? ""
        exposedPorts = try members(.exposedPorts)
        env = try container.decodeIfPresent([String].self, forKey: .env) ?? []
        entrypoint = try container.decodeIfPresent([String].self, forKey: .entrypoint)
        cmd = try container.decodeIfPresent([String].self, forKey: .cmd)
        volumes = try members(.volumes)
        workingDir = try container.decodeIfPresent(String.self, forKey: .workingDir) ?? ""
        labels = try container.decodeIfPresent([String: String].self, forKey: .labels) ?? [:]
        stopSignal = try container.decodeIfPresent(String.self, forKey: .stopSignal)
        argsEscaped = try container.decodeIfPresent(Bool.self, forKey: .argsEscaped)
        healthcheck = try container.decodeIfPresent(Healthcheck.self, forKey: .healthcheck)
        onBuild = try container.decodeIfPresent([String].self, forKey: .onBuild) ?? []
        shell = try container.decodeIfPresent([String].self, forKey: .shell)
        stopTimeout = try container.decodeIfPresent(Int.self, forKey: .stopTimeout)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        func members(_ set: Set<String>, _ key: CodingKeys) throws {
            guard !set.isEmpty else { return }
            try container.encode(
                Dictionary(set.map { ($0, Member()) }, uniquingKeysWith: { first, _ in first }), forKey: key)
        }
        if !user.isEmpty { try container.encode(user, forKey: .user) }
        try members(exposedPorts, .exposedPorts)
        if !env.isEmpty { try container.encode(env, forKey: .env) }
        try container.encodeIfPresent(entrypoint, forKey: .entrypoint)
        try container.encodeIfPresent(cmd, forKey: .cmd)
        try members(volumes, .volumes)
        if !workingDir.isEmpty { try container.encode(workingDir, forKey: .workingDir) }
        if !labels.isEmpty { try container.encode(labels, forKey: .labels) }
        try container.encodeIfPresent(stopSignal, forKey: .stopSignal)
        try container.encodeIfPresent(argsEscaped, forKey: .argsEscaped)
        try container.encodeIfPresent(healthcheck, forKey: .healthcheck)
        if !onBuild.isEmpty { try container.encode(onBuild, forKey: .onBuild) }
        try container.encodeIfPresent(shell, forKey: .shell)
        try container.encodeIfPresent(stopTimeout, forKey: .stopTimeout)
    }
}
