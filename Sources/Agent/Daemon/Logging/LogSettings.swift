package import Logging
package import YAML

/// `log:` of the configuration.
package struct LogSettings: Sendable, Hashable {
    package var format = LogFormat.logfmt
    /// What is less important is not written.
    package var level = Logger.Level.info

    package init() {}

    package static func read(_ value: YAMLValue) throws(YAMLError) -> LogSettings {
        try value.object { (object) throws(YAMLError) in
            var settings = LogSettings()
            if let format = object.optional("format") { settings.format = try format.choice() }
            if let level = object.optional("level") { settings.level = try level.choice() }
            return settings
        }
    }
}
