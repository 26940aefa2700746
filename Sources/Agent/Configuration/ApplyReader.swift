import YAML

/// Reads `cluster:` and a repository's `apply:`.
enum ApplyReader {
    static func cluster(_ value: YAMLValue) throws(YAMLError) -> AgentConfiguration.ClusterSettings {
        try value.object { (object) throws(YAMLError) in
            var settings = AgentConfiguration.ClusterSettings()
            settings.events = try object.optional("events")?.bool()
            settings.kubeconfig = try object.optional("kubeconfig")?.nonEmptyString()
            if let context = object.optional("context") {
                guard settings.kubeconfig != nil else {
                    throw context.error("a context needs a kubeconfig", hint: "set 'kubeconfig' too")
                }
                settings.context = try context.nonEmptyString()
            }
            settings.builds = try object.optional("builds").map { (value) throws(YAMLError) in
                try JobTemplateReader.template(value)
            }
            // An agent that must not write Events may have no right, and no token, to look at the cluster either.
            settings.isGiven = settings.events != false || settings.kubeconfig != nil || settings.builds != nil
            return settings
        }
    }

    static func apply(_ value: YAMLValue) throws(YAMLError) -> AgentConfiguration.ApplySettings {
        try value.object { (object) throws(YAMLError) in
            let paths = try object.required("paths")
            var settings = AgentConfiguration.ApplySettings(
                paths: try paths.list { (path) throws(YAMLError) in try Self.path(path) })
            guard !settings.paths.isEmpty else {
                throw paths.error("there are no paths", hint: "write '.' for the whole repository")
            }
            settings.namespace = try object.optional("namespace")?.nonEmptyString()
            if let prune = object.optional("prune") { settings.prunes = try prune.bool() }
            if let wait = object.optional("wait") { settings.waits = try wait.bool() }
            if let timeout = object.optional("timeout") { settings.timeout = try timeout.duration() }
            if let account = object.optional("serviceAccount") {
                let name = try account.nonEmptyString()
                guard name.split(separator: "/", omittingEmptySubsequences: false).count <= 2, !name.hasPrefix("/"),
                    !name.hasSuffix("/")
                else { throw account.error("'\(name)' is not a service account", hint: "write NAME or NAMESPACE/NAME") }
                settings.serviceAccount = name
            }
            return settings
        }
    }

    /// A path in the repository, without `./` and a slash at its ends; "" is all of it.
    private static func path(_ value: YAMLValue) throws(YAMLError) -> String {
        let text = try value.nonEmptyString()
        let parts = text.split(separator: "/").filter { $0 != "." }
        guard !text.hasPrefix("/"), !parts.contains("..") else {
            throw value.error("'\(text)' leads out of the repository", hint: "write a path relative to its root")
        }
        return parts.joined(separator: "/")
    }
}
