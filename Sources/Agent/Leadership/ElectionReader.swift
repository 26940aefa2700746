import Cluster
import YAML

/// Reads `leaderElection:`.
enum ElectionReader {
    /// - Returns: `nil` where it is switched off.
    static func settings(_ value: YAMLValue) throws(YAMLError) -> AgentConfiguration.ElectionSettings? {
        try value.object { (object) throws(YAMLError) in
            var settings = AgentConfiguration.ElectionSettings()
            let isEnabled = try object.optional("enabled")?.bool() ?? true
            if let namespace = object.optional("namespace") { settings.namespace = try Self.name(namespace) }
            if let name = object.optional("name") { settings.name = try Self.name(name) }
            if let value = object.optional("leaseDuration") { settings.timing.leaseDuration = try value.duration() }
            if let value = object.optional("renewDeadline") { settings.timing.renewDeadline = try value.duration() }
            if let value = object.optional("retryPeriod") { settings.timing.retryPeriod = try value.duration() }
            if let problem = settings.timing.problem {
                throw value.error(problem, hint: "the usual values are 15s, 10s and 2s")
            }
            return isEnabled ? settings : nil
        }
    }

    /// A name that Kubernetes takes (RFC 1123).
    private static func name(_ value: YAMLValue) throws(YAMLError) -> String {
        let text = try value.nonEmptyString()
        let isName = text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "."): true
            default: false
            }
        }
        guard isName, text.utf8.count <= 253 else {
            throw value.error("'\(text)' is not a name that Kubernetes takes", hint: "use a-z, 0-9, '-' and '.'")
        }
        return text
    }
}
