import HTTP
import Notifications
import RegistryPoller
import YAML

/// Reads `notifications:`.
enum NotificationReader {
    /// - Parameter pages: where commit statuses link to, for links where nothing else is said.
    static func notifications(_ value: YAMLValue, pages: String?) throws(YAMLError) -> NotificationSettings {
        try value.object { (object) throws(YAMLError) in
            var settings = NotificationSettings()
            settings.pages = try object.optional("pages").map(StatusReader.pages) ?? pages
            if let value = object.optional("failingFor") { settings.failingFor = try value.duration() }
            var names: Set<String> = []
            let source = settings.pages
            settings.channels = try object.required("channels").list { (item) throws(YAMLError) in
                let channel = try ChannelReader.channel(item, source: source)
                guard names.insert(channel.name).inserted else {
                    throw item.error("a second channel is called '\(channel.name)'", hint: "give each its own 'name'")
                }
                return channel
            }
            if let rules = object.optional("rules") {
                settings.rules = try rules.list { (item) throws(YAMLError) in try rule(item, among: names) }
                let silent = names.subtracting(settings.rules.flatMap(\.channels)).sorted()
                if let name = silent.first, !settings.rules.isEmpty {
                    throw rules.error("no rule names the channel '\(name)'", hint: "add a rule for it, or remove it")
                }
            }
            return settings
        }
    }

    private static func rule(
        _ value: YAMLValue, among channels: Set<String>
    ) throws(YAMLError) -> NotificationSettings.Rule {
        try value.object { (object) throws(YAMLError) in
            let names = try object.required("channels")
            var rule = NotificationSettings.Rule(channels: try names.stringOrStrings())
            for name in rule.channels where !channels.contains(name) {
                throw names.error("no channel is called '\(name)'")
            }
            guard !rule.channels.isEmpty else { throw names.error("there is no channel") }
            if let value = object.optional("events") { rule.events = Set(try value.list(event)) }
            if let value = object.optional("severity") { rule.severity = try value.choice() }
            rule.repositories =
                try object.optional("repositories")?.list { (item) throws(YAMLError) in
                    let text = try item.nonEmptyString()
                    do throws(PolicyError) { return try WildcardPattern(text) } catch {
                        throw item.error(error.summary, hint: error.cause)
                    }
                } ?? []
            return rule
        }
    }

    private static func event(_ value: YAMLValue) throws(YAMLError) -> NoticeKind {
        let text = try value.nonEmptyString()
        guard let kind = NoticeKind(rawValue: text), NoticeKind.events.contains(kind) else {
            throw value.error(
                "'\(text.prefix(60))' is not an event",
                hint: "there are: " + NoticeKind.events.map(\.rawValue).joined(separator: ", "))
        }
        return kind
    }
}
