/// The command line of a kaniko executor, as it stands in the `args` of a Job or a Pod.
///
/// Every flag of kaniko 1.24 and of its living fork is known here with what becomes of it; an unknown one is refused,
/// because a flag that is dropped in silence makes a wrong image.
package struct KanikoArguments: Sendable, Equatable {
    package var context = "/workspace/"
    package var contextSubPath = ""
    package var dockerfile = "Dockerfile"
    package var destinations: [String] = []
    package var buildArguments: [BuildArgument] = []
    package var labels: [BuildArgument] = []
    package var annotations: [BuildArgument] = []
    package var target: String?
    package var platform: String?
    package var noPush = false
    /// Flags that were understood and have no effect here, each with the reason.
    package var notes: [String] = []

    package struct Refusal: Error, Sendable, Equatable {
        package let reason: String
        package let remedy: String?
    }

    private enum Treatment {
        /// Changes what is built or where it goes: read into a field.
        case honoured
        /// About kaniko's own working, its logs, its cache, or a file inside its pod: nothing to do here.
        case immaterial
        /// Lowers transport security. A repository's content may not decide that for the agent.
        case transport
        /// Would change the image in a way that is not supported.
        case refused(String)
    }

    private struct Flag {
        let isBoolean: Bool
        let treatment: Treatment
    }

    private static let flags: [String: Flag] = {
        var table: [String: Flag] = [:]
        func add(_ names: String, boolean: Bool, _ treatment: Treatment) {
            for name in names.split(separator: " ") {
                table[String(name)] = Flag(isBoolean: boolean, treatment: treatment)
            }
        }
        add(
            """
            context context-sub-path dockerfile destination build-arg label annotation target custom-platform \
            customPlatform
            """, boolean: false, .honoured)
        add("no-push", boolean: true, .honoured)
        add(
            """
            verbosity log-format git cache-repo cache-dir cache-ttl snapshot-mode compression-level push-retry \
            image-download-retry image-fs-extract-retry kaniko-dir digest-file image-name-with-digest-file \
            image-name-tag-with-digest-file tar-path oci-layout-path credential-helpers
            """, boolean: false, .immaterial)
        add(
            """
            log-timestamp cache cache-run-layers cache-copy-layers compressed-caching no-push-cache use-new-run \
            cleanup pre-cleanup preserve-context force force-build-metadata reproducible skip-unused-stages \
            skip-push-permission-check push-ignore-immutable-tag-errors ignore-var-run whitelist-var-run materialize
            """, boolean: true, .immaterial)
        add("insecure insecure-pull skip-tls-verify skip-tls-verify-pull", boolean: true, .transport)
        add(
            """
            insecure-registry skip-tls-verify-registry registry-certificate registry-client-cert registry-mirror \
            registry-map
            """, boolean: false, .transport)
        add("skip-default-registry-fallback", boolean: true, .transport)
        add("single-snapshot", boolean: true, .refused("one layer for the whole build is not supported yet"))
        add("dryrun", boolean: true, .refused("the executor is told to build nothing"))
        add("ignore-path", boolean: false, .refused("leaving paths out of the layers is not supported yet"))
        add("secret", boolean: false, .refused("build secrets are not supported yet"))
        add("bucket", boolean: false, .refused("contexts in a bucket are not part of this repository"))
        return table
    }()

    private static let shorthands: [Character: String] = [
        "c": "context", "f": "dockerfile", "d": "destination", "b": "bucket", "v": "verbosity",
    ]

    package init(parsing arguments: [String]) throws(Refusal) {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("-"), argument != "-" else {
                throw Refusal(
                    reason: "the executor's argument '\(argument)' is no flag", remedy: "remove it from the args")
            }
            let (name, attached) = Self.split(argument)
            guard let flag = Self.flags[name] else {
                throw Refusal(
                    reason: "unknown executor flag '--\(name)'",
                    remedy: "declare this build in the agent's configuration under 'builds:'")
            }
            let value: String
            if let attached {
                value = attached
            } else if flag.isBoolean {
                value = "true"
            } else if let next = rest.popFirst() {
                value = next
            } else {
                throw Refusal(reason: "executor flag '--\(name)' has no value", remedy: nil)
            }
            try apply(flag, name: name, value: value)
        }
    }

    /// `--name`, `--name=value`, `-n`, `-nvalue` and `-n=value`, as kaniko's flag library reads them.
    private static func split(_ argument: String) -> (name: String, value: String?) {
        var body = argument.dropFirst()
        if body.first == "-" {
            body = body.dropFirst()
        } else if let letter = body.first, let name = shorthands[letter] {
            var value = body.dropFirst()
            if value.first == "=" { value = value.dropFirst() }
            return (name, body.count == 1 ? nil : String(value))
        }
        guard let equals = body.firstIndex(of: "=") else { return (String(body), nil) }
        return (String(body[..<equals]), String(body[body.index(after: equals)...]))
    }

    private mutating func apply(_ flag: Flag, name: String, value: String) throws(Refusal) {
        if flag.isBoolean {
            guard let isSet = Self.boolean(value) else {
                throw Refusal(reason: "executor flag '--\(name)=\(value)' is neither true nor false", remedy: nil)
            }
            if !isSet { return }
        }
        switch flag.treatment {
        case .immaterial: break
        case .transport:
            notes.append(
                "--\(name) is not taken from the repository: only the agent's own configuration sets transport")
        case .refused(let reason):
            throw Refusal(
                reason: "executor flag '--\(name)': \(reason)",
                remedy: "remove the flag, or declare this build in the agent's configuration under 'builds:'")
        case .honoured: try set(name, value)
        }
    }

    private mutating func set(_ name: String, _ value: String) throws(Refusal) {
        switch name {
        case "context": context = value
        case "context-sub-path": contextSubPath = value
        case "dockerfile": dockerfile = value
        case "destination": destinations.append(value)
        case "build-arg": buildArguments.append(try Self.pair(name, value))
        case "label": labels.append(try Self.pair(name, value))
        case "annotation": annotations.append(try Self.pair(name, value))
        case "target": target = value
        case "custom-platform", "customPlatform": platform = value
        default: noPush = true
        }
    }

    private static func pair(_ name: String, _ value: String) throws(Refusal) -> BuildArgument {
        guard let equals = value.firstIndex(of: "="), equals != value.startIndex else {
            throw Refusal(
                reason: "executor flag '--\(name)=\(value)' takes its value from the pod's environment",
                remedy: "write --\(name)=\(value)=VALUE")
        }
        return BuildArgument(name: String(value[..<equals]), value: String(value[value.index(after: equals)...]))
    }

    private static func boolean(_ text: String) -> Bool? {
        switch text {
        case "1", "t", "T", "true", "TRUE", "True": true
        case "0", "f", "F", "false", "FALSE", "False": false
        default: nil
        }
    }
}
